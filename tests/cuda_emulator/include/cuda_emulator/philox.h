// Philox4x32-10 (Salmon et al. 2011) and distributions on it: what stands in for cuRAND where
// NVIDIA's is not there. Only here; with NVIDIA's headers and library nothing of this is used.
#ifndef CUDA_EMULATOR_PHILOX_H
#define CUDA_EMULATOR_PHILOX_H

#include <math.h>
#include <stdint.h>

namespace cuda_emulator {

// Plain data, so that programs can copy it to and from a card.
struct Philox {
    uint32_t counter[4];  // 128 bits, the upper 64 of which are the sequence's number
    uint32_t key[2];
    uint32_t block[4];  // what the cipher made of the counter
    uint32_t used;      // of the block
    uint32_t kept;      // 1: `spare` is a normal number, 2: `spare_double` is
    float spare;
    double spare_double;

    void start(uint64_t seed, uint64_t sequence, uint64_t offset) {
        key[0] = uint32_t(seed);
        key[1] = uint32_t(seed >> 32);
        counter[2] = uint32_t(sequence);
        counter[3] = uint32_t(sequence >> 32);
        move_to(offset);
    }

    uint64_t position() const { return ((uint64_t(counter[1]) << 32 | counter[0]) << 2) + used; }

    void move_to(uint64_t offset) {
        counter[0] = uint32_t(offset >> 2);
        counter[1] = uint32_t(offset >> 34);
        used = uint32_t(offset & 3);
        kept = 0;
        fill();
    }

    uint32_t next() {
        const uint32_t value = block[used];
        if (++used == 4) {
            used = 0;
            if (++counter[0] == 0) ++counter[1];
            fill();
        }
        return value;
    }

    // In (0, 1], as cuRAND's
    float uniform() { return float(next()) * 0x1p-32f + 0x1p-33f; }
    double uniform_double() {
        const uint64_t low = next();
        const uint64_t bits = low ^ uint64_t(next()) << 21;
        return double(bits) * 0x1p-53 + 0x1p-54;
    }

    void normal_pair(double* first, double* second) {
        const double radius = sqrt(-2.0 * log(uniform_double()));
        const double angle = 6.283185307179586476925 * uniform_double();
        *first = radius * sin(angle);
        *second = radius * cos(angle);
    }
    float normal() {
        if (kept == 1) {
            kept = 0;
            return spare;
        }
        double first, second;
        normal_pair(&first, &second);
        spare = float(second);
        kept = 1;
        return float(first);
    }
    double normal_double() {
        if (kept == 2) {
            kept = 0;
            return spare_double;
        }
        double first;
        normal_pair(&first, &spare_double);
        kept = 2;
        return first;
    }

    uint32_t poisson(double mean) {
        if (!(mean > 0)) return 0;
        return mean < 10 ? poisson_by_product(mean) : poisson_by_rejection(mean);
    }

private:
    void fill() {
        uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
        uint32_t k[2] = {key[0], key[1]};
        for (int round = 0; round < 10; ++round) {
            const uint64_t a = uint64_t(0xD2511F53u) * c[0];
            const uint64_t b = uint64_t(0xCD9E8D57u) * c[2];
            const uint32_t mixed[4] = {uint32_t(b >> 32) ^ c[1] ^ k[0], uint32_t(b),
                                       uint32_t(a >> 32) ^ c[3] ^ k[1], uint32_t(a)};
            for (int i = 0; i < 4; ++i) c[i] = mixed[i];
            k[0] += 0x9E3779B9u;
            k[1] += 0xBB67AE85u;
        }
        for (int i = 0; i < 4; ++i) block[i] = c[i];
    }

    uint32_t poisson_by_product(double mean) {
        const double limit = exp(-mean);
        uint32_t count = 0;
        for (double product = uniform_double(); product > limit; product *= uniform_double())
            ++count;
        return count;
    }

    // Transformed rejection with squeeze (PTRS) of Hoermann (1993)
    uint32_t poisson_by_rejection(double mean) {
        const double b = 0.931 + 2.53 * sqrt(mean);
        const double a = -0.059 + 0.02483 * b;
        const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        const double v_r = 0.9277 - 3.6224 / (b - 2.0);
        for (;;) {
            const double u = uniform_double() - 0.5;
            const double v = uniform_double();
            const double us = 0.5 - fabs(u);
            if (us <= 0.0) continue;
            const double k = floor((2.0 * a / us + b) * u + mean + 0.43);
            if (us >= 0.07 && v <= v_r) return uint32_t(k);
            if (k < 0.0 || (us < 0.013 && v > us)) continue;
            int sign;
            const double bound = k * log(mean) - mean - lgamma_r(k + 1.0, &sign);
            if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <= bound) return uint32_t(k);
        }
    }
};

}  // namespace cuda_emulator

#endif
