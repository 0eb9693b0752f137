#ifndef CUDA_EMULATOR_THRUST_UNIVERSAL_VECTOR_H
#define CUDA_EMULATOR_THRUST_UNIVERSAL_VECTOR_H

#include "thrust/detail/vector.h"

namespace thrust {

// Memory that host and device share; algorithms need thrust::device to run on the device.
template <class T, class Allocator = universal_allocator<T>>
using universal_vector = host_vector<T, Allocator>;
template <class T>
using universal_host_pinned_vector = host_vector<T, universal_host_pinned_allocator<T>>;

}  // namespace thrust

#endif
