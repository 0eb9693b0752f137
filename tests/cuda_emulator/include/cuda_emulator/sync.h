// Barriers, and what the threads of a warp tell each other.
//
// Threads of the emulator run one after another and not in lockstep. A thread that reaches a
// barrier waits until all that take part have reached it.
#ifndef CUDA_EMULATOR_SYNC_H
#define CUDA_EMULATOR_SYNC_H

#include <stdint.h>
#include <string.h>

#include <type_traits>

#include "cuda_emulator/thread.h"

namespace cuda_emulator {

void sync_block(const char* file, int line);
void sync_grid(const char* file, int line);

// What the lanes of `mask` offered, once all of them have.
struct Exchange {
    uint64_t values[32];
    uint32_t present;  // lanes that took part
};
const Exchange& exchange(uint32_t mask, uint64_t value, const char* operation);

// Likewise for all threads of the block.
struct Votes {
    int count;  // threads whose value was true
    int total;
};
Votes vote_block(bool value, const char* file, int line);

unsigned int lane();

template <class T>
uint64_t to_bits(T value) {
    static_assert(sizeof(T) <= 8, "a shuffle moves values of 8 bytes at most");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <class T>
T from_bits(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof(T));
    return value;
}

// The value of lane `source`; a lane that did not take part leaves it undefined, so it is what
// fresh memory holds.
template <class T>
T taken(const Exchange& all, unsigned int source) {
    return from_bits<T>(all.present >> source & 1 ? all.values[source] : ~uint64_t(0));
}

}  // namespace cuda_emulator

#define __syncthreads() ::cuda_emulator::sync_block(__FILE__, __LINE__)
#define __syncthreads_count(p) ::cuda_emulator::vote_block(p, __FILE__, __LINE__).count
#define __syncthreads_or(p) (::cuda_emulator::vote_block(p, __FILE__, __LINE__).count != 0)
#define __syncthreads_and(p) \
    ([](::cuda_emulator::Votes v) { return int(v.count == v.total); }( \
        ::cuda_emulator::vote_block(p, __FILE__, __LINE__)))

inline void __syncwarp(unsigned int mask = 0xffffffffu) {
    cuda_emulator::exchange(mask, 0, "__syncwarp");
}

template <class T>
T __shfl_sync(unsigned int mask, T value, int source, int width = 32) {
    const unsigned int lane = cuda_emulator::lane();
    const unsigned int first = lane & ~unsigned(width - 1);
    return cuda_emulator::taken<T>(
        cuda_emulator::exchange(mask, cuda_emulator::to_bits(value), "__shfl_sync"),
        first + (unsigned(source) & unsigned(width - 1)));
}

template <class T>
T __shfl_up_sync(unsigned int mask, T value, unsigned int delta, int width = 32) {
    const unsigned int lane = cuda_emulator::lane();
    const unsigned int first = lane & ~unsigned(width - 1);
    return cuda_emulator::taken<T>(
        cuda_emulator::exchange(mask, cuda_emulator::to_bits(value), "__shfl_up_sync"),
        lane >= first + delta ? lane - delta : lane);
}

template <class T>
T __shfl_down_sync(unsigned int mask, T value, unsigned int delta, int width = 32) {
    const unsigned int lane = cuda_emulator::lane();
    const unsigned int end = (lane & ~unsigned(width - 1)) + unsigned(width);
    return cuda_emulator::taken<T>(
        cuda_emulator::exchange(mask, cuda_emulator::to_bits(value), "__shfl_down_sync"),
        lane + delta < end ? lane + delta : lane);
}

template <class T>
T __shfl_xor_sync(unsigned int mask, T value, int lane_mask, int width = 32) {
    const unsigned int lane = cuda_emulator::lane();
    const unsigned int end = (lane & ~unsigned(width - 1)) + unsigned(width);
    const unsigned int source = lane ^ unsigned(lane_mask);
    return cuda_emulator::taken<T>(
        cuda_emulator::exchange(mask, cuda_emulator::to_bits(value), "__shfl_xor_sync"),
        source < end ? source : lane);
}

