#ifndef CUDA_EMULATOR_THRUST_EXTREMA_H
#define CUDA_EMULATOR_THRUST_EXTREMA_H

#include "thrust/detail/forward.h"

namespace thrust {
namespace detail {

struct Extrema {
    ptrdiff_t least = 0, greatest = 0;
};

// The first of the least, and the first of the greatest.
template <class P, class I, class Compare>
Extrema extrema(const P& policy, const char* name, I first, ptrdiff_t n, Compare before) {
    auto in = raw(first);
    Extrema found;
    Extrema* to = &found;
    if (n > 0)
        alone(
            policy, with_result(name, n),
            [=](void*) mutable {
                Extrema best;
                for (ptrdiff_t i = 1; i < n; ++i) {
                    if (before(in[i], in[best.least])) best.least = i;
                    if (before(in[best.greatest], in[i])) best.greatest = i;
                }
                *to = best;
            },
            in);
    return found;
}

}  // namespace detail

template <class P, class I, class Compare, detail::if_policy<P> = 0>
I min_element(const P& policy, I first, I last, Compare before) {
    return first + detail::extrema(policy, "min_element", first, last - first, before).least;
}
template <class P, class I, class Compare, detail::if_policy<P> = 0>
I max_element(const P& policy, I first, I last, Compare before) {
    return first + detail::extrema(policy, "max_element", first, last - first, before).greatest;
}
template <class P, class I, class Compare, detail::if_policy<P> = 0>
pair<I, I> minmax_element(const P& policy, I first, I last, Compare before) {
    const auto found = detail::extrema(policy, "minmax_element", first, last - first, before);
    return {first + found.least, first + found.greatest};
}
template <class P, class I, detail::if_policy<P> = 0>
I min_element(const P& policy, I first, I last) {
    return thrust::min_element(policy, first, last, detail::Less());
}
template <class P, class I, detail::if_policy<P> = 0>
I max_element(const P& policy, I first, I last) {
    return thrust::max_element(policy, first, last, detail::Less());
}
template <class P, class I, detail::if_policy<P> = 0>
pair<I, I> minmax_element(const P& policy, I first, I last) {
    return thrust::minmax_element(policy, first, last, detail::Less());
}

CUDA_EMULATOR_FROM_1(min_element)
CUDA_EMULATOR_FROM_1(max_element)
CUDA_EMULATOR_FROM_1(minmax_element)

template <class T>
T min(const T& a, const T& b) {
    return b < a ? b : a;
}
template <class T>
T max(const T& a, const T& b) {
    return a < b ? b : a;
}
template <class T, class Compare>
T min(const T& a, const T& b, Compare before) {
    return before(b, a) ? b : a;
}
template <class T, class Compare>
T max(const T& a, const T& b, Compare before) {
    return before(a, b) ? b : a;
}

}  // namespace thrust

#endif
