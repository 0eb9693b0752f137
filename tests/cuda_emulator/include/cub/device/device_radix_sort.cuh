#ifndef CUDA_EMULATOR_CUB_DEVICE_RADIX_SORT_CUH
#define CUDA_EMULATOR_CUB_DEVICE_RADIX_SORT_CUH

#include "cub/detail/device.h"

namespace cub {
namespace detail {

template <size_t bytes>
struct Bits;
template <>
struct Bits<1> {
    using type = uint8_t;
};
template <>
struct Bits<2> {
    using type = uint16_t;
};
template <>
struct Bits<4> {
    using type = uint32_t;
};
template <>
struct Bits<8> {
    using type = uint64_t;
};

// Keys as unsigned numbers in the same order; the two zeros of a floating type are equal.
template <class K>
typename Bits<sizeof(K)>::type radix_bits(K key) {
    static_assert(std::is_arithmetic<K>::value, "a radix sort needs numbers as keys");
    using B = typename Bits<sizeof(K)>::type;
    constexpr B sign = B(B(1) << (8 * sizeof(K) - 1));
    if (std::is_floating_point<K>::value && key == K()) key = K();
    B bits;
    memcpy(&bits, &key, sizeof bits);
    if (std::is_floating_point<K>::value) return bits & sign ? B(~bits) : B(bits | sign);
    return std::is_signed<K>::value ? B(bits ^ sign) : bits;
}

struct RadixOrder {
    int begin_bit, end_bit;
    bool descending;

    template <class K>
    bool operator()(const K& a, const K& b) const {
        return descending ? digits(b) < digits(a) : digits(a) < digits(b);
    }
    template <class K>
    uint64_t digits(const K& key) const {
        const int width = end_bit - begin_bit;
        if (width <= 0) return 0;
        const uint64_t bits = uint64_t(radix_bits(key)) >> begin_bit;
        return width >= 64 ? bits : bits & ((uint64_t(1) << width) - 1);
    }
};

}  // namespace detail

struct DeviceRadixSort {
    template <class K, class V, class N>
    static cudaError_t SortPairs(void* memory, size_t& bytes, const K* keys_in, K* keys_out,
                                 const V* values_in, V* values_out, N num_items,
                                 int begin_bit = 0, int end_bit = 8 * sizeof(K),
                                 cudaStream_t stream = 0) {
        return pairs(memory, bytes, keys_in, keys_out, values_in, values_out, num_items,
                     {begin_bit, end_bit, false}, stream);
    }
    template <class K, class V, class N>
    static cudaError_t SortPairsDescending(void* memory, size_t& bytes, const K* keys_in,
                                           K* keys_out, const V* values_in, V* values_out,
                                           N num_items, int begin_bit = 0,
                                           int end_bit = 8 * sizeof(K),
                                           cudaStream_t stream = 0) {
        return pairs(memory, bytes, keys_in, keys_out, values_in, values_out, num_items,
                     {begin_bit, end_bit, true}, stream);
    }
    template <class K, class V, class N>
    static cudaError_t SortPairs(void* memory, size_t& bytes, DoubleBuffer<K>& keys,
                                 DoubleBuffer<V>& values, N num_items, int begin_bit = 0,
                                 int end_bit = 8 * sizeof(K), cudaStream_t stream = 0) {
        return pairs(memory, bytes, keys, values, num_items, {begin_bit, end_bit, false}, stream);
    }
    template <class K, class V, class N>
    static cudaError_t SortPairsDescending(void* memory, size_t& bytes, DoubleBuffer<K>& keys,
                                           DoubleBuffer<V>& values, N num_items,
                                           int begin_bit = 0, int end_bit = 8 * sizeof(K),
                                           cudaStream_t stream = 0) {
        return pairs(memory, bytes, keys, values, num_items, {begin_bit, end_bit, true}, stream);
    }

