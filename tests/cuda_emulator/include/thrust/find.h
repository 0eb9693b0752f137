#ifndef CUDA_EMULATOR_THRUST_FIND_H
#define CUDA_EMULATOR_THRUST_FIND_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class Predicate, detail::if_policy<P> = 0>
I find_if(const P& policy, I first, I last, Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    ptrdiff_t found = 0;
    ptrdiff_t* to = &found;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("find_if", n),
            [=](void*) mutable {
                *to = detail::loops::find(n,
                                          [&](ptrdiff_t i) { return bool(predicate(in[i])); });
            },
            in);
    return first + found;
}
template <class P, class I, class Predicate, detail::if_policy<P> = 0>
I find_if_not(const P& policy, I first, I last, Predicate predicate) {
    return thrust::find_if(policy, first, last, [predicate](const auto& element) mutable {
        return !predicate(element);
    });
}
template <class P, class I, class T, detail::if_policy<P> = 0>
I find(const P& policy, I first, I last, const T& value) {
    return thrust::find_if(policy, first, last,
                           [value](const auto& element) { return element == value; });
}

CUDA_EMULATOR_FROM_1(find_if)
CUDA_EMULATOR_FROM_1(find_if_not)
CUDA_EMULATOR_FROM_1(find)

}  // namespace thrust

#endif
