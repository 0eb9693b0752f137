#ifndef CUDA_EMULATOR_THRUST_DEVICE_DELETE_H
#define CUDA_EMULATOR_THRUST_DEVICE_DELETE_H

#include "thrust/detail/allocate.h"
#include "thrust/detail/execute.h"

namespace thrust {

template <class T>
void device_delete(device_ptr<T> first, size_t n = 1) {
    T* values = first.get();
    detail::each(
        detail::DevicePolicy<>(), detail::independent("device_delete", n),
        [=](ptrdiff_t i) { values[i].~T(); }, values);
    thrust::device_free(first);
}

}  // namespace thrust

#endif
