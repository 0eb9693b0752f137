// Arithmetic and conversions with a rounding mode in their name: _rn nearest even, _rz towards
// zero, _ru up, _rd down. The directed ones take the nearest result and the sign of its exact
// error; the processor's rounding mode stays alone, since compilers do not honour a change of it.
#ifndef CUDA_EMULATOR_MATH_ROUNDING_H
#define CUDA_EMULATOR_MATH_ROUNDING_H

#include <math.h>

namespace cuda_emulator {
namespace rounding {

enum Mode { nearest, zero, up, down };

template <typename T> struct Largest;
template <> struct Largest<float> { static constexpr float value = __FLT_MAX__; };
template <> struct Largest<double> { static constexpr double value = __DBL_MAX__; };

/// The neighbour of `result` that `mode` asks for; `error` has the sign of exact - result.
template <typename T>
inline T directed(Mode mode, T result, double error, bool finite_operands) {
    if (mode == nearest || result != result)
        return result;
    if (isinf(result)) {
        const bool kept =
            !finite_operands || (mode == up && result > 0) || (mode == down && result < 0);
        return kept ? result : copysign(Largest<T>::value, result);
    }
    const bool towards_zero_is_down = result > 0 || (result == 0 && error > 0);
    const bool wants_down = mode == down || (mode == zero && towards_zero_is_down);
    if (error > 0 && !wants_down)
        return nextafter(result, static_cast<T>(HUGE_VAL));
    if (error < 0 && wants_down)
        return nextafter(result, static_cast<T>(-HUGE_VAL));
    return result;
}

/// The rounding error of s = a + b.
template <typename T>
inline T sum_error(T a, T b, T s) {
    const T part = s - a;
    return (a - (s - part)) + (b - part);
}

/// An exact zero sum of operands that differ is +0, or -0 when rounding down.
template <typename T>
inline T add(Mode mode, T a, T b) {
    const T s = a + b;
    if (mode == down && s == 0 && (a != 0 || signbit(a) != signbit(b)))
        return -T(0);
    if (mode == nearest)
        return s;
    return directed(mode, s, double(sum_error(a, b, s)), isfinite(a) && isfinite(b));
}

template <typename T>
inline T multiply(Mode mode, T a, T b) {
    const T p = a * b;
    if (mode == nearest)
        return p;
    return directed(mode, p, fma(double(a), double(b), -double(p)), isfinite(a) && isfinite(b));
}

/// The remainder a - q b has the sign of the error times that of b.
template <typename T>
inline T divide(Mode mode, T a, T b) {
    const T q = a / b;
    if (mode == nearest)
        return q;
    const double remainder = fma(-double(q), double(b), double(a));
    return directed(mode, q, b < 0 ? -remainder : remainder, isfinite(a) && isfinite(b) && b != 0);
}

template <typename T>
inline T square_root(Mode mode, T a) {
    const T r = sqrt(a);
    if (mode == nearest)
        return r;
    return directed(mode, r, fma(-double(r), double(r), double(a)), isfinite(a));
}

inline float multiply_add(Mode mode, float a, float b, float c) {
    const float r = fmaf(a, b, c);
    if (mode == nearest)
        return r;
    const double product = double(a) * double(b);
    const double s = product + double(c);
    if (mode == down && s == 0 && (product != 0 || signbit(product) != signbit(c)))
        return -0.0f;
    const double difference = s - double(r);
    const double error = difference != 0 ? difference : sum_error(product, double(c), s);
    return directed(mode, r, error, isfinite(a) && isfinite(b) && isfinite(c));
}

/// The error of a fused multiply-add after Boldo and Muller (2011).
inline double multiply_add(Mode mode, double a, double b, double c) {
    const double r = fma(a, b, c);
    if (mode == nearest)
        return r;
    const double product = a * b;
    if (mode == down && r == 0 && (product != 0 || signbit(product) != signbit(c)))
        return -0.0;
    const double product_rest = fma(a, b, -product);
    const double low = c + product_rest;
    const double low_rest = sum_error(c, product_rest, low);
    const double high = product + low;
    const double high_rest = sum_error(product, low, high);
    const double gap = (high - r) + high_rest;
    return directed(mode, r, gap + low_rest, isfinite(a) && isfinite(b) && isfinite(c));
}

inline float narrow(Mode mode, double x) {
    const float r = static_cast<float>(x);
    return directed(mode, r, x - static_cast<double>(r), isfinite(x));
}

template <typename T, typename Integer>
inline T from_integer(Mode mode, Integer x) {
    const T r = static_cast<T>(x);
    const __int128 exact = static_cast<__int128>(x);
    const __int128 rounded = static_cast<__int128>(r);
    return directed(mode, r, exact > rounded ? 1.0 : exact < rounded ? -1.0 : 0.0, true);
}

inline double to_integral(Mode mode, double x) {
    switch (mode) {
    case zero:
        return trunc(x);
    case up:
        return ceil(x);
    case down:
        return floor(x);
    default:
        return rint(x);
    }
}

/// As the card converts: out of range goes to the nearest end. Not a number gives the pattern
/// 1 followed by zeros when either type has 64 bits, else 0.
template <typename Integer, typename T>
inline Integer to_integer(Mode mode, T x) {
    constexpr bool is_signed = Integer(-1) < Integer(0);
    constexpr int bits = 8 * static_cast<int>(sizeof(Integer));
    constexpr unsigned long long top = 1ull << (bits - 1);
    constexpr Integer lowest = is_signed ? static_cast<Integer>(top) : Integer(0);
    constexpr Integer highest = static_cast<Integer>(is_signed ? top - 1 : ~0ull);
    if (x != x)
        return sizeof(T) == 8 || bits == 64 ? static_cast<Integer>(top) : Integer(0);
    const double integral = to_integral(mode, static_cast<double>(x));
    const double limit = is_signed ? static_cast<double>(top) : 2.0 * static_cast<double>(top);
    if (integral >= limit)
        return highest;
    if (integral < (is_signed ? -limit : 0.0))
        return lowest;
    return static_cast<Integer>(integral);
}

}  // namespace rounding
}  // namespace cuda_emulator

