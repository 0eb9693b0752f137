#ifndef CUDA_EMULATOR_THRUST_ADJACENT_DIFFERENCE_H
#define CUDA_EMULATOR_THRUST_ADJACENT_DIFFERENCE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class O, class Op, detail::if_policy<P> = 0>
O adjacent_difference(const P& policy, I first, I last, O result, Op op) {
    using T = detail::value_of<I>;
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("adjacent_difference", n),
            [=](void*) mutable {
                T before = in[0];
                out[0] = before;
                for (ptrdiff_t i = 1; i < n; ++i) {
                    T value = in[i];
                    out[i] = op(value, before);
                    before = value;
                }
            },
            in, out);
    return result + n;
}
template <class P, class I, class O, detail::if_policy<P> = 0>
O adjacent_difference(const P& policy, I first, I last, O result) {
    return thrust::adjacent_difference(policy, first, last, result,
                                       [](const auto& a, const auto& b) { return a - b; });
}

CUDA_EMULATOR_FROM_2(adjacent_difference)

}  // namespace thrust

#endif
