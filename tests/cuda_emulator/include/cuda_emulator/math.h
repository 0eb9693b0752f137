// Device functions under CUDA's names. <math.h> brings what C has, for float and double, to
// global scope; this adds the rest: float forms (`rsqrtf`, and `rsqrt` of a float), functions of
// mixed arguments, and the fast intrinsics, which here are as accurate as the others.
#ifndef CUDA_EMULATOR_MATH_H
#define CUDA_EMULATOR_MATH_H

#include <math.h>
#include <stdlib.h>

#include "cuda_emulator/math_integer.h"
#include "cuda_emulator/math_rounding.h"
#include "cuda_emulator/math_special.h"

// Single precision is double precision rounded once more; `NAMEf` and the overload NAME(float).
#define CUDA_EMULATOR_FLOAT(NAME)                                                                  \
    inline float NAME##f(float x) { return static_cast<float>(NAME(static_cast<double>(x))); }     \
    inline float NAME(float x) { return NAME##f(x); }
CUDA_EMULATOR_FLOAT(rcbrt)
CUDA_EMULATOR_FLOAT(erfinv)
CUDA_EMULATOR_FLOAT(erfcinv)
CUDA_EMULATOR_FLOAT(erfcx)
CUDA_EMULATOR_FLOAT(normcdf)
CUDA_EMULATOR_FLOAT(normcdfinv)
CUDA_EMULATOR_FLOAT(cyl_bessel_i0)
CUDA_EMULATOR_FLOAT(cyl_bessel_i1)
#undef CUDA_EMULATOR_FLOAT

inline float rsqrt(float x) { return rsqrtf(x); }
inline float sinpi(float x) { return sinpif(x); }
inline float cospi(float x) { return cospif(x); }
inline float exp10(float x) { return exp10f(x); }
inline float j0(float x) { return j0f(x); }
inline float j1(float x) { return j1f(x); }
inline float jn(int n, float x) { return jnf(n, x); }
inline float y0(float x) { return y0f(x); }
inline float y1(float x) { return y1f(x); }
inline float yn(int n, float x) { return ynf(n, x); }

inline void sincos(float x, float* sine, float* cosine) { sincosf(x, sine, cosine); }
inline void sincospif(float x, float* sine, float* cosine) {
    double s, c;
    sincospi(static_cast<double>(x), &s, &c);
    *sine = static_cast<float>(s);
    *cosine = static_cast<float>(c);
}
inline void sincospi(float x, float* sine, float* cosine) { sincospif(x, sine, cosine); }

inline float rhypotf(float a, float b) {
    return static_cast<float>(rhypot(static_cast<double>(a), static_cast<double>(b)));
}
inline float norm3df(float a, float b, float c) { return static_cast<float>(norm3d(a, b, c)); }
inline float rnorm3df(float a, float b, float c) { return static_cast<float>(rnorm3d(a, b, c)); }
inline float norm4df(float a, float b, float c, float d) {
    return static_cast<float>(norm4d(a, b, c, d));
}
inline float rnorm4df(float a, float b, float c, float d) {
    return static_cast<float>(rnorm4d(a, b, c, d));
}
inline float normf(int n, const float* x) {
    double sum = 0.0;
    bool infinite = false;
    for (int i = 0; i < n; ++i) {
        infinite = infinite || isinf(x[i]);
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    return infinite ? HUGE_VALF : static_cast<float>(sqrt(sum));
}
inline float rnormf(int n, const float* x) {
    double sum = 0.0;
    bool infinite = false;
    for (int i = 0; i < n; ++i) {
        infinite = infinite || isinf(x[i]);
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    return infinite ? 0.0f : static_cast<float>(1.0 / sqrt(sum));
}

inline float fdividef(float a, float b) { return a / b; }
inline float fdivide(float a, float b) { return a / b; }
inline double fdivide(double a, double b) { return a / b; }

// The one that is a number wins, as with fmin and fmax.
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(float a, double b) { return fmin(static_cast<double>(a), b); }
inline double max(float a, double b) { return fmax(static_cast<double>(a), b); }
inline double min(double a, float b) { return fmin(a, static_cast<double>(b)); }
inline double max(double a, float b) { return fmax(a, static_cast<double>(b)); }

// Fast intrinsics. glibc declares most of these names (with C linkage, without exporting them),
// so these have to be the same functions.
extern "C" {
inline float __expf(float x) noexcept { return expf(x); }
inline float __exp10f(float x) noexcept { return exp10f(x); }
inline float __logf(float x) noexcept { return logf(x); }
inline float __log2f(float x) noexcept { return log2f(x); }
inline float __log10f(float x) noexcept { return log10f(x); }
inline float __sinf(float x) noexcept { return sinf(x); }
inline float __cosf(float x) noexcept { return cosf(x); }
inline float __tanf(float x) noexcept { return tanf(x); }
inline float __tanhf(float x) noexcept { return tanhf(x); }
inline void __sincosf(float x, float* sine, float* cosine) noexcept { sincosf(x, sine, cosine); }
// Not powf: 2^(y log2 x), so that a negative x gives no number
inline float __powf(float x, float y) noexcept {
    return static_cast<float>(exp2(static_cast<double>(y) * log2(static_cast<double>(x))));
}
}
/// Where 2^126 < |b| < 2^128 the quotient is 0, or no number for an infinite a, as on the card.
inline float __fdividef(float a, float b) {
    const float size = fabsf(b);
    if (size > 0x1p126f && size < HUGE_VALF) return a * (isinf(a) ? 0.0f : copysignf(0.0f, b));
    return a / b;
}
inline float __saturatef(float x) { return x >= 1.0f ? 1.0f : x > 0.0f ? x : 0.0f; }

#endif
