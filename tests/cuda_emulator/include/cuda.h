// The driver API is not emulated for programs; this is for those that include it by habit.
#ifndef CUDA_EMULATOR_CUDA_H
#define CUDA_EMULATOR_CUDA_H

#include "cuda_runtime_api.h"

#define CUDA_VERSION CUDART_VERSION

#endif
