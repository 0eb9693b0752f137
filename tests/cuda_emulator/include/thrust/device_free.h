#ifndef CUDA_EMULATOR_THRUST_DEVICE_FREE_H
#define CUDA_EMULATOR_THRUST_DEVICE_FREE_H

#include "thrust/detail/allocate.h"

#endif