inline unsigned int __ballot_sync(unsigned int mask, int predicate) {
    const cuda_emulator::Exchange& all =
        cuda_emulator::exchange(mask, predicate != 0, "__ballot_sync");
    unsigned int votes = 0;
    for (unsigned int lane = 0; lane < 32; lane++)
        if (all.present >> lane & 1 && all.values[lane]) votes |= 1u << lane;
    return votes;
}

inline int __any_sync(unsigned int mask, int predicate) {
    return __ballot_sync(mask, predicate) != 0;
}

inline int __all_sync(unsigned int mask, int predicate) {
    const cuda_emulator::Exchange& all =
        cuda_emulator::exchange(mask, predicate != 0, "__all_sync");
    for (unsigned int lane = 0; lane < 32; lane++)
        if (all.present >> lane & 1 && !all.values[lane]) return 0;
    return 1;
}

template <class T>
unsigned int __match_any_sync(unsigned int mask, T value) {
    const uint64_t bits = cuda_emulator::to_bits(value);
    const cuda_emulator::Exchange& all = cuda_emulator::exchange(mask, bits, "__match_any_sync");
    unsigned int same = 0;
    for (unsigned int lane = 0; lane < 32; lane++)
        if (all.present >> lane & 1 && all.values[lane] == bits) same |= 1u << lane;
    return same;
}

template <class T>
unsigned int __match_all_sync(unsigned int mask, T value, int* all_equal) {
    const uint64_t bits = cuda_emulator::to_bits(value);
    const cuda_emulator::Exchange& all = cuda_emulator::exchange(mask, bits, "__match_all_sync");
    for (unsigned int lane = 0; lane < 32; lane++)
        if (all.present >> lane & 1 && all.values[lane] != bits) {
            *all_equal = 0;
            return 0;
        }
    *all_equal = 1;
    return mask;
}

namespace cuda_emulator {

template <class T, class Combine>
T reduce_warp(unsigned int mask, T value, const char* operation, Combine combine) {
    const Exchange& all = exchange(mask, to_bits(value), operation);
    bool first = true;
    T result = value;
    for (unsigned int lane = 0; lane < 32; lane++)
        if (all.present >> lane & 1) {
            const T other = from_bits<T>(all.values[lane]);
            result = first ? other : combine(result, other);
            first = false;
        }
    return result;
}

}  // namespace cuda_emulator

#define CUDA_EMULATOR_REDUCE(name, type, expression)                                         \
    inline type name(unsigned int mask, type value) {                                        \
        return cuda_emulator::reduce_warp(mask, value, #name,                                \
                                          [](type a, type b) { return static_cast<type>(expression); });  \
    }
CUDA_EMULATOR_REDUCE(__reduce_add_sync, unsigned int, a + b)
CUDA_EMULATOR_REDUCE(__reduce_add_sync, int, a + b)
CUDA_EMULATOR_REDUCE(__reduce_min_sync, unsigned int, a < b ? a : b)
CUDA_EMULATOR_REDUCE(__reduce_min_sync, int, a < b ? a : b)
CUDA_EMULATOR_REDUCE(__reduce_max_sync, unsigned int, a > b ? a : b)
CUDA_EMULATOR_REDUCE(__reduce_max_sync, int, a > b ? a : b)
CUDA_EMULATOR_REDUCE(__reduce_and_sync, unsigned int, a & b)
CUDA_EMULATOR_REDUCE(__reduce_or_sync, unsigned int, a | b)
CUDA_EMULATOR_REDUCE(__reduce_xor_sync, unsigned int, a ^ b)
#undef CUDA_EMULATOR_REDUCE

// Nothing runs in lockstep: as far as a thread can tell, it is alone.
inline unsigned int __activemask() { return 1u << cuda_emulator::lane(); }

#endif
