#ifndef CUDA_EMULATOR_THRUST_SORT_H
#define CUDA_EMULATOR_THRUST_SORT_H

#include "thrust/detail/forward.h"
// NVIDIA's own header brings it along, and brian2cuda relies on that
#include "thrust/sequence.h"

namespace thrust {

template <class P, class K, class Compare, detail::if_policy<P> = 0>
void stable_sort(const P& policy, K first, K last, Compare before) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    using Raw = decltype(keys);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("sort", n, detail::loops::sort_scratch<Raw>(n)),
            [=](void* scratch) {
                detail::loops::stable_sort(keys, detail::loops::NoValues(), n, scratch, before);
            },
            keys);
}

template <class P, class K, class V, class Compare, detail::if_policy<P> = 0>
void stable_sort_by_key(const P& policy, K first, K last, V values_first, Compare before) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    auto values = detail::raw(values_first);
    const size_t scratch = detail::loops::sort_scratch<decltype(keys), decltype(values)>(n);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("sort_by_key", n, scratch),
            [=](void* memory) {
                detail::loops::stable_sort(keys, values, n, memory, before);
            },
            keys, values);
}

template <class P, class K, detail::if_policy<P> = 0>
void stable_sort(const P& policy, K first, K last) {
    thrust::stable_sort(policy, first, last, detail::Less());
}
template <class P, class K, class V, detail::if_policy<P> = 0>
void stable_sort_by_key(const P& policy, K first, K last, V values_first) {
    thrust::stable_sort_by_key(policy, first, last, values_first, detail::Less());
}
// On a card the plain ones are stable, too, for what its radix sort can do
template <class P, class K, class... Compare, detail::if_policy<P> = 0>
void sort(const P& policy, K first, K last, Compare... before) {
    thrust::stable_sort(policy, first, last, before...);
}
template <class P, class K, class V, class... Compare, detail::if_policy<P> = 0>
void sort_by_key(const P& policy, K first, K last, V values_first, Compare... before) {
    thrust::stable_sort_by_key(policy, first, last, values_first, before...);
}

template <class P, class I, class Compare, detail::if_policy<P> = 0>
I is_sorted_until(const P& policy, I first, I last, Compare before) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    ptrdiff_t end = n;
    ptrdiff_t* to = &end;
    if (n > 1)
        detail::alone(
            policy, detail::with_result("is_sorted", n),
            [=](void*) mutable {
                *to = 1 + detail::loops::find(
                              n - 1, [&](ptrdiff_t i) { return before(in[i + 1], in[i]); });
            },
            in);
    return first + end;
}
template <class P, class I, detail::if_policy<P> = 0>
I is_sorted_until(const P& policy, I first, I last) {
    return thrust::is_sorted_until(policy, first, last, detail::Less());
}
template <class P, class I, class... Compare, detail::if_policy<P> = 0>
bool is_sorted(const P& policy, I first, I last, Compare... before) {
    return thrust::is_sorted_until(policy, first, last, before...) == last;
}

CUDA_EMULATOR_FROM_1(stable_sort)
CUDA_EMULATOR_FROM_1(sort)
CUDA_EMULATOR_FROM_2(stable_sort_by_key)
CUDA_EMULATOR_FROM_2(sort_by_key)
CUDA_EMULATOR_FROM_1(is_sorted_until)
CUDA_EMULATOR_FROM_1(is_sorted)

}  // namespace thrust

#endif
