#ifndef CUDA_EMULATOR_THRUST_SCAN_H
#define CUDA_EMULATOR_THRUST_SCAN_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class O, class Op, detail::if_policy<P> = 0>
O inclusive_scan(const P& policy, I first, I last, O result, Op op) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("inclusive_scan", n),
            [=](void*) { detail::loops::inclusive_scan(in, n, out, op); }, in, out);
    return result + n;
}
template <class P, class I, class O, class T, class Op, detail::if_policy<P> = 0>
O inclusive_scan(const P& policy, I first, I last, O result, T initial, Op op) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("inclusive_scan", n),
            [=](void*) { detail::loops::inclusive_scan_from(in, n, out, initial, op); }, in, out);
    return result + n;
}
template <class P, class I, class O, detail::if_policy<P> = 0>
O inclusive_scan(const P& policy, I first, I last, O result) {
    return thrust::inclusive_scan(policy, first, last, result, detail::Plus());
}

template <class P, class I, class O, class T, class Op, detail::if_policy<P> = 0>
O exclusive_scan(const P& policy, I first, I last, O result, T initial, Op op) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("exclusive_scan", n),
            [=](void*) { detail::loops::exclusive_scan(in, n, out, initial, op); }, in, out);
    return result + n;
}
template <class P, class I, class O, class T, detail::if_policy<P> = 0>
O exclusive_scan(const P& policy, I first, I last, O result, T initial) {
    return thrust::exclusive_scan(policy, first, last, result, initial, detail::Plus());
}
template <class P, class I, class O, detail::if_policy<P> = 0>
O exclusive_scan(const P& policy, I first, I last, O result) {
    return thrust::exclusive_scan(policy, first, last, result, detail::value_of<I>());
}

template <class P, class K, class I, class O, class Same, class Op, detail::if_policy<P> = 0>
O inclusive_scan_by_key(const P& policy, K first, K last, I values, O result, Same same, Op op) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    auto in = detail::raw(values);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("inclusive_scan_by_key", n),
            [=](void*) { detail::loops::inclusive_scan_by_key(keys, n, in, out, same, op); },
            keys, in, out);
    return result + n;
}
template <class P, class K, class I, class O, class Same, detail::if_policy<P> = 0>
O inclusive_scan_by_key(const P& policy, K first, K last, I values, O result, Same same) {
    return thrust::inclusive_scan_by_key(policy, first, last, values, result, same,
                                         detail::Plus());
}
template <class P, class K, class I, class O, detail::if_policy<P> = 0>
O inclusive_scan_by_key(const P& policy, K first, K last, I values, O result) {
    return thrust::inclusive_scan_by_key(policy, first, last, values, result, detail::Equal());
}

template <class P, class K, class I, class O, class T, class Same, class Op,
          detail::if_policy<P> = 0>
O exclusive_scan_by_key(const P& policy, K first, K last, I values, O result, T initial,
                        Same same, Op op) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    auto in = detail::raw(values);
    auto out = detail::raw(result);
    if (n > 0)
        detail::alone(
            policy, detail::with_temporary("exclusive_scan_by_key", n),
            [=](void*) {
                detail::loops::exclusive_scan_by_key(keys, n, in, out, initial, same, op);
            },
            keys, in, out);
    return result + n;
}
template <class P, class K, class I, class O, class T, class Same, detail::if_policy<P> = 0>
O exclusive_scan_by_key(const P& policy, K first, K last, I values, O result, T initial,
                        Same same) {
    return thrust::exclusive_scan_by_key(policy, first, last, values, result, initial, same,
                                         detail::Plus());
}
template <class P, class K, class I, class O, class T, detail::if_policy<P> = 0>
O exclusive_scan_by_key(const P& policy, K first, K last, I values, O result, T initial) {
    return thrust::exclusive_scan_by_key(policy, first, last, values, result, initial,
                                         detail::Equal());
}
template <class P, class K, class I, class O, detail::if_policy<P> = 0>
O exclusive_scan_by_key(const P& policy, K first, K last, I values, O result) {
    return thrust::exclusive_scan_by_key(policy, first, last, values, result,
                                         detail::value_of<I>());
}

CUDA_EMULATOR_FROM_2(inclusive_scan)
CUDA_EMULATOR_FROM_2(exclusive_scan)
CUDA_EMULATOR_FROM_3(inclusive_scan_by_key)
CUDA_EMULATOR_FROM_3(exclusive_scan_by_key)

}  // namespace thrust

#endif
