#ifndef CUDA_EMULATOR_CUB_DEVICE_PARTITION_CUH
#define CUDA_EMULATOR_CUB_DEVICE_PARTITION_CUH

#include "cub/detail/device.h"

namespace cub {

// Selected elements in order from the front, the others in reverse order from the back.
struct DevicePartition {
    template <class I, class F, class O, class Count, class N>
    static cudaError_t Flagged(void* memory, size_t& bytes, I d_in, F d_flags, O d_out,
                               Count d_num_selected_out, N num_items, cudaStream_t stream = 0) {
        return flagged_if(memory, bytes, d_in, d_flags, d_out, d_num_selected_out, num_items,
                          thrust::detail::Identity(), stream);
    }
    template <class I, class O, class Count, class N, class Op>
    static cudaError_t If(void* memory, size_t& bytes, I d_in, O d_out, Count d_num_selected_out,
                          N num_items, Op op, cudaStream_t stream = 0) {
        return flagged_if(memory, bytes, d_in, d_in, d_out, d_num_selected_out, num_items, op,
                          stream);
    }

    // Three ways: two counts are written
    template <class I, class A, class B, class C, class Count, class N, class OpA, class OpB>
    static cudaError_t If(void* memory, size_t& bytes, I d_in, A d_first_part_out,
                          B d_second_part_out, C d_unselected_out, Count d_num_selected_out,
                          N num_items, OpA first_op, OpB second_op, cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto a = detail::raw(d_first_part_out);
        auto b = detail::raw(d_second_part_out);
        auto c = detail::raw(d_unselected_out);
        auto count = detail::raw(d_num_selected_out);
        return detail::run(
            "cub::DevicePartition", memory, bytes, stream, 1, num_items,
            [=](void*) mutable {
                ptrdiff_t na = 0, nb = 0, nc = 0;
                for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(num_items); ++i) {
                    if (first_op(in[i]))
                        a[na++] = in[i];
                    else if (second_op(in[i]))
                        b[nb++] = in[i];
                    else
                        c[nc++] = in[i];
                }
                count[0] = na;
                count[1] = nb;
            },
            in, a, b, c, count);
    }

private:
    template <class I, class F, class O, class Count, class N, class Op>
    static cudaError_t flagged_if(void* memory, size_t& bytes, I d_in, F d_flags, O d_out,
                                  Count d_num_selected_out, N num_items, Op op,
                                  cudaStream_t stream) {
        auto in = detail::raw(d_in);
        auto flags = detail::raw(d_flags);
        auto out = detail::raw(d_out);
        auto count = detail::raw(d_num_selected_out);
        return detail::run(
            "cub::DevicePartition", memory, bytes, stream, 1, num_items,
            [=](void*) mutable {
                ptrdiff_t selected = 0, last = static_cast<ptrdiff_t>(num_items);
                for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(num_items); ++i) {
                    if (op(flags[i]))
                        out[selected++] = in[i];
                    else
                        out[--last] = in[i];
                }
                count[0] = selected;
            },
            in, flags, out, count);
    }
};

}  // namespace cub

#endif
