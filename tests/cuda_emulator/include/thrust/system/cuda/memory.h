#ifndef CUDA_EMULATOR_THRUST_SYSTEM_CUDA_MEMORY_H
#define CUDA_EMULATOR_THRUST_SYSTEM_CUDA_MEMORY_H

#include "thrust/detail/allocate.h"

#endif
