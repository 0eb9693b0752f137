#ifndef CUDA_EMULATOR_THRUST_FOR_EACH_H
#define CUDA_EMULATOR_THRUST_FOR_EACH_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class N, class F, detail::if_policy<P> = 0>
I for_each_n(const P& policy, I first, N n, F function) {
    auto in = detail::raw(first);
    detail::each(
        policy, detail::independent("for_each", n),
        [=](ptrdiff_t i) mutable { function(in[i]); }, in);
    return first + n;
}

template <class P, class I, class F, detail::if_policy<P> = 0>
I for_each(const P& policy, I first, I last, F function) {
    return thrust::for_each_n(policy, first, last - first, function);
}

CUDA_EMULATOR_COUNTED_1(for_each_n)
CUDA_EMULATOR_FROM_1(for_each)

}  // namespace thrust

#endif