// Four functions, one for each rounding mode, of an expression in `mode` and the parameters.
#define CUDA_EMULATOR_ROUNDED_BODY(MODE, EXPRESSION)                                               \
    {                                                                                              \
        using namespace cuda_emulator::rounding;                                                   \
        constexpr Mode mode = MODE;                                                                \
        return EXPRESSION;                                                                         \
    }
#define CUDA_EMULATOR_ROUNDED(RESULT, NAME, PARAMETERS, EXPRESSION)                                \
    inline RESULT NAME##_rn PARAMETERS CUDA_EMULATOR_ROUNDED_BODY(nearest, EXPRESSION)             \
    inline RESULT NAME##_rz PARAMETERS CUDA_EMULATOR_ROUNDED_BODY(zero, EXPRESSION)                \
    inline RESULT NAME##_ru PARAMETERS CUDA_EMULATOR_ROUNDED_BODY(up, EXPRESSION)                  \
    inline RESULT NAME##_rd PARAMETERS CUDA_EMULATOR_ROUNDED_BODY(down, EXPRESSION)

CUDA_EMULATOR_ROUNDED(float, __fadd, (float a, float b), add(mode, a, b))
CUDA_EMULATOR_ROUNDED(float, __fsub, (float a, float b), add(mode, a, -b))
CUDA_EMULATOR_ROUNDED(float, __fmul, (float a, float b), multiply(mode, a, b))
CUDA_EMULATOR_ROUNDED(float, __fdiv, (float a, float b), divide(mode, a, b))
CUDA_EMULATOR_ROUNDED(float, __frcp, (float a), divide(mode, 1.0f, a))
CUDA_EMULATOR_ROUNDED(float, __fsqrt, (float a), square_root(mode, a))
CUDA_EMULATOR_ROUNDED(float, __fmaf, (float a, float b, float c), multiply_add(mode, a, b, c))
CUDA_EMULATOR_ROUNDED(double, __dadd, (double a, double b), add(mode, a, b))
CUDA_EMULATOR_ROUNDED(double, __dsub, (double a, double b), add(mode, a, -b))
CUDA_EMULATOR_ROUNDED(double, __dmul, (double a, double b), multiply(mode, a, b))
CUDA_EMULATOR_ROUNDED(double, __ddiv, (double a, double b), divide(mode, a, b))
CUDA_EMULATOR_ROUNDED(double, __drcp, (double a), divide(mode, 1.0, a))
CUDA_EMULATOR_ROUNDED(double, __dsqrt, (double a), square_root(mode, a))
CUDA_EMULATOR_ROUNDED(double, __fma, (double a, double b, double c), multiply_add(mode, a, b, c))

CUDA_EMULATOR_ROUNDED(float, __double2float, (double x), narrow(mode, x))
CUDA_EMULATOR_ROUNDED(int, __double2int, (double x), to_integer<int>(mode, x))
CUDA_EMULATOR_ROUNDED(unsigned int, __double2uint, (double x), to_integer<unsigned int>(mode, x))
CUDA_EMULATOR_ROUNDED(long long, __double2ll, (double x), to_integer<long long>(mode, x))
CUDA_EMULATOR_ROUNDED(unsigned long long, __double2ull, (double x),
                      to_integer<unsigned long long>(mode, x))
CUDA_EMULATOR_ROUNDED(int, __float2int, (float x), to_integer<int>(mode, x))
CUDA_EMULATOR_ROUNDED(unsigned int, __float2uint, (float x), to_integer<unsigned int>(mode, x))
CUDA_EMULATOR_ROUNDED(long long, __float2ll, (float x), to_integer<long long>(mode, x))
CUDA_EMULATOR_ROUNDED(unsigned long long, __float2ull, (float x),
                      to_integer<unsigned long long>(mode, x))
CUDA_EMULATOR_ROUNDED(float, __int2float, (int x), from_integer<float>(mode, x))
CUDA_EMULATOR_ROUNDED(float, __uint2float, (unsigned int x), from_integer<float>(mode, x))
CUDA_EMULATOR_ROUNDED(float, __ll2float, (long long x), from_integer<float>(mode, x))
CUDA_EMULATOR_ROUNDED(float, __ull2float, (unsigned long long x), from_integer<float>(mode, x))
CUDA_EMULATOR_ROUNDED(double, __ll2double, (long long x), from_integer<double>(mode, x))
CUDA_EMULATOR_ROUNDED(double, __ull2double, (unsigned long long x), from_integer<double>(mode, x))
#undef CUDA_EMULATOR_ROUNDED
#undef CUDA_EMULATOR_ROUNDED_BODY

inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned int x) { return x; }
inline float __frsqrt_rn(float x) {
    return static_cast<float>(1.0 / sqrt(static_cast<double>(x)));
}

#endif
