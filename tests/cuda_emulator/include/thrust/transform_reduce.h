#ifndef CUDA_EMULATOR_THRUST_TRANSFORM_REDUCE_H
#define CUDA_EMULATOR_THRUST_TRANSFORM_REDUCE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class F, class T, class Op, detail::if_policy<P> = 0>
T transform_reduce(const P& policy, I first, I last, F function, T initial, Op op) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    T result = initial;
    T* to = &result;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("transform_reduce", n),
            [=](void*) mutable {
                T sum = initial;
                for (ptrdiff_t i = 0; i < n; ++i) sum = op(sum, function(in[i]));
                *to = sum;
            },
            in);
    return result;
}

CUDA_EMULATOR_FROM_1(transform_reduce)

}  // namespace thrust

#endif
