#ifndef CUDA_EMULATOR_THRUST_COUNT_H
#define CUDA_EMULATOR_THRUST_COUNT_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class Predicate, detail::if_policy<P> = 0>
ptrdiff_t count_if(const P& policy, I first, I last, Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("count_if", n),
            [=](void*) mutable {
                ptrdiff_t found = 0;
                for (ptrdiff_t i = 0; i < n; ++i) found += predicate(in[i]) ? 1 : 0;
                *to = found;
            },
            in);
    return count;
}

template <class P, class I, class T, detail::if_policy<P> = 0>
ptrdiff_t count(const P& policy, I first, I last, const T& value) {
    return thrust::count_if(policy, first, last,
                            [value](const auto& element) { return element == value; });
}

CUDA_EMULATOR_FROM_1(count_if)
CUDA_EMULATOR_FROM_1(count)

}  // namespace thrust

#endif
