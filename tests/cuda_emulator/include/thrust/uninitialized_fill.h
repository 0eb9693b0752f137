#ifndef CUDA_EMULATOR_THRUST_UNINITIALIZED_FILL_H
#define CUDA_EMULATOR_THRUST_UNINITIALIZED_FILL_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class O, class N, class T, detail::if_policy<P> = 0>
O uninitialized_fill_n(const P& policy, O first, N n, const T& value) {
    auto out = detail::raw(first);
    detail::alone(
        policy, detail::independent("uninitialized_fill", n),
        [=](void*) {
            for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(n); ++i)
                new (static_cast<void*>(&out[i])) detail::value_of<O>(value);
        },
        out);
    return first + n;
}
template <class P, class O, class T, detail::if_policy<P> = 0>
void uninitialized_fill(const P& policy, O first, O last, const T& value) {
    thrust::uninitialized_fill_n(policy, first, last - first, value);
}

CUDA_EMULATOR_COUNTED_1(uninitialized_fill_n)
CUDA_EMULATOR_FROM_1(uninitialized_fill)

}  // namespace thrust

#endif
