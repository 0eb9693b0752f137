#ifndef CUDA_EMULATOR_THRUST_GATHER_H
#define CUDA_EMULATOR_THRUST_GATHER_H

#include "thrust/detail/forward.h"

namespace thrust {

// result[i] = input[map[i]]
template <class P, class M, class I, class O, detail::if_policy<P> = 0>
O gather(const P& policy, M first, M last, I input, O result) {
    const ptrdiff_t n = last - first;
    auto map = detail::raw(first);
    auto in = detail::raw(input);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("gather", n),
        [=](ptrdiff_t i) { out[i] = in[static_cast<ptrdiff_t>(map[i])]; }, map, in, out);
    return result + n;
}

template <class P, class M, class S, class I, class O, class Predicate, detail::if_policy<P> = 0>
O gather_if(const P& policy, M first, M last, S stencil, I input, O result,
            Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto map = detail::raw(first);
    auto flags = detail::raw(stencil);
    auto in = detail::raw(input);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("gather_if", n),
        [=](ptrdiff_t i) mutable {
            if (predicate(flags[i])) out[i] = in[static_cast<ptrdiff_t>(map[i])];
        },
        map, flags, in, out);
    return result + n;
}
template <class P, class M, class S, class I, class O, detail::if_policy<P> = 0>
O gather_if(const P& policy, M first, M last, S stencil, I input, O result) {
    return thrust::gather_if(policy, first, last, stencil, input, result, detail::Identity());
}

CUDA_EMULATOR_FROM_3(gather)
CUDA_EMULATOR_FROM_4(gather_if)

}  // namespace thrust

#endif
