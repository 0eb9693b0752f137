#ifndef CUDA_EMULATOR_THRUST_UNIQUE_H
#define CUDA_EMULATOR_THRUST_UNIQUE_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class O, class Same, detail::if_policy<P> = 0>
O unique_copy(const P& policy, I first, I last, O result, Same same) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("unique", n),
            [=](void*) { *to = detail::loops::unique(in, n, out, same); }, in, out);
    return result + count;
}
template <class P, class I, class O, detail::if_policy<P> = 0>
O unique_copy(const P& policy, I first, I last, O result) {
    return thrust::unique_copy(policy, first, last, result, detail::Equal());
}
template <class P, class I, class... Same, detail::if_policy<P> = 0>
I unique(const P& policy, I first, I last, Same... same) {
    return thrust::unique_copy(policy, first, last, first, same...);
}

template <class P, class K, class V, class KO, class VO, class Same, detail::if_policy<P> = 0>
pair<KO, VO> unique_by_key_copy(const P& policy, K first, K last, V values, KO keys_result,
                                VO values_result, Same same) {
    const ptrdiff_t n = last - first;
    auto keys = detail::raw(first);
    auto in = detail::raw(values);
    auto keys_out = detail::raw(keys_result);
    auto out = detail::raw(values_result);
    ptrdiff_t count = 0;
    ptrdiff_t* to = &count;
    if (n > 0)
        detail::alone(
            policy, detail::with_result("unique_by_key", n),
            [=](void*) {
                *to = detail::loops::unique_by_key(keys, n, in, keys_out, out, same);
            },
            keys, in, keys_out, out);
    return {keys_result + count, values_result + count};
}
template <class P, class K, class V, class KO, class VO, detail::if_policy<P> = 0>
pair<KO, VO> unique_by_key_copy(const P& policy, K first, K last, V values, KO keys_result,
                                VO values_result) {
    return thrust::unique_by_key_copy(policy, first, last, values, keys_result, values_result,
                                      detail::Equal());
}
template <class P, class K, class V, class... Same, detail::if_policy<P> = 0>
pair<K, V> unique_by_key(const P& policy, K first, K last, V values, Same... same) {
    return thrust::unique_by_key_copy(policy, first, last, values, first, values, same...);
}

template <class P, class I, class Same, detail::if_policy<P> = 0>
ptrdiff_t unique_count(const P& policy, I first, I last, Same same) {
    const auto from = make_discard_iterator();
    return thrust::unique_copy(policy, first, last, from, same) - from;
}
template <class P, class I, detail::if_policy<P> = 0>
ptrdiff_t unique_count(const P& policy, I first, I last) {
    return thrust::unique_count(policy, first, last, detail::Equal());
}

CUDA_EMULATOR_FROM_2(unique_copy)
CUDA_EMULATOR_FROM_1(unique)
CUDA_EMULATOR_FROM_4(unique_by_key_copy)
CUDA_EMULATOR_FROM_2(unique_by_key)
CUDA_EMULATOR_FROM_1(unique_count)

}  // namespace thrust

#endif
