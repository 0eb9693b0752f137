#ifndef CUDA_EMULATOR_THRUST_LOGICAL_H
#define CUDA_EMULATOR_THRUST_LOGICAL_H

#include "thrust/find.h"

namespace thrust {

template <class P, class I, class Predicate, detail::if_policy<P> = 0>
bool any_of(const P& policy, I first, I last, Predicate predicate) {
    return thrust::find_if(policy, first, last, predicate) != last;
}
template <class P, class I, class Predicate, detail::if_policy<P> = 0>
bool none_of(const P& policy, I first, I last, Predicate predicate) {
    return !thrust::any_of(policy, first, last, predicate);
}
template <class P, class I, class Predicate, detail::if_policy<P> = 0>
bool all_of(const P& policy, I first, I last, Predicate predicate) {
    return thrust::find_if_not(policy, first, last, predicate) == last;
}

CUDA_EMULATOR_FROM_1(any_of)
CUDA_EMULATOR_FROM_1(none_of)
CUDA_EMULATOR_FROM_1(all_of)

}  // namespace thrust

#endif
