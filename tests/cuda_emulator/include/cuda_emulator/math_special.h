// Functions of the device that <math.h> lacks, in double precision; each is within the error
// bound that the CUDA programming guide gives for the card's. Most go through long double, which
// is the easy way to a last bit that is right, and are therefore not fast.
#ifndef CUDA_EMULATOR_MATH_SPECIAL_H
#define CUDA_EMULATOR_MATH_SPECIAL_H

#include <math.h>

// C libraries come to have C23's functions, as functions with C linkage that no header can
// define again.
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 41)
#define CUDA_EMULATOR_LIBRARY_HAS_SINPI
#endif
#if __GLIBC_PREREQ(2, 42)
#define CUDA_EMULATOR_LIBRARY_HAS_RSQRT
#endif
#endif

namespace cuda_emulator {
namespace special {

constexpr double pi = 3.14159265358979323846;
constexpr double pi_rest = 1.2246467991473532e-16;  // what pi lacks
constexpr long double root_of_pi = 1.77245385090551602729816748334114518L;
constexpr long double root_of_half = 0.70710678118654752440084436210484904L;

// sin(pi x) and cos(pi x): x goes to the nearest multiple of 1/2 plus r, both exactly.
inline void sin_cos_pi(double x, double* sine, double* cosine) {
    if (!isfinite(x)) {
        *sine = *cosine = __builtin_nan("");
        return;
    }
    const double turn = x - 2.0 * rint(0.5 * x);  // between -1 and 1; large x are even integers
    const double halves = rint(2.0 * turn);
    const double r = turn - 0.5 * halves;
    const double angle = pi * r;
    const double rest = fma(pi, r, -angle) + pi_rest * r;
    double s, c;
    ::sincos(angle, &s, &c);
    const double sine_of_angle = s + c * rest;
    const double cosine_of_angle = c - s * rest;
    switch (static_cast<int>(halves)) {
    case 0:
        *sine = sine_of_angle, *cosine = cosine_of_angle;
        break;
    case 1:
        *sine = cosine_of_angle, *cosine = -sine_of_angle;
        break;
    case -1:
        *sine = -cosine_of_angle, *cosine = sine_of_angle;
        break;
    default:
        *sine = -sine_of_angle, *cosine = -cosine_of_angle;
    }
    if (r == 0.0) {
        // C23's signs of zero: sin(pi n) has the sign of n, cos(pi (n + 1/2)) is +0
        if (*sine == 0.0) *sine = copysign(0.0, x);
        if (*cosine == 0.0) *cosine = 0.0;
    }
}

inline double sin_pi(double x) {
    double sine, cosine;
    sin_cos_pi(x, &sine, &cosine);
    return sine;
}

inline double cos_pi(double x) {
    double sine, cosine;
    sin_cos_pi(x, &sine, &cosine);
    return cosine;
}

// exp(x^2) erfc(x)
inline long double scaled_erfc(long double x) {
    if (!(x > 25.0L)) return expl(x * x) * erfcl(x);
    if (isinf(x)) return 0.0L;
    // Asymptotic: 1 / (x sqrt(pi)) (1 - 1 / (2x^2) + 3 / (2x^2)^2 - 15 / (2x^2)^3 ...)
    const long double square = 2.0L * x * x;
    long double term = 1.0L, sum = 1.0L;
    for (int k = 1; k <= 9; ++k) {
        term *= -(2 * k - 1) / square;
        sum += term;
    }
    return sum / (x * root_of_pi);
}

inline double inverse_erfc(double q);

// Newton's steps on erf for the middle, on the logarithm of erfc for the tail.
inline double inverse_erf(double y) {
    if (y != y || y < -1.0 || y > 1.0) return __builtin_nan("");
    if (y == 0.0) return y;
    if (y < 0.0) return -inverse_erf(-y);
    if (y > 0.5) return inverse_erfc(1.0 - y);
    const long double target = y;
    if (y < 1e-10) return static_cast<double>(0.5L * root_of_pi * target);
    long double x = 0.5L * root_of_pi * target * (1.0L + 0.2618L * target * target);
    for (int i = 0; i < 4; ++i) x -= 0.5L * root_of_pi * expl(x * x) * (erfl(x) - target);
    return static_cast<double>(x);
}

inline double inverse_erfc(double q) {
    if (q != q || q < 0.0 || q > 2.0) return __builtin_nan("");
    if (q == 0.0) return HUGE_VAL;
    if (q == 2.0) return -HUGE_VAL;
    if (q > 1.5) return -inverse_erfc(2.0 - q);
    if (q >= 0.5) return inverse_erf(1.0 - q);
    // x^2 - log(erfcx(x)) = -log(q), with a derivative of 2 / (sqrt(pi) erfcx(x))
    const long double target = -logl(q);
    long double x = sqrtl(target);
    x = sqrtl(fmaxl(target - logl(1.0L + root_of_pi * x), 0.1L));
    for (int i = 0; i < 7; ++i) {
        const long double scaled = scaled_erfc(x);
        const long double step =
            0.5L * root_of_pi * scaled * (x * x - logl(scaled) - target);
        x -= step;
        if (fabsl(step) < 1e-12L * x) break;
    }
    return static_cast<double>(x);
}

inline double normal_cdf(double x) {
    return static_cast<double>(0.5L * erfcl(-root_of_half * x));
}

// -sqrt(2) erfcinv(2p); of p near 1, 1 - p is exact and keeps the tail
inline double inverse_normal_cdf(double p) {
    if (p > 0.5) return static_cast<double>(inverse_erfc(2.0 * (1.0 - p)) / root_of_half);
    return static_cast<double>(0.0L - inverse_erfc(2.0 * p) / root_of_half);
}

// Modified Bessel functions of order n = 0 or 1: the power series, whose terms are all
// positive, and for large x the asymptotic one.
inline double bessel_i(int n, double x) {
    const long double a = fabsl(x);
    long double value;
    if (a != a) {
        value = a;
    } else if (a < 40.0L) {
        const long double quarter = 0.25L * a * a;
        long double term = n == 0 ? 1.0L : 0.5L * a, sum = term;
        for (int k = 1; term > 1e-21L * sum; ++k) {
            term *= quarter / (static_cast<long double>(k) * (k + n));
            sum += term;
        }
        value = sum;
    } else if (a > 720.0L) {
        value = HUGE_VALL;
    } else {
        long double term = 1.0L, sum = 1.0L;
        for (int k = 1; k < 60 && fabsl(term) > 1e-21L; ++k) {
            const long double odd = 2 * k - 1;
            term *= (odd * odd - 4 * n * n) / (8.0L * k * a);
            sum += term;
        }
        value = expl(a) * sum / sqrtl(2.0L * root_of_pi * root_of_pi * a);
    }
    return static_cast<double>(n == 1 && x < 0 ? -value : value);
}

// Squares of doubles fit a long double's exponent.
inline long double root_of_squares(int n, const double* x) {
    long double sum = 0.0L;
    bool infinite = false;
    for (int i = 0; i < n; ++i) {
        infinite = infinite || isinf(x[i]);
        sum += static_cast<long double>(x[i]) * x[i];
    }
    return infinite ? HUGE_VALL : sqrtl(sum);
}

}  // namespace special
}  // namespace cuda_emulator

