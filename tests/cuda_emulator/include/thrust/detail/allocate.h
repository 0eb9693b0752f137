// Memory of the device, and allocators for the vectors.
#ifndef CUDA_EMULATOR_THRUST_ALLOCATE_H
#define CUDA_EMULATOR_THRUST_ALLOCATE_H

#include "thrust/detail/pointer.h"

namespace thrust {

inline device_ptr<void> device_malloc(size_t bytes) {
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status != cudaSuccess) detail::throw_bad_alloc(status);
    return device_ptr<void>(memory);
}
template <class T>
device_ptr<T> device_malloc(size_t n) {
    return device_ptr<T>(static_cast<T*>(thrust::device_malloc(n * sizeof(T)).get()));
}

inline void device_free(device_ptr<void> pointer) {
    detail::throw_on_error(cudaFree(pointer.get()), "device free failed");
}

namespace detail {

template <class T, class P, cudaError_t (*allocate_bytes)(void**, size_t),
          cudaError_t (*free_bytes)(void*)>
struct CudaAllocator {
    using value_type = T;
    using pointer = P;
    using size_type = size_t;
    using difference_type = ptrdiff_t;

    CudaAllocator() = default;
    template <class U, class Q>
    CudaAllocator(const CudaAllocator<U, Q, allocate_bytes, free_bytes>&) {}

    pointer allocate(size_t n) {
        void* memory = nullptr;
        const cudaError_t status = allocate_bytes(&memory, n * sizeof(T));
        if (status != cudaSuccess) throw_bad_alloc(status);
        return pointer(static_cast<T*>(memory));
    }
    void deallocate(pointer memory, size_t) {
        throw_on_error(free_bytes(const_cast<std::remove_const_t<T>*>(raw_pointer_cast(memory))),
                       "CUDA free failed");
    }
    friend bool operator==(const CudaAllocator&, const CudaAllocator&) { return true; }
    friend bool operator!=(const CudaAllocator&, const CudaAllocator&) { return false; }
};

inline cudaError_t allocate_device(void** memory, size_t n) { return cudaMalloc(memory, n); }
inline cudaError_t allocate_managed(void** memory, size_t n) {
    return cudaMallocManaged(memory, n, cudaMemAttachGlobal);
}
inline cudaError_t allocate_pinned(void** memory, size_t n) {
    return cudaMallocHost(memory, n);
}
inline cudaError_t free_device(void* memory) { return cudaFree(memory); }
inline cudaError_t free_pinned(void* memory) { return cudaFreeHost(memory); }

}  // namespace detail

template <class T>
using device_allocator =
    detail::CudaAllocator<T, device_ptr<T>, detail::allocate_device, detail::free_device>;
template <class T>
using device_malloc_allocator = device_allocator<T>;
template <class T>
using universal_allocator =
    detail::CudaAllocator<T, T*, detail::allocate_managed, detail::free_device>;
template <class T>
using universal_host_pinned_allocator =
    detail::CudaAllocator<T, T*, detail::allocate_pinned, detail::free_pinned>;

}  // namespace thrust

#endif
