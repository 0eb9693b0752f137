#ifndef CUDA_EMULATOR_THRUST_MERGE_H
#define CUDA_EMULATOR_THRUST_MERGE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class J, class O, class Compare, detail::if_policy<P> = 0>
O merge(const P& policy, I first, I last, J first2, J last2, O result, Compare before) {
    const ptrdiff_t n = last - first, m = last2 - first2;
    auto a = detail::raw(first);
    auto b = detail::raw(first2);
    auto out = detail::raw(result);
    if (n + m > 0)
        detail::alone(
            policy, detail::with_temporary("merge", n + m),
            [=](void*) { detail::loops::merge(a, n, b, m, out, before); }, out);
    return result + (n + m);
}
template <class P, class I, class J, class O, detail::if_policy<P> = 0>
O merge(const P& policy, I first, I last, J first2, J last2, O result) {
    return thrust::merge(policy, first, last, first2, last2, result, detail::Less());
}

CUDA_EMULATOR_FROM_4(merge)

}  // namespace thrust

#endif
