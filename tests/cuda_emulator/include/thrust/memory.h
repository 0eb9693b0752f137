#ifndef CUDA_EMULATOR_THRUST_MEMORY_H
#define CUDA_EMULATOR_THRUST_MEMORY_H

#include "thrust/detail/allocate.h"

#endif
