#ifndef CUDA_EMULATOR_THRUST_REMOVE_H
#define CUDA_EMULATOR_THRUST_REMOVE_H

#include "thrust/detail/forward.h"

namespace thrust {

// With a stencil
template <class P, class I, class S, class O, class Predicate, detail::if_policy<P> = 0>
O remove_copy_if(const P& policy, I first, I last, S stencil, O result, Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto flags = detail::raw(stencil);
    auto out = detail::raw(result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("remove_if", n),
            [=](void*) mutable {
                *to = detail::loops::select(
                    in, n, out, [&](ptrdiff_t i) { return !predicate(flags[i]); });
            },
            in, flags, out);
    return result + count;
}
template <class P, class I, class O, class Predicate, detail::if_policy<P> = 0>
O remove_copy_if(const P& policy, I first, I last, O result, Predicate predicate) {
    return thrust::remove_copy_if(policy, first, last, first, result, predicate);
}
template <class P, class I, class Predicate, detail::if_policy<P> = 0>
I remove_if(const P& policy, I first, I last, Predicate predicate) {
    return thrust::remove_copy_if(policy, first, last, first, first, predicate);
}
template <class P, class I, class S, class Predicate, detail::if_policy<P> = 0>
I remove_if(const P& policy, I first, I last, S stencil, Predicate predicate) {
    return thrust::remove_copy_if(policy, first, last, stencil, first, predicate);
}
template <class P, class I, class O, class T, detail::if_policy<P> = 0>
O remove_copy(const P& policy, I first, I last, O result, const T& value) {
    return thrust::remove_copy_if(policy, first, last, result,
                                  [value](const auto& element) { return element == value; });
}
template <class P, class I, class T, detail::if_policy<P> = 0>
I remove(const P& policy, I first, I last, const T& value) {
    return thrust::remove_copy(policy, first, last, first, value);
}

template <class I, class O, class Predicate>
O remove_copy_if(I first, I last, O result, Predicate predicate) {
    return thrust::remove_copy_if(detail::policy_for<I, O>(), first, last, result, predicate);
}
template <class I, class S, class O, class Predicate>
O remove_copy_if(I first, I last, S stencil, O result, Predicate predicate) {
    return thrust::remove_copy_if(detail::policy_for<I, S, O>(), first, last, stencil, result,
                                  predicate);
}
CUDA_EMULATOR_FROM_1(remove_if)
CUDA_EMULATOR_FROM_2(remove_copy)
CUDA_EMULATOR_FROM_1(remove)

}  // namespace thrust

#endif
