#ifndef CUDA_EMULATOR_CUB_DEVICE_SCAN_CUH
#define CUDA_EMULATOR_CUB_DEVICE_SCAN_CUH

#include "cub/detail/device.h"

namespace cub {

struct DeviceScan {
    template <class I, class O, class Op, class T, class N>
    static cudaError_t ExclusiveScan(void* memory, size_t& bytes, I d_in, O d_out, Op op, T init,
                                     N num_items, cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceScan", memory, bytes, stream, 1, num_items,
            [=](void*) { detail::loops::exclusive_scan(in, num_items, out, init, op); }, in, out);
    }
    template <class I, class Op, class T, class N, detail::if_number<N> = 0>
    static cudaError_t ExclusiveScan(void* memory, size_t& bytes, I d_data, Op op, T init,
                                     N num_items, cudaStream_t stream = 0) {
        return ExclusiveScan(memory, bytes, d_data, d_data, op, init, num_items, stream);
    }
    template <class I, class O, class Op, class N>
    static cudaError_t InclusiveScan(void* memory, size_t& bytes, I d_in, O d_out, Op op,
                                     N num_items, cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceScan", memory, bytes, stream, 1, num_items,
            [=](void*) { detail::loops::inclusive_scan(in, num_items, out, op); }, in, out);
    }
    template <class I, class Op, class N, detail::if_number<N> = 0>
    static cudaError_t InclusiveScan(void* memory, size_t& bytes, I d_data, Op op, N num_items,
                                     cudaStream_t stream = 0) {
        return InclusiveScan(memory, bytes, d_data, d_data, op, num_items, stream);
    }
    template <class I, class O, class Op, class T, class N>
    static cudaError_t InclusiveScanInit(void* memory, size_t& bytes, I d_in, O d_out, Op op,
                                         T init, N num_items, cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceScan", memory, bytes, stream, 1, num_items,
            [=](void*) { detail::loops::inclusive_scan_from(in, num_items, out, init, op); }, in,
            out);
    }

    template <class I, class O, class N>
    static cudaError_t ExclusiveSum(void* memory, size_t& bytes, I in, O out, N num_items,
                                    cudaStream_t stream = 0) {
        return ExclusiveScan(memory, bytes, in, out, thrust::detail::Plus(),
                             detail::value_of<I>(), num_items, stream);
    }
    template <class I, class N, detail::if_number<N> = 0>
    static cudaError_t ExclusiveSum(void* memory, size_t& bytes, I data, N num_items,
                                    cudaStream_t stream = 0) {
        return ExclusiveSum(memory, bytes, data, data, num_items, stream);
    }
    template <class I, class O, class N>
    static cudaError_t InclusiveSum(void* memory, size_t& bytes, I in, O out, N num_items,
                                    cudaStream_t stream = 0) {
        return InclusiveScan(memory, bytes, in, out, thrust::detail::Plus(), num_items, stream);
    }
    template <class I, class N, detail::if_number<N> = 0>
    static cudaError_t InclusiveSum(void* memory, size_t& bytes, I data, N num_items,
                                    cudaStream_t stream = 0) {
        return InclusiveSum(memory, bytes, data, data, num_items, stream);
    }

    template <class K, class I, class O, class Op, class T, class N,
              class Same = thrust::detail::Equal>
    static cudaError_t ExclusiveScanByKey(void* memory, size_t& bytes, K d_keys, I d_in, O d_out,
                                          Op op, T init, N num_items, Same same = Same(),
                                          cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys);
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceScan", memory, bytes, stream, 1, num_items,
            [=](void*) {
                detail::loops::exclusive_scan_by_key(keys, num_items, in, out, init, same, op);
            },
            keys, in, out);
    }
    template <class K, class I, class O, class Op, class N, class Same = thrust::detail::Equal>
    static cudaError_t InclusiveScanByKey(void* memory, size_t& bytes, K d_keys, I d_in, O d_out,
                                          Op op, N num_items, Same same = Same(),
                                          cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys);
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceScan", memory, bytes, stream, 1, num_items,
            [=](void*) {
                detail::loops::inclusive_scan_by_key(keys, num_items, in, out, same, op);
            },
            keys, in, out);
    }
    template <class K, class I, class O, class N, class Same = thrust::detail::Equal>
    static cudaError_t ExclusiveSumByKey(void* memory, size_t& bytes, K keys, I in, O out,
                                         N num_items, Same same = Same(),
                                         cudaStream_t stream = 0) {
        return ExclusiveScanByKey(memory, bytes, keys, in, out, thrust::detail::Plus(),
                                  detail::value_of<I>(), num_items, same, stream);
    }
    template <class K, class I, class O, class N, class Same = thrust::detail::Equal>
    static cudaError_t InclusiveSumByKey(void* memory, size_t& bytes, K keys, I in, O out,
                                         N num_items, Same same = Same(),
                                         cudaStream_t stream = 0) {
        return InclusiveScanByKey(memory, bytes, keys, in, out, thrust::detail::Plus(),
                                  num_items, same, stream);
    }
};

}  // namespace cub

#endif
