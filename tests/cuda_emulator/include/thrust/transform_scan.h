#ifndef CUDA_EMULATOR_THRUST_TRANSFORM_SCAN_H
#define CUDA_EMULATOR_THRUST_TRANSFORM_SCAN_H

#include "thrust/scan.h"

namespace thrust {

template <class P, class I, class O, class F, class Op, detail::if_policy<P> = 0>
O transform_inclusive_scan(const P& policy, I first, I last, O result, F function, Op op) {
    return thrust::inclusive_scan(policy, make_transform_iterator(first, function),
                                  make_transform_iterator(last, function), result, op);
}
template <class P, class I, class O, class F, class T, class Op, detail::if_policy<P> = 0>
O transform_exclusive_scan(const P& policy, I first, I last, O result, F function, T initial,
                           Op op) {
    return thrust::exclusive_scan(policy, make_transform_iterator(first, function),
                                  make_transform_iterator(last, function), result, initial, op);
}

CUDA_EMULATOR_FROM_2(transform_inclusive_scan)
CUDA_EMULATOR_FROM_2(transform_exclusive_scan)

}  // namespace thrust

#endif
