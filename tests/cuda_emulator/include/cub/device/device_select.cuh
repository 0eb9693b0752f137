#ifndef CUDA_EMULATOR_CUB_DEVICE_SELECT_CUH
#define CUDA_EMULATOR_CUB_DEVICE_SELECT_CUH

#include "cub/detail/device.h"

namespace cub {

struct DeviceSelect {
    template <class I, class F, class O, class Count>
    static cudaError_t Flagged(void* memory, size_t& bytes, I d_in, F d_flags, O d_out,
                               Count d_num_selected_out, int64_t num_items,
                               cudaStream_t stream = 0) {
        return FlaggedIf(memory, bytes, d_in, d_flags, d_out, d_num_selected_out, num_items,
                         thrust::detail::Identity(), stream);
    }
    template <class I, class F, class Count>
    static cudaError_t Flagged(void* memory, size_t& bytes, I d_data, F d_flags,
                               Count d_num_selected_out, int64_t num_items,
                               cudaStream_t stream = 0) {
        return Flagged(memory, bytes, d_data, d_flags, d_data, d_num_selected_out, num_items,
                       stream);
    }

    template <class I, class F, class O, class Count, class Op>
    static cudaError_t FlaggedIf(void* memory, size_t& bytes, I d_in, F d_flags, O d_out,
                                 Count d_num_selected_out, int64_t num_items, Op op,
                                 cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto flags = detail::raw(d_flags);
        auto out = detail::raw(d_out);
        auto count = detail::raw(d_num_selected_out);
        return detail::run(
            "cub::DeviceSelect", memory, bytes, stream, 1, num_items,
            [=](void*) mutable {
                count[0] = detail::loops::select(
                    in, num_items, out, [&](ptrdiff_t i) { return bool(op(flags[i])); });
            },
            in, flags, out, count);
    }

    template <class I, class O, class Count, class Op>
    static cudaError_t If(void* memory, size_t& bytes, I d_in, O d_out, Count d_num_selected_out,
                          int64_t num_items, Op op, cudaStream_t stream = 0) {
        return FlaggedIf(memory, bytes, d_in, d_in, d_out, d_num_selected_out, num_items, op,
                         stream);
    }
    template <class I, class Count, class Op>
    static cudaError_t If(void* memory, size_t& bytes, I d_data, Count d_num_selected_out,
                          int64_t num_items, Op op, cudaStream_t stream = 0) {
        return If(memory, bytes, d_data, d_data, d_num_selected_out, num_items, op, stream);
    }

    template <class I, class O, class Count>
    static cudaError_t Unique(void* memory, size_t& bytes, I d_in, O d_out,
                              Count d_num_selected_out, int64_t num_items,
                              cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        auto count = detail::raw(d_num_selected_out);
        return detail::run(
            "cub::DeviceSelect::Unique", memory, bytes, stream, 1, num_items,
            [=](void*) {
                count[0] =
                    detail::loops::unique(in, num_items, out, thrust::detail::Equal());
            },
            in, out, count);
    }

    template <class K, class V, class KO, class VO, class Count, class N>
    static cudaError_t UniqueByKey(void* memory, size_t& bytes, K d_keys_in, V d_values_in,
                                   KO d_keys_out, VO d_values_out, Count d_num_selected_out,
                                   N num_items, cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys_in);
        auto values = detail::raw(d_values_in);
        auto keys_out = detail::raw(d_keys_out);
        auto values_out = detail::raw(d_values_out);
        auto count = detail::raw(d_num_selected_out);
        return detail::run(
            "cub::DeviceSelect::UniqueByKey", memory, bytes, stream, 1, num_items,
            [=](void*) {
                count[0] = detail::loops::unique_by_key(keys, num_items, values, keys_out,
                                                        values_out, thrust::detail::Equal());
            },
            keys, values, keys_out, values_out, count);
    }
};

}  // namespace cub

#endif
