#ifndef CUDA_EMULATOR_THRUST_SEQUENCE_H
#define CUDA_EMULATOR_THRUST_SEQUENCE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class O, class T, detail::if_policy<P> = 0>
void sequence(const P& policy, O first, O last, T start, T step) {
    const ptrdiff_t n = last - first;
    auto out = detail::raw(first);
    detail::alone(
        policy, detail::independent("sequence", n),
        [=](void*) {
            for (ptrdiff_t i = 0; i < n; ++i) out[i] = static_cast<T>(start + step * i);
        },
        out);
}
template <class P, class O, class T, detail::if_policy<P> = 0>
void sequence(const P& policy, O first, O last, T start) {
    thrust::sequence(policy, first, last, start, static_cast<T>(1));
}
template <class P, class O, detail::if_policy<P> = 0>
void sequence(const P& policy, O first, O last) {
    thrust::sequence(policy, first, last, static_cast<detail::value_of<O>>(0));
}

CUDA_EMULATOR_FROM_1(sequence)

}  // namespace thrust

#endif
