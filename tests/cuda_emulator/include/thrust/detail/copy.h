// Copies, between host and device as well.
#ifndef CUDA_EMULATOR_THRUST_DETAIL_COPY_H
#define CUDA_EMULATOR_THRUST_DETAIL_COPY_H

#include "thrust/detail/forward.h"

namespace thrust {
namespace detail {

template <class I, class O>
constexpr bool is_plain_copy =
    is_contiguous<I> && is_contiguous<O> && std::is_same<value_of<I>, value_of<O>>::value &&
    std::is_trivially_copyable<value_of<I>>::value;

template <class I, class O>
O copy_here(I first, I last, O out) {
    for (; first != last; ++first, ++out) *out = *first;
    return out;
}

template <class I, class O>
O copy_within(const HereTag&, I first, I last, O result) {
    if constexpr (is_random<I> && is_random<O>) {
        const ptrdiff_t n = last - first;
        copy_here(raw(first), raw(first) + n, raw(result));
        return result + n;
    } else {
        return copy_here(first, last, result);
    }
}

template <class Allocator, class I, class O>
O copy_within(const DevicePolicy<Allocator>& policy, I first, I last, O result) {
    const ptrdiff_t n = last - first;
    auto in = raw(first);
    auto out = raw(result);
    const Needs needs = independent("copy", n);
    if constexpr (is_plain_copy<I, O>) {
        if (!cuda_emulator::in_kernel()) {
            if (n > 0)
                throw_on_error(cudaMemcpyAsync(out, in, n * sizeof(*out),
                                               cudaMemcpyDeviceToDevice, policy.stream),
                               "copy failed");
            finish(policy, needs);
            return result + n;
        }
    }
    each(policy, needs, [=](ptrdiff_t i) { out[i] = in[i]; }, in, out);
    return result + n;
}

// Uninitialised memory of the host.
template <class T>
struct Buffer {
    T* values;
    explicit Buffer(size_t n) : values(static_cast<T*>(malloc(n != 0 ? n * sizeof(T) : 1))) {
        if (values == nullptr) throw system::detail::bad_alloc("temporary memory");
    }
    ~Buffer() { free(values); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
};

inline void copy_bytes(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return;
    const cudaStream_t stream = default_stream();
    throw_on_error(cudaMemcpyAsync(to, from, bytes, kind, stream), "copy failed");
    throw_on_error(cudaStreamSynchronize(stream), "copy failed to synchronize");
}

template <class I, class O>
O copy_between(Host, Device, I first, I last, O result) {
    using T = value_of<I>;
    const ptrdiff_t n = std::distance(first, last);
    if (n <= 0) return result;
    if constexpr (is_plain_copy<I, O>) {
        copy_bytes(raw(result), raw(first), n * sizeof(T), cudaMemcpyHostToDevice);
    } else {
        static_assert(std::is_trivially_copyable<T>::value,
                      "what is copied to the device must be trivially copyable");
        Buffer<T> buffer(n);
        T* to = buffer.values;
        for (I it = first; it != last; ++it, ++to) new (to) T(*it);
        const DevicePolicy<> policy;
        TemporaryMemory<DevicePolicy<>> memory(policy, n * sizeof(T));
        T* staged = static_cast<T*>(memory.get());
        copy_bytes(staged, buffer.values, n * sizeof(T), cudaMemcpyHostToDevice);
        copy_within(policy, staged, staged + n, result);
    }
    return result + n;
}

template <class I, class O>
O copy_between(Device, Host, I first, I last, O result) {
    using T = value_of<I>;
    const ptrdiff_t n = last - first;
    if (n <= 0) return result;
    if constexpr (is_plain_copy<I, O>) {
        copy_bytes(raw(result), raw(first), n * sizeof(T), cudaMemcpyDeviceToHost);
        return result + n;
    } else {
        static_assert(std::is_trivially_copyable<T>::value,
                      "what is copied from the device must be trivially copyable");
        Buffer<T> buffer(n);
        if constexpr (is_contiguous<I>) {
            copy_bytes(buffer.values, raw(first), n * sizeof(T), cudaMemcpyDeviceToHost);
        } else {
            const DevicePolicy<> policy;
            TemporaryMemory<DevicePolicy<>> memory(policy, n * sizeof(T));
            T* staged = static_cast<T*>(memory.get());
            copy_within(policy, first, last, staged);
            copy_bytes(buffer.values, staged, n * sizeof(T), cudaMemcpyDeviceToHost);
        }
        return copy_here(buffer.values, buffer.values + n, result);
    }
}

template <class From, class To, class I, class O>
O copy_between(From, To, I first, I last, O result) {
    return copy_within(policy_for<I, O>(), first, last, result);
}

}  // namespace detail
}  // namespace thrust

#endif
