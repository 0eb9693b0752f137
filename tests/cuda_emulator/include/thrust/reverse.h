#ifndef CUDA_EMULATOR_THRUST_REVERSE_H
#define CUDA_EMULATOR_THRUST_REVERSE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, detail::if_policy<P> = 0>
void reverse(const P& policy, I first, I last) {
    using T = detail::value_of<I>;
    const ptrdiff_t n = last - first;
    auto data = detail::raw(first);
    detail::each(
        policy, detail::independent("reverse", n / 2),
        [=](ptrdiff_t i) {
            T value = data[i];
            data[i] = static_cast<T>(data[n - 1 - i]);
            data[n - 1 - i] = value;
        },
        data);
}

template <class P, class I, class O, detail::if_policy<P> = 0>
O reverse_copy(const P& policy, I first, I last, O result) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("reverse_copy", n),
        [=](ptrdiff_t i) { out[i] = in[n - 1 - i]; }, in, out);
    return result + n;
}

CUDA_EMULATOR_FROM_1(reverse)
CUDA_EMULATOR_FROM_2(reverse_copy)

}  // namespace thrust

#endif
