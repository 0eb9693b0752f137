#ifndef CUDA_EMULATOR_THRUST_BINARY_SEARCH_H
#define CUDA_EMULATOR_THRUST_BINARY_SEARCH_H

#include "thrust/detail/forward.h"

namespace thrust {
namespace detail {

// One value: the host waits for the place
template <class P, class I, class T, class Compare>
pair<ptrdiff_t, ptrdiff_t> search(const P& policy, I first, I last, const T& value,
                                  Compare before) {
    const ptrdiff_t n = last - first;
    auto sorted = raw(first);
    pair<ptrdiff_t, ptrdiff_t> bounds(0, 0);
    auto* to = &bounds;
    if (n > 0)
        alone(
            policy, with_result("binary_search", n),
            [=](void*) {
                to->first = loops::bound(sorted, n, value, before, true);
                to->second = loops::bound(sorted, n, value, before, false);
            },
            sorted);
    return bounds;
}

// Many values: each has a thread
template <class P, class I, class V, class O, class Compare, class Answer>
O search_each(const P& policy, I first, I last, V values_first, V values_last, O result,
              Compare before, Answer answer) {
    const ptrdiff_t n = last - first, count = values_last - values_first;
    auto sorted = raw(first);
    auto values = raw(values_first);
    auto out = raw(result);
    each(
        policy, independent("binary_search", count),
        [=](ptrdiff_t i) { out[i] = answer(sorted, n, values[i], before); }, values, out);
    return result + count;
}

struct LowerBound {
    template <class I, class T, class Compare>
    ptrdiff_t operator()(I sorted, ptrdiff_t n, const T& value, Compare before) const {
        return loops::bound(sorted, n, value, before, true);
    }
};
struct UpperBound {
    template <class I, class T, class Compare>
    ptrdiff_t operator()(I sorted, ptrdiff_t n, const T& value, Compare before) const {
        return loops::bound(sorted, n, value, before, false);
    }
};
struct Contains {
    template <class I, class T, class Compare>
    bool operator()(I sorted, ptrdiff_t n, const T& value, Compare before) const {
        const ptrdiff_t at = loops::bound(sorted, n, value, before, true);
        return at < n && !before(value, sorted[at]);
    }
};

}  // namespace detail

template <class P, class I, class T, class Compare, detail::if_policy<P> = 0>
I lower_bound(const P& policy, I first, I last, const T& value, Compare before) {
    return first + detail::search(policy, first, last, value, before).first;
}
template <class P, class I, class T, class Compare, detail::if_policy<P> = 0>
I upper_bound(const P& policy, I first, I last, const T& value, Compare before) {
    return first + detail::search(policy, first, last, value, before).second;
}
template <class P, class I, class T, class Compare, detail::if_policy<P> = 0>
bool binary_search(const P& policy, I first, I last, const T& value, Compare before) {
    const auto bounds = detail::search(policy, first, last, value, before);
    return bounds.first != bounds.second;
}
template <class P, class I, class T, class Compare, detail::if_policy<P> = 0>
pair<I, I> equal_range(const P& policy, I first, I last, const T& value, Compare before) {
    const auto bounds = detail::search(policy, first, last, value, before);
    return {first + bounds.first, first + bounds.second};
}
template <class P, class I, class T, detail::if_policy<P> = 0>
I lower_bound(const P& policy, I first, I last, const T& value) {
    return thrust::lower_bound(policy, first, last, value, detail::Less());
}
template <class P, class I, class T, detail::if_policy<P> = 0>
I upper_bound(const P& policy, I first, I last, const T& value) {
    return thrust::upper_bound(policy, first, last, value, detail::Less());
}
template <class P, class I, class T, detail::if_policy<P> = 0>
bool binary_search(const P& policy, I first, I last, const T& value) {
    return thrust::binary_search(policy, first, last, value, detail::Less());
}
template <class P, class I, class T, detail::if_policy<P> = 0>
pair<I, I> equal_range(const P& policy, I first, I last, const T& value) {
    return thrust::equal_range(policy, first, last, value, detail::Less());
}

template <class P, class I, class V, class O, class Compare, detail::if_policy<P> = 0>
O lower_bound(const P& policy, I first, I last, V values, V values_last, O result,
              Compare before) {
    return detail::search_each(policy, first, last, values, values_last, result, before,
                               detail::LowerBound());
}
template <class P, class I, class V, class O, class Compare, detail::if_policy<P> = 0>
O upper_bound(const P& policy, I first, I last, V values, V values_last, O result,
              Compare before) {
    return detail::search_each(policy, first, last, values, values_last, result, before,
                               detail::UpperBound());
}
template <class P, class I, class V, class O, class Compare, detail::if_policy<P> = 0>
O binary_search(const P& policy, I first, I last, V values, V values_last, O result,
                Compare before) {
    return detail::search_each(policy, first, last, values, values_last, result, before,
                               detail::Contains());
}
template <class P, class I, class V, class O, detail::if_policy<P> = 0>
O lower_bound(const P& policy, I first, I last, V values, V values_last, O result) {
    return thrust::lower_bound(policy, first, last, values, values_last, result, detail::Less());
}
template <class P, class I, class V, class O, detail::if_policy<P> = 0>
O upper_bound(const P& policy, I first, I last, V values, V values_last, O result) {
    return thrust::upper_bound(policy, first, last, values, values_last, result, detail::Less());
}
template <class P, class I, class V, class O, detail::if_policy<P> = 0>
O binary_search(const P& policy, I first, I last, V values, V values_last, O result) {
    return thrust::binary_search(policy, first, last, values, values_last, result,
                                 detail::Less());
}

// One value and an order, or many values: told apart by the number of arguments
#define CUDA_EMULATOR_SEARCH(name)                                                           \
    template <class I, class T>                                                              \
    auto name(I first, I last, const T& value) {                                             \
        return thrust::name(detail::policy_for<I>(), first, last, value);                    \
    }                                                                                        \
    template <class I, class T, class Compare>                                               \
    auto name(I first, I last, const T& value, Compare before) {                             \
        return thrust::name(detail::policy_for<I>(), first, last, value, before);            \
    }
#define CUDA_EMULATOR_SEARCH_EACH(name)                                                      \
    template <class I, class V, class O, class... Compare>                                   \
    O name(I first, I last, V values, V values_last, O result, Compare... before) {          \
        return thrust::name(detail::policy_for<I, V, O>(), first, last, values, values_last, \
                            result, before...);                                              \
    }
CUDA_EMULATOR_SEARCH(lower_bound)
CUDA_EMULATOR_SEARCH(upper_bound)
CUDA_EMULATOR_SEARCH(binary_search)
CUDA_EMULATOR_SEARCH(equal_range)
CUDA_EMULATOR_SEARCH_EACH(lower_bound)
CUDA_EMULATOR_SEARCH_EACH(upper_bound)
CUDA_EMULATOR_SEARCH_EACH(binary_search)
#undef CUDA_EMULATOR_SEARCH
#undef CUDA_EMULATOR_SEARCH_EACH

}  // namespace thrust

#endif
