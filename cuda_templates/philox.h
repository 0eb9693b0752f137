// Random numbers that depend on where they are drawn, and not on who has drawn before: the
// generator Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011) turns a key and a counter into four 32-bit words.
//
// The same text serves both backends; docs/random_numbers.md says what is promised of it.
#ifndef GPURUN_PHILOX_H
#define GPURUN_PHILOX_H

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define GPURUN_DEVICE __host__ __device__
#else
#define GPURUN_DEVICE
#endif

namespace gpurun {

// ---------------------------------------------------------------- the generator

// The four words of one block, for a counter of four and a key of two words.
GPURUN_DEVICE inline void philox4x32_10(const uint32_t counter[4], const uint32_t key[2],
                                        uint32_t block[4]) {
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k = key[0], l = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p = (uint64_t)0xD2511F53u * a;
        const uint64_t q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ k;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ l;
        d = (uint32_t)p;
        k += 0x9E3779B9u;
        l += 0xBB67AE85u;
    }
    block[0] = a;
    block[1] = b;
    block[2] = c;
    block[3] = d;
}

// ---------------------------------------------------------------- helpers

namespace detail {

// x * y + z, rounded twice: a device's compiler would fuse them, and the host's would not.
GPURUN_DEVICE inline double plus_times(double z, double x, double y) {
#if defined(__CUDA_ARCH__) && !defined(CUDA_EMULATOR)
    return __dadd_rn(__dmul_rn(x, y), z);
#else
    return x * y + z;
#endif
}

GPURUN_DEVICE inline float plus_times(float z, float x, float y) {
#if defined(__CUDA_ARCH__) && !defined(CUDA_EMULATOR)
    return __fadd_rn(__fmul_rn(x, y), z);
#else
    return x * y + z;
#endif
}

// The value that a standard normal variable exceeds with probability `tail`, in (0, 1/2].
// Wichura (1988), "The percentage points of the normal distribution", Applied Statistics 37,
// algorithm AS 241: PPND16, with a relative error of about 1e-16. In the middle 85 % it is a
// quotient of polynomials, the same to the bit wherever arithmetic follows IEEE 754.
GPURUN_DEVICE inline double upper_quantile(double tail) {
    double r, above, below;
    const double q = 0.5 - tail;
    if (q <= 0.425) {
        r = plus_times(0.180625, -q, q);
        above = 2.5090809287301226727e3;
        above = plus_times(3.3430575583588128105e4, above, r);
        above = plus_times(6.7265770927008700853e4, above, r);
        above = plus_times(4.5921953931549871457e4, above, r);
        above = plus_times(1.3731693765509461125e4, above, r);
        above = plus_times(1.9715909503065514427e3, above, r);
        above = plus_times(1.3314166789178437745e2, above, r);
        above = plus_times(3.3871328727963666080e0, above, r);
        below = 5.2264952788528545610e3;
        below = plus_times(2.8729085735721942674e4, below, r);
        below = plus_times(3.9307895800092710610e4, below, r);
        below = plus_times(2.1213794301586595867e4, below, r);
        below = plus_times(5.3941960214247511077e3, below, r);
        below = plus_times(6.8718700749205790830e2, below, r);
        below = plus_times(4.2313330701600911252e1, below, r);
        below = plus_times(1.0, below, r);
        return q * above / below;
    }
    r = sqrt(-log(tail));
    if (r <= 5.0) {
        r -= 1.6;
        above = 7.74545014278341407640e-4;
        above = plus_times(2.27238449892691845833e-2, above, r);
        above = plus_times(2.41780725177450611770e-1, above, r);
        above = plus_times(1.27045825245236838258e0, above, r);
        above = plus_times(3.64784832476320460504e0, above, r);
        above = plus_times(5.76949722146069140550e0, above, r);
        above = plus_times(4.63033784615654529590e0, above, r);
        above = plus_times(1.42343711074968357734e0, above, r);
        below = 1.05075007164441684324e-9;
        below = plus_times(5.47593808499534494600e-4, below, r);
        below = plus_times(1.51986665636164571966e-2, below, r);
        below = plus_times(1.48103976427480074590e-1, below, r);
        below = plus_times(6.89767334985100004550e-1, below, r);
        below = plus_times(1.67638483018380384940e0, below, r);
        below = plus_times(2.05319162663775882187e0, below, r);
        below = plus_times(1.0, below, r);
        return above / below;
    }
    r -= 5.0;
    above = 2.01033439929228813265e-7;
    above = plus_times(2.71155556874348757815e-5, above, r);
    above = plus_times(1.24266094738807843860e-3, above, r);
    above = plus_times(2.65321895265761230930e-2, above, r);
    above = plus_times(2.96560571828504891230e-1, above, r);
    above = plus_times(1.78482653991729133580e0, above, r);
    above = plus_times(5.46378491116411436990e0, above, r);
    above = plus_times(6.65790464350110377720e0, above, r);
    below = 2.04426310338993978564e-15;
    below = plus_times(1.42151175831644588870e-7, below, r);
    below = plus_times(1.84631831751005468180e-5, below, r);
    below = plus_times(7.86869131145613259100e-4, below, r);
    below = plus_times(1.48753612908506148525e-2, below, r);
    below = plus_times(1.36929880922735805310e-1, below, r);
    below = plus_times(5.99832206555887937690e-1, below, r);
    below = plus_times(1.0, below, r);
    return above / below;
}

// Likewise in single precision: PPND7, with a relative error of about 1e-7.
GPURUN_DEVICE inline float upper_quantile(float tail) {
    float r, above, below;
    const float q = 0.5f - tail;
    if (q <= 0.425f) {
        r = plus_times(0.180625f, -q, q);
        above = 5.9109374720e1f;
        above = plus_times(1.5929113202e2f, above, r);
        above = plus_times(5.0434271938e1f, above, r);
        above = plus_times(3.3871327179e0f, above, r);
        below = 6.7187563600e1f;
        below = plus_times(7.8757757664e1f, below, r);
        below = plus_times(1.7895169469e1f, below, r);
        below = plus_times(1.0f, below, r);
        return q * above / below;
    }
    r = sqrtf(-logf(tail));
    if (r <= 5.0f) {
        r -= 1.6f;
        above = 1.7023821103e-1f;
        above = plus_times(1.3067284816e0f, above, r);
        above = plus_times(2.7568153900e0f, above, r);
        above = plus_times(1.4234372777e0f, above, r);
        below = 1.2021132975e-1f;
        below = plus_times(7.3700164250e-1f, below, r);
        below = plus_times(1.0f, below, r);
        return above / below;
    }
    r -= 5.0f;
    above = 1.7337203997e-2f;
    above = plus_times(4.2868294337e-1f, above, r);
    above = plus_times(3.0812263860e0f, above, r);
    above = plus_times(6.6579051150e0f, above, r);
    below = 1.2258202635e-2f;
    below = plus_times(2.4197894225e-1f, below, r);
    below = plus_times(1.0f, below, r);
    return above / below;
}

// log(k!) is (k + 1/2) log(k + 1) - (k + 1) + log(2 pi)/2 + this, for whole k.
GPURUN_DEVICE inline double stirling_rest(double k) {
    const double n = k + 1.0, square = n * n;
    if (k < 10.0) {
        // The series needs a term more for small numbers, and is exact enough from 10 on
        double product = 1.0;
        for (double i = 2.0; i <= k; i += 1.0) product *= i;
        return log(product) - (k + 0.5) * log(n) + n - 0.91893853320467274178;
    }
    const double third = 1.0 / 1260.0 - 1.0 / (1680.0 * square);
    return (1.0 / 12.0 - (1.0 / 360.0 - third / square) / square) / n;
}

}  // namespace detail

