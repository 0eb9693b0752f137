#ifndef CUDA_EMULATOR_THRUST_SET_OPERATIONS_H
#define CUDA_EMULATOR_THRUST_SET_OPERATIONS_H

#include "thrust/detail/forward.h"

namespace thrust {
namespace detail {

// Sorted ranges; which of the elements only in the first, in both, only in the second are kept.
template <bool only_first, bool both, bool only_second, class P, class I, class J, class O,
          class Compare>
O set_operation(const P& policy, const char* name, I first, I last, J first2, J last2, O result,
                Compare before) {
    const ptrdiff_t n = last - first, m = last2 - first2;
    auto a = raw(first);
    auto b = raw(first2);
    auto out = raw(result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n + m > 0)
        alone(
            policy, with_result(name, n + m),
            [=](void*) mutable {
                ptrdiff_t i = 0, j = 0, k = 0;
                while (i < n || j < m) {
                    if (j == m || (i < n && before(a[i], b[j]))) {
                        if (only_first) out[k++] = a[i];
                        ++i;
                    } else if (i == n || before(b[j], a[i])) {
                        if (only_second) out[k++] = b[j];
                        ++j;
                    } else {
                        if (both) out[k++] = a[i];
                        ++i;
                        ++j;
                    }
                }
                *to = k;
            },
            out);
    return result + count;
}

}  // namespace detail

#define CUDA_EMULATOR_SET(name, only_first, both, only_second)                               \
    template <class P, class I, class J, class O, class Compare, detail::if_policy<P> = 0>   \
    O name(const P& policy, I first, I last, J first2, J last2, O result, Compare before) {  \
        return detail::set_operation<only_first, both, only_second>(                         \
            policy, #name, first, last, first2, last2, result, before);                      \
    }                                                                                        \
    template <class P, class I, class J, class O, detail::if_policy<P> = 0>                  \
    O name(const P& policy, I first, I last, J first2, J last2, O result) {                  \
        return thrust::name(policy, first, last, first2, last2, result, detail::Less());     \
    }                                                                                        \
    CUDA_EMULATOR_FROM_4(name)
CUDA_EMULATOR_SET(set_difference, true, false, false)
CUDA_EMULATOR_SET(set_intersection, false, true, false)
CUDA_EMULATOR_SET(set_union, true, true, true)
CUDA_EMULATOR_SET(set_symmetric_difference, true, false, true)
#undef CUDA_EMULATOR_SET

}  // namespace thrust

#endif
