#ifndef CUDA_EMULATOR_CUB_THREAD_OPERATORS_CUH
#define CUDA_EMULATOR_CUB_THREAD_OPERATORS_CUH

#include "cub/util_type.cuh"

namespace cub {

// Of pairs (index, value); of equal values the one with the lower index.
struct ArgMax {
    template <class K, class V>
    KeyValuePair<K, V> operator()(const KeyValuePair<K, V>& a,
                                  const KeyValuePair<K, V>& b) const {
        return b.value > a.value || (b.value == a.value && b.key < a.key) ? b : a;
    }
};
struct ArgMin {
    template <class K, class V>
    KeyValuePair<K, V> operator()(const KeyValuePair<K, V>& a,
                                  const KeyValuePair<K, V>& b) const {
        return b.value < a.value || (b.value == a.value && b.key < a.key) ? b : a;
    }
};

}  // namespace cub

#endif