// ---------------------------------------------------------------- a stream

// The numbers that one element draws in one time step in one code object. They are the words of
// the blocks 0, 1, 2, ... in their order; what a function takes is said with it.
class Stream {
    uint32_t key_[2];
    // element | code object (16 bits), block (16) | step (low 32 bits)
    //         | block (the next 16 bits), step (the next 16 bits)
    uint32_t counter_[4];
    uint32_t words_[4];
    uint32_t used_;  // words of the present block that have been taken

public:
    // Does nothing: arrays in a block's shared memory cannot be initialised.
    Stream() = default;

    // Steps beyond 2^48 and code objects beyond 2^16 would meet the numbers of others.
    GPURUN_DEVICE Stream(uint64_t seed, uint32_t code_object, uint64_t step, uint32_t element) {
        key_[0] = (uint32_t)seed;
        key_[1] = (uint32_t)(seed >> 32);
        counter_[0] = element;
        counter_[1] = code_object << 16;
        counter_[2] = (uint32_t)step;
        counter_[3] = (uint32_t)(step >> 32) & 0xFFFFu;
        used_ = 4;
    }

    // One word.
    GPURUN_DEVICE uint32_t bits() {
        if (used_ == 4) {
            philox4x32_10(counter_, key_, words_);
            used_ = 0;
            // After 2^16 blocks the upper half of the last word counts on, for 2^32 blocks in all
            if ((counter_[1] & 0xFFFFu) == 0xFFFFu) {
                counter_[1] &= 0xFFFF0000u;
                counter_[3] += 0x10000u;
            } else {
                counter_[1]++;
            }
        }
        return words_[used_++];
    }

    // Uniform in [0, 1), a multiple of 2^-53. Two words, the lower half first.
    GPURUN_DEVICE double uniform() {
        const uint32_t low = bits();
        const uint32_t high = bits();
        return (double)(int64_t)(((uint64_t)high << 21) | (low >> 11)) * (1.0 / 9007199254740992.0);
    }

    // Uniform in [0, 1), a multiple of 2^-24. One word.
    GPURUN_DEVICE float uniform_float() { return (float)(bits() >> 8) * (1.0f / 16777216.0f); }

