#ifndef CUDA_EMULATOR_THRUST_SCATTER_H
#define CUDA_EMULATOR_THRUST_SCATTER_H

#include "thrust/detail/forward.h"

namespace thrust {

// output[map[i]] = input[i]
template <class P, class I, class M, class O, detail::if_policy<P> = 0>
void scatter(const P& policy, I first, I last, M map, O output) {
    auto in = detail::raw(first);
    auto indices = detail::raw(map);
    auto out = detail::raw(output);
    detail::each(
        policy, detail::independent("scatter", last - first),
        [=](ptrdiff_t i) { out[static_cast<ptrdiff_t>(indices[i])] = in[i]; }, in, indices,
        out);
}

template <class P, class I, class M, class S, class O, class Predicate, detail::if_policy<P> = 0>
void scatter_if(const P& policy, I first, I last, M map, S stencil, O output,
                Predicate predicate) {
    auto in = detail::raw(first);
    auto indices = detail::raw(map);
    auto flags = detail::raw(stencil);
    auto out = detail::raw(output);
    detail::each(
        policy, detail::independent("scatter_if", last - first),
        [=](ptrdiff_t i) mutable {
            if (predicate(flags[i])) out[static_cast<ptrdiff_t>(indices[i])] = in[i];
        },
        in, indices, flags, out);
}
template <class P, class I, class M, class S, class O, detail::if_policy<P> = 0>
void scatter_if(const P& policy, I first, I last, M map, S stencil, O output) {
    thrust::scatter_if(policy, first, last, map, stencil, output, detail::Identity());
}

CUDA_EMULATOR_FROM_3(scatter)
CUDA_EMULATOR_FROM_4(scatter_if)

}  // namespace thrust

#endif
