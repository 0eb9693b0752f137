#ifndef CUDA_EMULATOR_CUB_DEVICE_FOR_CUH
#define CUDA_EMULATOR_CUB_DEVICE_FOR_CUH

#include "cub/detail/device.h"

namespace cub {

struct DeviceFor {
    template <class N, class Op>
    static cudaError_t Bulk(N shape, Op op, cudaStream_t stream = {}) {
        return launch(shape, [=](ptrdiff_t i) mutable { op(static_cast<N>(i)); }, nullptr,
                      stream);
    }
    template <class I, class N, class Op>
    static cudaError_t ForEachN(I first, N num_items, Op op, cudaStream_t stream = {}) {
        auto in = detail::raw(first);
        return launch(num_items, [=](ptrdiff_t i) mutable { op(in[i]); },
                      detail::host_only_memory(in), stream);
    }
    template <class I, class Op>
    static cudaError_t ForEach(I first, I last, Op op, cudaStream_t stream = {}) {
        return ForEachN(first, last - first, op, stream);
    }
    template <class I, class N, class Op>
    static cudaError_t ForEachCopyN(I first, N num_items, Op op, cudaStream_t stream = {}) {
        auto in = detail::raw(first);
        using T = detail::value_of<I>;
        return launch(num_items, [=](ptrdiff_t i) mutable { op(static_cast<T>(in[i])); },
                      detail::host_only_memory(in), stream);
    }
    template <class I, class Op>
    static cudaError_t ForEachCopy(I first, I last, Op op, cudaStream_t stream = {}) {
        return ForEachCopyN(first, last - first, op, stream);
    }

private:
    template <class Work>
    static cudaError_t launch(ptrdiff_t n, Work work, const void* host_memory,
                              cudaStream_t stream) {
        if (n <= 0) return cudaSuccess;
        const unsigned int threads = 256;
        cuda_emulator::launch(thrust::detail::run_each<Work>,
                              dim3(static_cast<unsigned int>((n + threads - 1) / threads)),
                              dim3(threads), 0, stream)(work, n, "cub::DeviceFor", host_memory);
        return cudaPeekAtLastError();
    }
};

}  // namespace cub

#endif
