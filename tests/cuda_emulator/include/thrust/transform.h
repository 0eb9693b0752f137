#ifndef CUDA_EMULATOR_THRUST_TRANSFORM_H
#define CUDA_EMULATOR_THRUST_TRANSFORM_H

#include "thrust/detail/forward.h"

namespace thrust {

template <class P, class I, class O, class F, detail::if_policy<P> = 0>
O transform(const P& policy, I first, I last, O result, F function) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("transform", n),
        [=](ptrdiff_t i) mutable { out[i] = function(in[i]); }, in, out);
    return result + n;
}

template <class P, class I, class J, class O, class F, detail::if_policy<P> = 0>
O transform(const P& policy, I first, I last, J first2, O result, F function) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto in2 = detail::raw(first2);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("transform", n),
        [=](ptrdiff_t i) mutable { out[i] = function(in[i], in2[i]); }, in, in2, out);
    return result + n;
}

template <class P, class I, class O, class F, class Predicate, detail::if_policy<P> = 0>
O transform_if(const P& policy, I first, I last, O result, F function, Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    detail::each(
        policy, detail::independent("transform_if", n),
        [=](ptrdiff_t i) mutable {
            if (predicate(in[i])) out[i] = function(in[i]);
        },
        in, out);
    return result + n;
}

// With a stencil
template <class P, class I, class S, class O, class F, class Predicate, detail::if_policy<P> = 0>
O transform_if(const P& policy, I first, I last, S stencil, O result, F function,
               Predicate predicate) {
    const ptrdiff_t n = last - first;
    auto in = detail::raw(first);
    auto out = detail::raw(result);
    auto flags = detail::raw(stencil);
    detail::each(
        policy, detail::independent("transform_if", n),
        [=](ptrdiff_t i) mutable {
            if (predicate(flags[i])) out[i] = function(in[i]);
        },
        in, flags, out);
    return result + n;
}

template <class I, class O, class F>
O transform(I first, I last, O result, F function) {
    return thrust::transform(detail::policy_for<I, O>(), first, last, result, function);
}
template <class I, class J, class O, class F>
O transform(I first, I last, J first2, O result, F function) {
    return thrust::transform(detail::policy_for<I, J, O>(), first, last, first2, result,
                             function);
}
template <class I, class O, class F, class Predicate>
O transform_if(I first, I last, O result, F function, Predicate predicate) {
    return thrust::transform_if(detail::policy_for<I, O>(), first, last, result, function,
                                predicate);
}
template <class I, class S, class O, class F, class Predicate>
O transform_if(I first, I last, S stencil, O result, F function, Predicate predicate) {
    return thrust::transform_if(detail::policy_for<I, S, O>(), first, last, stencil, result,
                                function, predicate);
}

}  // namespace thrust

#endif
