// The seed of the counter-based random numbers (philox.h), and the steps since then.
#ifndef GPURUN_NOISE_H
#define GPURUN_NOISE_H

#include <cstdint>
#include <istream>
#include <ostream>
#include <random>
#include <string>

namespace gpurun {

struct Noise {
    uint64_t seed = 0;
    uint64_t step = 0;  // steps of the network loop, whichever clocks they are of
};

// The time loop counts the steps; nothing but a seed starts them anew.
inline Noise& noise() {
    static Noise instance;
    return instance;
}

inline void restart_noise(uint64_t seed) { noise() = {seed, 0}; }

// For a script that asks for a seed() without a number.
inline void restart_noise() {
    std::random_device entropy;
    restart_noise((uint64_t)entropy() << 32 | entropy());
}

inline void write_noise(std::ostream& out) {
    out << "philox " << noise().seed << ' ' << noise().step << '\n';
}

// Returns whether the text was such a state.
inline bool read_noise(std::istream& in) {
    std::string word;
    Noise found;
    if (!(in >> word >> found.seed >> found.step) || word != "philox") return false;
    noise() = found;
    return true;
}

}  // namespace gpurun

#endif
