#ifndef CUDA_EMULATOR_THRUST_DEVICE_VECTOR_H
#define CUDA_EMULATOR_THRUST_DEVICE_VECTOR_H

#include "thrust/detail/vector.h"

#endif
