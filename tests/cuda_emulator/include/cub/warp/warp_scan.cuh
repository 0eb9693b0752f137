#ifndef CUDA_EMULATOR_CUB_WARP_SCAN_CUH
#define CUDA_EMULATOR_CUB_WARP_SCAN_CUH

#include "cub/detail/block.h"

namespace cub {

template <class T, int LOGICAL_WARP_THREADS = 32, int = 0>
class WarpScan {
    detail::LogicalWarp<LOGICAL_WARP_THREADS> warp;

    T from(const T& value, int lane) {
        return detail::shuffle(warp.mask, value, static_cast<unsigned int>(warp.first + lane));
    }

    template <class Op>
    T inclusive(T value, Op op) {
        for (int offset = 1; offset < LOGICAL_WARP_THREADS; offset *= 2) {
            const bool present = warp.lane >= offset;
            const T other = from(value, present ? warp.lane - offset : warp.lane);
            if (present) value = op(other, value);
        }
        return value;
    }

public:
    struct TempStorage {};

    explicit WarpScan(TempStorage&) {}

    template <class Op>
    void InclusiveScan(T input, T& output, Op op) {
        output = inclusive(input, op);
    }
    template <class Op>
    void InclusiveScan(T input, T& output, Op op, T& aggregate) {
        output = inclusive(input, op);
        aggregate = from(output, LOGICAL_WARP_THREADS - 1);
    }
    template <class Op>
    void ExclusiveScan(T input, T& output, T initial, Op op) {
        T aggregate;
        ExclusiveScan(input, output, initial, op, aggregate);
    }
    // The aggregate does not hold the initial value
    template <class Op>
    void ExclusiveScan(T input, T& output, T initial, Op op, T& aggregate) {
        const T sum = inclusive(input, op);
        const T before = from(sum, warp.lane > 0 ? warp.lane - 1 : 0);
        aggregate = from(sum, LOGICAL_WARP_THREADS - 1);
        output = warp.lane > 0 ? op(initial, before) : initial;
    }
    // Without an initial value the first output is undefined
    template <class Op>
    void ExclusiveScan(T input, T& output, Op op) {
        const T sum = inclusive(input, op);
        output = from(sum, warp.lane > 0 ? warp.lane - 1 : 0);
        if (warp.lane == 0) detail::make_undefined(output);
    }
    template <class Op>
    void Scan(T input, T& inclusive_output, T& exclusive_output, Op op) {
        const T sum = inclusive(input, op);
        exclusive_output = from(sum, warp.lane > 0 ? warp.lane - 1 : 0);
        if (warp.lane == 0) detail::make_undefined(exclusive_output);
        inclusive_output = sum;
    }
    void InclusiveSum(T input, T& output) { InclusiveScan(input, output, thrust::detail::Plus()); }
    void InclusiveSum(T input, T& output, T& aggregate) {
        InclusiveScan(input, output, thrust::detail::Plus(), aggregate);
    }
    void ExclusiveSum(T input, T& output) {
        ExclusiveScan(input, output, T(), thrust::detail::Plus());
    }
    void ExclusiveSum(T input, T& output, T& aggregate) {
        ExclusiveScan(input, output, T(), thrust::detail::Plus(), aggregate);
    }
    T Broadcast(T input, unsigned int source) { return from(input, static_cast<int>(source)); }
};

}  // namespace cub

#endif
