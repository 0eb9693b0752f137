#ifndef CUDA_EMULATOR_THRUST_PARTITION_H
#define CUDA_EMULATOR_THRUST_PARTITION_H

#include "thrust/detail/forward.h"

namespace thrust {

// With a stencil
template <class P, class I, class S, class Predicate, detail::if_policy<P> = 0>
I stable_partition(const P& policy, I first, I last, S stencil, Predicate predicate) {
    using T = detail::value_of<I>;
    const ptrdiff_t n = last - first;
    auto data = detail::raw(first);
    auto flags = detail::raw(stencil);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy,
            detail::with_result("partition", n, static_cast<size_t>(n) * sizeof(T)),
            [=](void* scratch) mutable {
                *to = detail::loops::partition(
                    data, n, static_cast<T*>(scratch),
                    [&](ptrdiff_t i) { return bool(predicate(flags[i])); });
            },
            data, flags);
    return first + count;
}
template <class P, class I, class Predicate, detail::if_policy<P> = 0>
I stable_partition(const P& policy, I first, I last, Predicate predicate) {
    return thrust::stable_partition(policy, first, last, first, predicate);
}
template <class P, class I, class... Rest, detail::if_policy<P> = 0>
I partition(const P& policy, I first, I last, Rest... rest) {
    return thrust::stable_partition(policy, first, last, rest...);
}

// With a stencil
template <class P, class I, class S, class A, class B, class Predicate, detail::if_policy<P> = 0>
pair<A, B> stable_partition_copy(const P& policy, I first, I last, S stencil, A yes, B no,
                                 Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto flags = detail::raw(stencil);
    auto selected = detail::raw(yes);
    auto others = detail::raw(no);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("partition_copy", n),
            [=](void*) mutable {
                ptrdiff_t found = 0;
                for (ptrdiff_t i = 0; i < n; ++i)
                    if (predicate(flags[i]))
                        selected[found++] = in[i];
                    else
                        others[i - found] = in[i];
                *to = found;
            },
            in, flags, selected, others);
    return {yes + count, no + (n - count)};
}
template <class P, class I, class A, class B, class Predicate, detail::if_policy<P> = 0>
pair<A, B> stable_partition_copy(const P& policy, I first, I last, A yes, B no,
                                 Predicate predicate) {
    return thrust::stable_partition_copy(policy, first, last, first, yes, no, predicate);
}
template <class P, class I, class A, class B, class... Rest, detail::if_policy<P> = 0>
auto partition_copy(const P& policy, I first, I last, A second, B third, Rest... rest) {
    return thrust::stable_partition_copy(policy, first, last, second, third, rest...);
}

CUDA_EMULATOR_FROM_1(stable_partition)
CUDA_EMULATOR_FROM_1(partition)
CUDA_EMULATOR_FROM_3(stable_partition_copy)
CUDA_EMULATOR_FROM_3(partition_copy)

}  // namespace thrust

#endif
