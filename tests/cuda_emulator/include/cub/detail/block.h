// What the block-wide and warp-wide collectives share.
#ifndef CUDA_EMULATOR_CUB_BLOCK_H
#define CUDA_EMULATOR_CUB_BLOCK_H

#include <stdio.h>
#include <string.h>

#include "cub/util_type.cuh"
#include "thrust/detail/loops.h"

namespace cub {
namespace detail {

inline int linear_thread() {
    return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}

// A collective made for another block size is wrong on a card, often without a sign.
inline void check_block(const char* name, int threads) {
    const unsigned int present = blockDim.x * blockDim.y * blockDim.z;
    if (present == static_cast<unsigned int>(threads)) return;
    char text[96];
    snprintf(text, sizeof text, "%s for %d threads in a block of %u", name, threads, present);
    cuda_emulator::device_fault(cudaErrorLaunchFailure, text);
}

// Room for n values in shared memory, which has no constructors.
template <class T, int n>
struct Slots {
    alignas(T) unsigned char bytes[n * sizeof(T)];
    T& operator[](int i) { return reinterpret_cast<T*>(bytes)[i]; }
};

// Shared memory of the block for a collective that was given none.
template <class Storage>
Storage& private_storage() {
    static char tag;
    return *static_cast<Storage*>(cuda_emulator::static_shared(
        &tag, sizeof(Storage), alignof(Storage), "cub's private storage"));
}

// A value that is undefined on a card is made conspicuous.
template <class T>
void make_undefined(T& value) {
    if constexpr (std::is_trivially_copyable<T>::value)
        memset(static_cast<void*>(&value), 0xff, sizeof value);
}

// Shuffles of anything that is trivially copyable, in words as on a card.
template <class T>
T shuffle(unsigned int mask, const T& value, unsigned int source) {
    static_assert(std::is_trivially_copyable<T>::value, "a warp exchanges plain values");
    constexpr int words = (sizeof(T) + 3) / 4;
    uint32_t buffer[words] = {};
    memcpy(buffer, &value, sizeof(T));
    for (int i = 0; i < words; ++i)
        buffer[i] = __shfl_sync(mask, buffer[i], static_cast<int>(source), 32);
    alignas(T) unsigned char bytes[sizeof(T)];
    memcpy(bytes, buffer, sizeof(T));
    return *std::launder(reinterpret_cast<T*>(bytes));
}

// A warp of `size` threads within one of 32.
template <int size>
struct LogicalWarp {
    static_assert(size >= 1 && size <= 32, "a warp has at most 32 threads");
    static constexpr unsigned int all = size == 32 ? ~0u : (1u << (size % 32)) - 1u;
    int lane, first;  // within the logical warp; its first lane of the 32
    unsigned int mask;

    LogicalWarp() {
        const int physical = linear_thread() % 32;
        lane = physical % size;
        first = physical - lane;
        mask = all << first;
    }
};

}  // namespace detail
}  // namespace cub

#endif
