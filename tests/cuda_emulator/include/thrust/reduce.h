#ifndef CUDA_EMULATOR_THRUST_REDUCE_H
#define CUDA_EMULATOR_THRUST_REDUCE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class T, class Op, detail::if_policy<P> = 0>
T reduce(const P& policy, I first, I last, T initial, Op op) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    T result = initial;
    T* to = &result;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("reduce", n),
            [=](void*) { *to = detail::loops::reduce(in, n, initial, op); }, in);
    return result;
}
template <class P, class I, class T, detail::if_policy<P> = 0>
T reduce(const P& policy, I first, I last, T initial) {
    return thrust::reduce(policy, first, last, initial, detail::Plus());
}
template <class P, class I, detail::if_policy<P> = 0>
detail::value_of<I> reduce(const P& policy, I first, I last) {
    return thrust::reduce(policy, first, last, detail::value_of<I>());
}

template <class P, class K, class V, class KO, class VO, class Same, class Op,
          detail::if_policy<P> = 0>
pair<KO, VO> reduce_by_key(const P& policy, K first, K last, V values, KO keys_result,
                           VO values_result, Same same, Op op) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    auto in = detail::raw(values);
    auto keys_out = detail::raw(keys_result);
    auto out = detail::raw(values_result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("reduce_by_key", n),
            [=](void*) {
                *to = detail::loops::reduce_by_key(keys, n, in, keys_out, out, same, op);
            },
            keys, in, keys_out, out);
    return {keys_result + count, values_result + count};
}
template <class P, class K, class V, class KO, class VO, class Same, detail::if_policy<P> = 0>
pair<KO, VO> reduce_by_key(const P& policy, K first, K last, V values, KO keys_result,
                           VO values_result, Same same) {
    return thrust::reduce_by_key(policy, first, last, values, keys_result, values_result, same,
                                 detail::Plus());
}
template <class P, class K, class V, class KO, class VO, detail::if_policy<P> = 0>
pair<KO, VO> reduce_by_key(const P& policy, K first, K last, V values, KO keys_result,
                           VO values_result) {
    return thrust::reduce_by_key(policy, first, last, values, keys_result, values_result,
                                 detail::Equal());
}

CUDA_EMULATOR_FROM_1(reduce)
CUDA_EMULATOR_FROM_4(reduce_by_key)

}  // namespace thrust

#endif
