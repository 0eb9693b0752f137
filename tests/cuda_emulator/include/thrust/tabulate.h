#ifndef CUDA_EMULATOR_THRUST_TABULATE_H
#define CUDA_EMULATOR_THRUST_TABULATE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class O, class F, detail::if_policy<P> = 0>
void tabulate(const P& policy, O first, O last, F function) {
    auto out = detail::raw(first);
    detail::each(
        policy, detail::independent("tabulate", last - first),
        [=](ptrdiff_t i) mutable { out[i] = function(i); }, out);
}

CUDA_EMULATOR_FROM_1(tabulate)

}  // namespace thrust

#endif
