#ifndef CUDA_EMULATOR_THRUST_SYSTEM_CUDA_VECTOR_H
#define CUDA_EMULATOR_THRUST_SYSTEM_CUDA_VECTOR_H

#include "thrust/detail/vector.h"

#endif
