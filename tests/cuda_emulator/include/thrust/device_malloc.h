#ifndef CUDA_EMULATOR_THRUST_DEVICE_MALLOC_H
#define CUDA_EMULATOR_THRUST_DEVICE_MALLOC_H

#include "thrust/detail/allocate.h"

#endif
