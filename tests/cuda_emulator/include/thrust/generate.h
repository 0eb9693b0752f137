#ifndef CUDA_EMULATOR_THRUST_GENERATE_H
#define CUDA_EMULATOR_THRUST_GENERATE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class O, class N, class F, detail::if_policy<P> = 0>
O generate_n(const P& policy, O first, N n, F function) {
    auto out = detail::raw(first);
    detail::each(
        policy, detail::independent("generate", n),
        [=](ptrdiff_t i) mutable { out[i] = function(); }, out);
    return first + n;
}

template <class P, class O, class F, detail::if_policy<P> = 0>
void generate(const P& policy, O first, O last, F function) {
    thrust::generate_n(policy, first, last - first, function);
}

CUDA_EMULATOR_COUNTED_1(generate_n)
CUDA_EMULATOR_FROM_1(generate)

}  // namespace thrust

#endif
