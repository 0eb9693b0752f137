#ifndef CUDA_EMULATOR_THRUST_DEVICE_PTR_H
#define CUDA_EMULATOR_THRUST_DEVICE_PTR_H

#include "thrust/detail/pointer.h"

#endif
