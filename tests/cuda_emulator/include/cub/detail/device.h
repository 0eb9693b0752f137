// How the device-wide algorithms run: the protocol of temporary memory, and the launch.
#ifndef CUDA_EMULATOR_CUB_DEVICE_H
#define CUDA_EMULATOR_CUB_DEVICE_H

#include <string.h>

#include "cub/util_type.cuh"
#include "thrust/detail/execute.h"
#include "thrust/detail/loops.h"

namespace cub {
namespace detail {

namespace loops = thrust::detail::loops;
using thrust::detail::host_only_memory;
using thrust::detail::raw;
using thrust::detail::value_of;

// Tells "data, count" (in place) from "input, output, count".
template <class N>
using if_number = std::enable_if_t<std::is_integral<N>::value, int>;


// Temporary memory: without any, the call says how much it needs. What is given is used, all of
// it, so that too little of it or memory that is in use elsewhere does not go unnoticed.
// work(scratch) gets `needed` bytes, aligned. Nothing is waited for.
template <class Work, class... I>
cudaError_t run(const char* name, void* memory, size_t& bytes, cudaStream_t stream, size_t needed,
                ptrdiff_t n, Work work, const I&... its) {
    const size_t wanted = needed + 511;
    if (memory == nullptr) {
        bytes = wanted;
        return cudaSuccess;
    }
    if (bytes < wanted) return cudaErrorInvalidValue;
    if (cuda_emulator::in_kernel()) return cudaErrorNotSupported;
    const void* host_memory = host_only_memory(static_cast<char*>(memory));
    if (n > 0)
        ((host_memory = host_memory != nullptr ? host_memory : host_only_memory(its)), ...);
    auto whole = [=](void* scratch) mutable {
        memset(scratch, 0xa5, wanted);
        const uintptr_t address = reinterpret_cast<uintptr_t>(scratch);
        work(reinterpret_cast<void*>((address + 255) / 256 * 256));
    };
    cuda_emulator::launch(thrust::detail::run_alone<decltype(whole)>, dim3(1), dim3(1), 0,
                          stream)(whole, memory, name, host_memory);
    return cudaPeekAtLastError();
}

}  // namespace detail
}  // namespace cub

#endif
