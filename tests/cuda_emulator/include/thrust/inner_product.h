#ifndef CUDA_EMULATOR_THRUST_INNER_PRODUCT_H
#define CUDA_EMULATOR_THRUST_INNER_PRODUCT_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class J, class T, class Op, class F, detail::if_policy<P> = 0>
T inner_product(const P& policy, I first, I last, J first2, T initial, Op op, F function) {
    const ptrdiff_t n = last - first;
    auto a = detail::raw(first);
    auto b = detail::raw(first2);
    T result = initial;
    T* to = &result;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("inner_product", n),
            [=](void*) mutable {
                T sum = initial;
                for (ptrdiff_t i = 0; i < n; ++i) sum = op(sum, function(a[i], b[i]));
                *to = sum;
            },
            a, b);
    return result;
}
template <class P, class I, class J, class T, detail::if_policy<P> = 0>
T inner_product(const P& policy, I first, I last, J first2, T initial) {
    return thrust::inner_product(policy, first, last, first2, initial, detail::Plus(),
                                 [](const auto& x, const auto& y) { return x * y; });
}

CUDA_EMULATOR_FROM_2(inner_product)

}  // namespace thrust

#endif