    // Standard normal, by inversion. Two words: 63 bits for the size, one for the sign.
    GPURUN_DEVICE double normal() {
        const uint32_t low = bits();
        const uint32_t high = bits();
        const int64_t size = (int64_t)(((uint64_t)(high & 0x7FFFFFFFu) << 32) | low);
        const double value =
            detail::upper_quantile(((double)size + 0.5) * (1.0 / 18446744073709551616.0));
        return high >> 31 ? -value : value;
    }

    // Likewise in single precision. One word: 31 bits for the size, one for the sign.
    GPURUN_DEVICE float normal_float() {
        const uint32_t word = bits();
        const float value = detail::upper_quantile(((float)(int32_t)(word & 0x7FFFFFFFu) + 0.5f) *
                                                   (1.0f / 4294967296.0f));
        return word >> 31 ? -value : value;
    }

    // Poisson. One uniform() below a mean of 10 (inversion), two for each attempt above: the
    // transformed rejection PTRS of Hoermann (1993), "The transformed rejection method for
    // generating Poisson random variables", Insurance: Mathematics and Economics 12.
    // 0 for a mean that is not positive; the largest int32_t where a number would be larger.
    GPURUN_DEVICE int32_t poisson(double mean) {
        if (!(mean > 0.0)) return 0;
        if (mean >= 2147483647.0) return 2147483647;
        if (mean < 10.0) {
            double left = uniform(), chance = exp(-mean);
            int32_t k = 0;
            // Where sums round, `left` may never be reached: chances below 2^-60 do not matter
            while (left >= chance && chance > 1.0 / 1152921504606846976.0) {
                left -= chance;
                k++;
                chance *= mean / k;
            }
            return k;
        }
        const double root = sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
        const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        const double inner = 0.9277 - 3.6224 / (b - 2.0);
        const double log_mean = log(mean);
        for (;;) {
            const double u = uniform() - 0.5;
            const double v = uniform();
            const double us = 0.5 - fabs(u);
            if (us <= 0.0) continue;
            const double k = floor((2.0 * a / us + b) * u + mean + 0.43);
            const bool inside = us >= 0.07 && v <= inner;
            if (!inside) {
                if (k < 0.0 || (us < 0.013 && v > us)) continue;
                const double log_factorial = (k + 0.5) * log(k + 1.0) - (k + 1.0) +
                                             0.91893853320467274178 + detail::stirling_rest(k);
                if (log(v * inverse_alpha / (a / (us * us) + b)) >
                    k * log_mean - mean - log_factorial)
                    continue;
            }
            return k < 2147483647.0 ? (int32_t)k : 2147483647;
        }
    }

    // Binomial. One uniform() where n times the smaller of p and 1 - p is below 10 (inversion),
    // two for each attempt above: the transformed rejection BTRS of Hoermann (1993), "The
    // generation of binomial random variates", J. Statistical Computation and Simulation 46.
    // p beyond [0, 1] counts as its end, nan as 0.
    GPURUN_DEVICE int64_t binomial(int64_t n, double p) {
        if (n <= 0 || !(p > 0.0)) return 0;
        if (p >= 1.0) return n;
        return p > 0.5 ? n - binomial_below_half(n, 1.0 - p) : binomial_below_half(n, p);
    }

private:
    GPURUN_DEVICE int64_t binomial_below_half(int64_t n, double p) {
        const double size = (double)n, q = 1.0 - p;
        if (size * p < 10.0) {
            double left = uniform(), chance = exp(size * log1p(-p));
            int64_t k = 0;
            while (left >= chance && k < n && chance > 1.0 / 1152921504606846976.0) {
                left -= chance;
                k++;
                chance *= (double)(n - k + 1) * p / ((double)k * q);
            }
            return k;
        }
        const double root = sqrt(size * p * q), b = 1.15 + 2.53 * root;
        const double a = -0.0873 + 0.0248 * b + 0.01 * p, c = size * p + 0.5;
        const double inner = 0.92 - 4.2 / b, ratio = p / q;
        const double alpha = (2.83 + 5.1 / b) * root, mode = floor((size + 1.0) * p);
        const double at_mode = (mode + 0.5) * log((mode + 1.0) / (ratio * (size - mode + 1.0))) +
                               detail::stirling_rest(mode) + detail::stirling_rest(size - mode);
        for (;;) {
            const double u = uniform() - 0.5;
            const double v = uniform();
            const double us = 0.5 - fabs(u);
            if (us <= 0.0) continue;
            const double k = floor((2.0 * a / us + b) * u + c);
            if (us >= 0.07 && v <= inner) return (int64_t)k;
            if (k < 0.0 || k > size) continue;
            const double rest = size - k;
            const double bound = at_mode +
                                 (size + 1.0) * log((size - mode + 1.0) / (rest + 1.0)) +
                                 (k + 0.5) * log(ratio * (rest + 1.0) / (k + 1.0)) -
                                 detail::stirling_rest(k) - detail::stirling_rest(rest);
            if (log(v * alpha / (a / (us * us) + b)) <= bound) return (int64_t)k;
        }
    }
};

}  // namespace gpurun

#endif
