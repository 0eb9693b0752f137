// cuRAND's host functions: NVIDIA's own header where it is found, or else
// curand_fallback/curand.h. The runtime implements them (runtime/curand_host.cpp).
#ifndef CUDA_EMULATOR_CURAND_H
#define CUDA_EMULATOR_CURAND_H

#include "cuda_runtime.h"
#include "library_types.h"

#include_next <curand.h>

#endif
