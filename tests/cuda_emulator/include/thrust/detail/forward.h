// The overloads without a policy: the iterators' systems say where the algorithm runs.
//
// CUDA_EMULATOR_FROM_n(name): name(first, last, ...) whose first n iterators (first and last
// count as one) decide. CUDA_EMULATOR_COUNTED_n(name): likewise for name(first, count, ...).
#ifndef CUDA_EMULATOR_THRUST_FORWARD_H
#define CUDA_EMULATOR_THRUST_FORWARD_H

#include "thrust/detail/execute.h"
#include "thrust/detail/loops.h"

namespace thrust {
namespace detail {
template <class P>
using if_not_policy = std::enable_if_t<!std::is_base_of<PolicyBase, P>::value, int>;
}
}  // namespace thrust

#define CUDA_EMULATOR_FROM_1(name)                                                           \
    template <class I, class... Rest>                                                        \
    auto name(I first, I last, Rest... rest) {                                               \
        return thrust::name(detail::policy_for<I>(), first, last, rest...);                  \
    }
#define CUDA_EMULATOR_FROM_2(name)                                                           \
    template <class I, class J, class... Rest>                                               \
    auto name(I first, I last, J second, Rest... rest) {                                     \
        return thrust::name(detail::policy_for<I, J>(), first, last, second, rest...);       \
    }
#define CUDA_EMULATOR_FROM_3(name)                                                           \
    template <class I, class J, class K, class... Rest>                                      \
    auto name(I first, I last, J second, K third, Rest... rest) {                            \
        return thrust::name(detail::policy_for<I, J, K>(), first, last, second, third,       \
                            rest...);                                                        \
    }
#define CUDA_EMULATOR_FROM_4(name)                                                           \
    template <class I, class J, class K, class L, class... Rest>                             \
    auto name(I first, I last, J second, K third, L fourth, Rest... rest) {                  \
        return thrust::name(detail::policy_for<I, J, K, L>(), first, last, second, third,    \
                            fourth, rest...);                                                \
    }
#define CUDA_EMULATOR_COUNTED_1(name)                                                        \
    template <class I, class N, class... Rest, detail::if_not_policy<I> = 0>                 \
    auto name(I first, N count, Rest... rest) {                                              \
        return thrust::name(detail::policy_for<I>(), first, count, rest...);                 \
    }
#define CUDA_EMULATOR_COUNTED_2(name)                                                        \
    template <class I, class N, class J, class... Rest, detail::if_not_policy<I> = 0>        \
    auto name(I first, N count, J second, Rest... rest) {                                    \
        return thrust::name(detail::policy_for<I, J>(), first, count, second, rest...);      \
    }

#endif
