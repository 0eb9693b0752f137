#ifndef CUDA_EMULATOR_THRUST_EQUAL_H
#define CUDA_EMULATOR_THRUST_EQUAL_H

#include "thrust/mismatch.h"

namespace thrust {

template <class P, class I, class J, class... Same, detail::if_policy<P> = 0>
bool equal(const P& policy, I first, I last, J first2, Same... same) {
    return thrust::mismatch(policy, first, last, first2, same...).first == last;
}

CUDA_EMULATOR_FROM_2(equal)

}  // namespace thrust

#endif
