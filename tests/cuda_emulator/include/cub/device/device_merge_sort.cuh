#ifndef CUDA_EMULATOR_CUB_DEVICE_MERGE_SORT_CUH
#define CUDA_EMULATOR_CUB_DEVICE_MERGE_SORT_CUH

#include "cub/detail/device.h"

namespace cub {

struct DeviceMergeSort {
    template <class K, class V, class N, class Compare>
    static cudaError_t StableSortPairs(void* memory, size_t& bytes, K d_keys, V d_items,
                                       N num_items, Compare compare, cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys);
        auto values = detail::raw(d_items);
        return detail::run(
            "cub::DeviceMergeSort", memory, bytes, stream,
            detail::loops::sort_scratch<decltype(keys), decltype(values)>(num_items), num_items,
            [=](void* scratch) {
                detail::loops::stable_sort(keys, values, num_items, scratch, compare);
            },
            keys, values);
    }
    template <class K, class N, class Compare>
    static cudaError_t StableSortKeys(void* memory, size_t& bytes, K d_keys, N num_items,
                                      Compare compare, cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys);
        return detail::run(
            "cub::DeviceMergeSort", memory, bytes, stream,
            detail::loops::sort_scratch<decltype(keys)>(num_items), num_items,
            [=](void* scratch) {
                detail::loops::stable_sort(keys, detail::loops::NoValues(), num_items, scratch,
                                           compare);
            },
            keys);
    }
    template <class K, class V, class N, class Compare>
    static cudaError_t SortPairs(void* memory, size_t& bytes, K keys, V items, N num_items,
                                 Compare compare, cudaStream_t stream = 0) {
        return StableSortPairs(memory, bytes, keys, items, num_items, compare, stream);
    }
    template <class K, class N, class Compare>
    static cudaError_t SortKeys(void* memory, size_t& bytes, K keys, N num_items,
                                Compare compare, cudaStream_t stream = 0) {
        return StableSortKeys(memory, bytes, keys, num_items, compare, stream);
    }
};

}  // namespace cub

#endif
