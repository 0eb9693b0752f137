#ifndef CUDA_EMULATOR_THRUST_COPY_H
#define CUDA_EMULATOR_THRUST_COPY_H

#include "thrust/detail/copy.h"

namespace thrust {

template <class P, class I, class O, detail::if_policy<P> = 0>
O copy(const P& policy, I first, I last, O result) {
    return detail::copy_within(policy, first, last, result);
}
template <class P, class I, class N, class O, detail::if_policy<P> = 0>
O copy_n(const P& policy, I first, N n, O result) {
    return detail::copy_within(policy, first, first + n, result);
}

template <class I, class O>
O copy(I first, I last, O result) {
    return detail::copy_between(detail::system_of<I>(), detail::system_of<O>(), first, last,
                                result);
}
template <class I, class N, class O, detail::if_not_policy<I> = 0>
O copy_n(I first, N n, O result) {
    return thrust::copy(first, std::next(first, n), result);
}

// With a stencil
template <class P, class I, class S, class O, class Predicate, detail::if_policy<P> = 0>
O copy_if(const P& policy, I first, I last, S stencil, O result, Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto flags = detail::raw(stencil);
    auto out = detail::raw(result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("copy_if", n),
            [=](void*) mutable {
                *to = detail::loops::select(
                    in, n, out, [&](ptrdiff_t i) { return bool(predicate(flags[i])); });
            },
            in, flags, out);
    return result + count;
}
template <class P, class I, class O, class Predicate, detail::if_policy<P> = 0>
O copy_if(const P& policy, I first, I last, O result, Predicate predicate) {
    return thrust::copy_if(policy, first, last, first, result, predicate);
}

template <class I, class O, class Predicate>
O copy_if(I first, I last, O result, Predicate predicate) {
    return thrust::copy_if(detail::policy_for<I, O>(), first, last, result, predicate);
}
template <class I, class S, class O, class Predicate>
O copy_if(I first, I last, S stencil, O result, Predicate predicate) {
    return thrust::copy_if(detail::policy_for<I, S, O>(), first, last, stencil, result,
                           predicate);
}

}  // namespace thrust

#endif
