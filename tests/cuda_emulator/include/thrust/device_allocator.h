#ifndef CUDA_EMULATOR_THRUST_DEVICE_ALLOCATOR_H
#define CUDA_EMULATOR_THRUST_DEVICE_ALLOCATOR_H

#include "thrust/detail/allocate.h"

#endif
