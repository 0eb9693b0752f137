// `extern __shared__ T name[];` outside of functions: nvcc makes such a variable of it. Unlike a
// pointer it cannot be set once, as the memory is another one in each block.
#ifndef CUDA_EMULATOR_DYNAMIC_SHARED_H
#define CUDA_EMULATOR_DYNAMIC_SHARED_H

#include "cuda_emulator/thread.h"

namespace cuda_emulator {

template <class T>
struct DynamicShared {
    operator T*() const { return static_cast<T*>(dynamic_shared()); }

    // As an array does in a cast
    template <class U>
    explicit operator U*() const {
        return reinterpret_cast<U*>(static_cast<T*>(*this));
    }
};

}  // namespace cuda_emulator

#endif
