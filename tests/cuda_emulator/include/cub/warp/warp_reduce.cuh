#ifndef CUDA_EMULATOR_CUB_WARP_REDUCE_CUH
#define CUDA_EMULATOR_CUB_WARP_REDUCE_CUH

#include "cub/detail/block.h"

namespace cub {

// The result is lane 0's; it is undefined in the others.
template <class T, int LOGICAL_WARP_THREADS = 32, int = 0>
class WarpReduce {
    detail::LogicalWarp<LOGICAL_WARP_THREADS> warp;

public:
    struct TempStorage {};

    explicit WarpReduce(TempStorage&) {}

    template <class Op>
    T Reduce(T input, Op op, int valid_items = LOGICAL_WARP_THREADS) {
        T value = input;
        for (int offset = 1; offset < LOGICAL_WARP_THREADS; offset *= 2) {
            const int from = warp.lane + offset;
            const bool present = from < valid_items && from < LOGICAL_WARP_THREADS;
            const T other = detail::shuffle(
                warp.mask, value,
                static_cast<unsigned int>(warp.first + (present ? from : warp.lane)));
            if (present) value = op(value, other);
        }
        if (warp.lane != 0) detail::make_undefined(value);
        return value;
    }
    T Sum(T input, int valid_items = LOGICAL_WARP_THREADS) {
        return Reduce(input, thrust::detail::Plus(), valid_items);
    }
    T Max(T input, int valid_items = LOGICAL_WARP_THREADS) {
        return Reduce(
            input, [](const T& a, const T& b) { return a < b ? b : a; }, valid_items);
    }
    T Min(T input, int valid_items = LOGICAL_WARP_THREADS) {
        return Reduce(
            input, [](const T& a, const T& b) { return b < a ? b : a; }, valid_items);
    }
};

}  // namespace cub

#endif