#ifndef CUDA_EMULATOR_LIBRARY_HAS_RSQRT
inline double rsqrt(double x) { return static_cast<double>(1.0L / sqrtl(x)); }
inline float rsqrtf(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
#endif
#ifndef CUDA_EMULATOR_LIBRARY_HAS_SINPI
inline double sinpi(double x) { return cuda_emulator::special::sin_pi(x); }
inline double cospi(double x) { return cuda_emulator::special::cos_pi(x); }
inline float sinpif(float x) { return static_cast<float>(cuda_emulator::special::sin_pi(x)); }
inline float cospif(float x) { return static_cast<float>(cuda_emulator::special::cos_pi(x)); }
#endif
inline void sincospi(double x, double* sine, double* cosine) {
    cuda_emulator::special::sin_cos_pi(x, sine, cosine);
}
inline double rcbrt(double x) { return static_cast<double>(1.0L / cbrtl(x)); }
inline double erfinv(double y) { return cuda_emulator::special::inverse_erf(y); }
inline double erfcinv(double y) { return cuda_emulator::special::inverse_erfc(y); }
inline double erfcx(double x) {
    return static_cast<double>(cuda_emulator::special::scaled_erfc(x));
}
inline double normcdf(double x) { return cuda_emulator::special::normal_cdf(x); }
inline double normcdfinv(double p) { return cuda_emulator::special::inverse_normal_cdf(p); }
inline double cyl_bessel_i0(double x) { return cuda_emulator::special::bessel_i(0, x); }
inline double cyl_bessel_i1(double x) { return cuda_emulator::special::bessel_i(1, x); }

inline double norm(int n, const double* x) {
    return static_cast<double>(cuda_emulator::special::root_of_squares(n, x));
}
inline double rnorm(int n, const double* x) {
    return static_cast<double>(1.0L / cuda_emulator::special::root_of_squares(n, x));
}
inline double norm3d(double a, double b, double c) {
    const double x[] = {a, b, c};
    return norm(3, x);
}
inline double rnorm3d(double a, double b, double c) {
    const double x[] = {a, b, c};
    return rnorm(3, x);
}
inline double norm4d(double a, double b, double c, double d) {
    const double x[] = {a, b, c, d};
    return norm(4, x);
}
inline double rnorm4d(double a, double b, double c, double d) {
    const double x[] = {a, b, c, d};
    return rnorm(4, x);
}
inline double rhypot(double a, double b) {
    const double x[] = {a, b};
    return rnorm(2, x);
}

#endif
