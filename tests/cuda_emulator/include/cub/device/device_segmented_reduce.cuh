#ifndef CUDA_EMULATOR_CUB_DEVICE_SEGMENTED_REDUCE_CUH
#define CUDA_EMULATOR_CUB_DEVICE_SEGMENTED_REDUCE_CUH

#include <limits>

#include "cub/detail/device.h"

namespace cub {

// Segment i goes from begin[i] to end[i].
struct DeviceSegmentedReduce {
    template <class I, class O, class Begin, class End, class Op, class T>
    static cudaError_t Reduce(void* memory, size_t& bytes, I d_in, O d_out, int64_t num_segments,
                              Begin d_begin_offsets, End d_end_offsets, Op op, T init,
                              cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        auto begin = detail::raw(d_begin_offsets);
        auto end = detail::raw(d_end_offsets);
        return detail::run(
            "cub::DeviceSegmentedReduce", memory, bytes, stream, 1, num_segments,
            [=](void*) {
                for (int64_t i = 0; i < num_segments; ++i) {
                    const ptrdiff_t first = begin[i], last = end[i];
                    out[i] = detail::loops::reduce(in + first, last - first, init, op);
                }
            },
            in, out, begin, end);
    }

    template <class I, class O, class Begin, class End>
    static cudaError_t Sum(void* memory, size_t& bytes, I in, O out, int64_t num_segments,
                           Begin begin, End end, cudaStream_t stream = 0) {
        return Reduce(memory, bytes, in, out, num_segments, begin, end, thrust::detail::Plus(),
                      detail::value_of<I>(), stream);
    }
    template <class I, class O, class Begin, class End>
    static cudaError_t Min(void* memory, size_t& bytes, I in, O out, int64_t num_segments,
                           Begin begin, End end, cudaStream_t stream = 0) {
        using T = detail::value_of<I>;
        return Reduce(
            memory, bytes, in, out, num_segments, begin, end,
            [](const T& a, const T& b) { return b < a ? b : a; }, std::numeric_limits<T>::max(),
            stream);
    }
    template <class I, class O, class Begin, class End>
    static cudaError_t Max(void* memory, size_t& bytes, I in, O out, int64_t num_segments,
                           Begin begin, End end, cudaStream_t stream = 0) {
        using T = detail::value_of<I>;
        return Reduce(
            memory, bytes, in, out, num_segments, begin, end,
            [](const T& a, const T& b) { return a < b ? b : a; },
            std::numeric_limits<T>::lowest(), stream);
    }
};

}  // namespace cub

#endif
