#ifndef CUDA_EMULATOR_CUB_UTIL_TYPE_CUH
#define CUDA_EMULATOR_CUB_UTIL_TYPE_CUH

#include "cub/version.cuh"
#include "thrust/detail/config.h"

namespace cub {

struct NullType {};

template <class Key, class Value>
struct KeyValuePair {
    Key key;
    Value value;
    bool operator==(const KeyValuePair& other) const {
        return key == other.key && value == other.value;
    }
    bool operator!=(const KeyValuePair& other) const { return !(*this == other); }
};

// Two buffers of which an algorithm may use both; `selector` says which holds the result.
template <class T>
struct DoubleBuffer {
    T* d_buffers[2] = {nullptr, nullptr};
    int selector = 0;

    DoubleBuffer() = default;
    DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate} {}
    T* Current() { return d_buffers[selector]; }
    T* Alternate() { return d_buffers[selector ^ 1]; }
};

}  // namespace cub

#endif
