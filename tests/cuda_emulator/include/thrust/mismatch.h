#ifndef CUDA_EMULATOR_THRUST_MISMATCH_H
#define CUDA_EMULATOR_THRUST_MISMATCH_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class J, class Same, detail::if_policy<P> = 0>
pair<I, J> mismatch(const P& policy, I first, I last, J first2, Same same) {
    const ptrdiff_t n = last - first;
    auto a = detail::raw(first);
    auto b = detail::raw(first2);
    ptrdiff_t found = 0;
    ptrdiff_t* to = &found;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("mismatch", n),
            [=](void*) mutable {
                *to = detail::loops::find(n, [&](ptrdiff_t i) { return !same(a[i], b[i]); });
            },
            a, b);
    return {first + found, first2 + found};
}
template <class P, class I, class J, detail::if_policy<P> = 0>
pair<I, J> mismatch(const P& policy, I first, I last, J first2) {
    return thrust::mismatch(policy, first, last, first2, detail::Equal());
}

CUDA_EMULATOR_FROM_2(mismatch)

}  // namespace thrust

#endif
