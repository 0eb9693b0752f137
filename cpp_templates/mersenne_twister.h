// MT19937 (Matsumoto & Nishimura 1998, ACM TOMACS 8(1), 3-30): the numbers and the text of the
// state are those of std::mt19937 in libstdc++, which brian2 draws from. All words of a turn are
// made at once, in loops that compilers vectorise; drawing one is reading it.
#ifndef GPURUN_MERSENNE_TWISTER_H
#define GPURUN_MERSENNE_TWISTER_H

#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>

namespace gpurun {

class MersenneTwister {
    static constexpr std::size_t n = 624, m = 397;
    uint32_t state[n];
    uint32_t words[n];  // the state, tempered
    std::size_t next = n;

    static uint32_t twisted(uint32_t high, uint32_t low) {
        const uint32_t both = (high & 0x80000000u) | (low & 0x7fffffffu);
        return (both >> 1) ^ ((0u - (both & 1u)) & 0x9908b0dfu);
    }

    void temper() {
        for (std::size_t i = 0; i < n; i++) {
            uint32_t y = state[i];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9d2c5680u;
            y ^= (y << 15) & 0xefc60000u;
            words[i] = y ^ (y >> 18);
        }
    }

    void turn() {
        for (std::size_t i = 0; i < n - m; i++)
            state[i] = state[i + m] ^ twisted(state[i], state[i + 1]);
        for (std::size_t i = n - m; i < n - 1; i++)
            state[i] = state[i + m - n] ^ twisted(state[i], state[i + 1]);
        state[n - 1] = state[m - 1] ^ twisted(state[n - 1], state[0]);
        temper();
        next = 0;
    }

public:
    typedef uint_fast32_t result_type;

    MersenneTwister() { seed(5489u); }

    void seed(unsigned long value) {
        state[0] = uint32_t(value);
        for (uint32_t i = 1; i < n; i++)
            state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
        next = n;
    }

    static constexpr result_type min() { return 0u; }
    static constexpr result_type max() { return 0xffffffffu; }

    result_type operator()() {
        if (next == n) turn();
        return words[next++];
    }

    friend std::ostream& operator<<(std::ostream& out, const MersenneTwister& generator) {
        for (uint32_t word : generator.state) out << word << ' ';
        return out << generator.next;
    }

    friend std::istream& operator>>(std::istream& in, MersenneTwister& generator) {
        MersenneTwister found;
        for (uint32_t& word : found.state) in >> word;
        in >> found.next;
        if (found.next > n) in.setstate(std::ios_base::failbit);
        if (!in) return in;
        found.temper();
        generator = found;
        return in;
    }
};

}  // namespace gpurun

#endif
