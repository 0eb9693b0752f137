#ifndef CUDA_EMULATOR_THRUST_SWAP_H
#define CUDA_EMULATOR_THRUST_SWAP_H

#include "thrust/detail/forward.h"

namespace thrust {

using std::swap;

template <class P, class I, class J, detail::if_policy<P> = 0>
J swap_ranges(const P& policy, I first, I last, J first2) {
    using T = detail::value_of<I>;
    const ptrdiff_t n = last - first;
    auto a = detail::raw(first);
    auto b = detail::raw(first2);
    detail::each(
        policy, detail::independent("swap_ranges", n),
        [=](ptrdiff_t i) {
            T value = a[i];
            a[i] = static_cast<T>(b[i]);
            b[i] = value;
        },
        a, b);
    return first2 + n;
}

CUDA_EMULATOR_FROM_2(swap_ranges)

}  // namespace thrust

#endif
