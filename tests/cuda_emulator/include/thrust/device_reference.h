#ifndef CUDA_EMULATOR_THRUST_DEVICE_REFERENCE_H
#define CUDA_EMULATOR_THRUST_DEVICE_REFERENCE_H

#include "thrust/detail/pointer.h"

#endif
