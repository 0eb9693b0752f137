#ifndef CUDA_EMULATOR_THRUST_DEVICE_NEW_H
#define CUDA_EMULATOR_THRUST_DEVICE_NEW_H

#include "thrust/detail/allocate.h"
#include "thrust/uninitialized_fill.h"

namespace thrust {

template <class T>
device_ptr<T> device_new(device_ptr<void> place, const T& value, size_t n = 1) {
    device_ptr<T> first(static_cast<T*>(place.get()));
    thrust::uninitialized_fill_n(first, n, value);
    return first;
}
template <class T>
device_ptr<T> device_new(size_t n = 1) {
    device_ptr<T> first = thrust::device_malloc<T>(n);
    return thrust::device_new<T>(device_ptr<void>(first), T(), n);
}
template <class T>
device_ptr<T> device_new(device_ptr<void> place, size_t n = 1) {
    return thrust::device_new<T>(place, T(), n);
}

}  // namespace thrust

#endif
