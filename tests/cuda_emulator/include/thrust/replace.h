#ifndef CUDA_EMULATOR_THRUST_REPLACE_H
#define CUDA_EMULATOR_THRUST_REPLACE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class S, class Predicate, class T, detail::if_policy<P> = 0>
void replace_if(const P& policy, I first, I last, S stencil, Predicate predicate,
                const T& value) {
    auto data = detail::raw(first);
    auto flags = detail::raw(stencil);
    detail::each(
        policy, detail::independent("replace_if", last - first),
        [=](ptrdiff_t i) mutable {
            if (predicate(flags[i])) data[i] = value;
        },
        data, flags);
}
template <class P, class I, class Predicate, class T, detail::if_policy<P> = 0>
void replace_if(const P& policy, I first, I last, Predicate predicate, const T& value) {
    thrust::replace_if(policy, first, last, first, predicate, value);
}
template <class P, class I, class T, detail::if_policy<P> = 0>
void replace(const P& policy, I first, I last, const T& old_value, const T& value) {
    thrust::replace_if(
        policy, first, last, [old_value](const auto& element) { return element == old_value; },
        value);
}

CUDA_EMULATOR_FROM_1(replace_if)
CUDA_EMULATOR_FROM_1(replace)

}  // namespace thrust

#endif
