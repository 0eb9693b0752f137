#ifndef CUDA_EMULATOR_THRUST_UNINITIALIZED_COPY_H
#define CUDA_EMULATOR_THRUST_UNINITIALIZED_COPY_H

#include "thrust/detail/copy.h"

namespace thrust {

template <class P, class I, class O, detail::if_policy<P> = 0>
O uninitialized_copy(const P& policy, I first, I last, O result) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("uninitialized_copy", n),
        [=](ptrdiff_t i) {
            new (static_cast<void*>(&out[i])) detail::value_of<O>(in[i]);
        },
        in, out);
    return result + n;
}
template <class P, class I, class N, class O, detail::if_policy<P> = 0>
O uninitialized_copy_n(const P& policy, I first, N n, O result) {
    return thrust::uninitialized_copy(policy, first, first + n, result);
}

// Between the systems only values that need no constructor are copied
template <class I, class O>
O uninitialized_copy(I first, I last, O result) {
    if constexpr (std::is_same<detail::system_of<I>, detail::system_of<O>>::value)
        return thrust::uninitialized_copy(detail::policy_for<I, O>(), first, last, result);
    else
        return detail::copy_between(detail::system_of<I>(), detail::system_of<O>(), first, last,
                                    result);
}
template <class I, class N, class O, detail::if_not_policy<I> = 0>
O uninitialized_copy_n(I first, N n, O result) {
    return thrust::uninitialized_copy(first, first + n, result);
}

}  // namespace thrust

#endif