    template <class K, class N>
    static cudaError_t SortKeys(void* memory, size_t& bytes, const K* keys_in, K* keys_out,
                                N num_items, int begin_bit = 0, int end_bit = 8 * sizeof(K),
                                cudaStream_t stream = 0) {
        return keys_only(memory, bytes, keys_in, keys_out, num_items,
                         {begin_bit, end_bit, false}, stream);
    }
    template <class K, class N>
    static cudaError_t SortKeysDescending(void* memory, size_t& bytes, const K* keys_in,
                                          K* keys_out, N num_items, int begin_bit = 0,
                                          int end_bit = 8 * sizeof(K), cudaStream_t stream = 0) {
        return keys_only(memory, bytes, keys_in, keys_out, num_items, {begin_bit, end_bit, true},
                         stream);
    }
    template <class K, class N>
    static cudaError_t SortKeys(void* memory, size_t& bytes, DoubleBuffer<K>& keys, N num_items,
                                int begin_bit = 0, int end_bit = 8 * sizeof(K),
                                cudaStream_t stream = 0) {
        return keys_only(memory, bytes, keys, num_items, {begin_bit, end_bit, false}, stream);
    }
    template <class K, class N>
    static cudaError_t SortKeysDescending(void* memory, size_t& bytes, DoubleBuffer<K>& keys,
                                          N num_items, int begin_bit = 0,
                                          int end_bit = 8 * sizeof(K), cudaStream_t stream = 0) {
        return keys_only(memory, bytes, keys, num_items, {begin_bit, end_bit, true}, stream);
    }

private:
    // Input and output must be apart, as the passes on a card write back and forth.
    template <class T>
    static bool overlap(const T* in, const T* out, ptrdiff_t n) {
        return n > 0 && in < out + n && out < in + n;
    }
    static void refuse_overlap(bool overlapping) {
        if (overlapping)
            cuda_emulator::device_fault(cudaErrorIllegalAddress,
                                        "cub::DeviceRadixSort: input and output overlap");
    }

    template <class K, class V>
    static cudaError_t pairs(void* memory, size_t& bytes, const K* keys_in, K* keys_out,
                             const V* values_in, V* values_out, ptrdiff_t n,
                             detail::RadixOrder order, cudaStream_t stream) {
        return detail::run(
            "cub::DeviceRadixSort", memory, bytes, stream,
            detail::loops::sort_scratch<K*, V*>(n), n,
            [=](void* scratch) {
                refuse_overlap(overlap<K>(keys_in, keys_out, n) ||
                               overlap<V>(values_in, values_out, n));
                for (ptrdiff_t i = 0; i < n; ++i) {
                    keys_out[i] = keys_in[i];
                    values_out[i] = values_in[i];
                }
                detail::loops::stable_sort(keys_out, values_out, n, scratch, order);
            },
            keys_in, keys_out, values_in, values_out);
    }
    template <class K>
    static cudaError_t keys_only(void* memory, size_t& bytes, const K* keys_in, K* keys_out,
                                 ptrdiff_t n, detail::RadixOrder order, cudaStream_t stream) {
        return detail::run(
            "cub::DeviceRadixSort", memory, bytes, stream, detail::loops::sort_scratch<K*>(n), n,
            [=](void* scratch) {
                refuse_overlap(overlap<K>(keys_in, keys_out, n));
                for (ptrdiff_t i = 0; i < n; ++i) keys_out[i] = keys_in[i];
                detail::loops::stable_sort(keys_out, detail::loops::NoValues(), n, scratch,
                                           order);
            },
            keys_in, keys_out);
    }

    // With two buffers the result is in the other one, which a user must ask the selector for.
    template <class K, class V>
    static cudaError_t pairs(void* memory, size_t& bytes, DoubleBuffer<K>& keys,
                             DoubleBuffer<V>& values, ptrdiff_t n, detail::RadixOrder order,
                             cudaStream_t stream) {
        const bool query = memory == nullptr;
        const cudaError_t status =
            pairs(memory, bytes, keys.Current(), keys.Alternate(), values.Current(),
                  values.Alternate(), n, order, stream);
        if (!query && status == cudaSuccess) {
            keys.selector ^= 1;
            values.selector ^= 1;
        }
        return status;
    }
    template <class K>
    static cudaError_t keys_only(void* memory, size_t& bytes, DoubleBuffer<K>& keys, ptrdiff_t n,
                                 detail::RadixOrder order, cudaStream_t stream) {
        const bool query = memory == nullptr;
        const cudaError_t status = keys_only(memory, bytes, keys.Current(), keys.Alternate(), n,
                                             order, stream);
        if (!query && status == cudaSuccess) keys.selector ^= 1;
        return status;
    }
};

}  // namespace cub

#endif
