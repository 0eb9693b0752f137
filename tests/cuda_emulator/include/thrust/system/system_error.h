#ifndef CUDA_EMULATOR_THRUST_SYSTEM_SYSTEM_ERROR_H
#define CUDA_EMULATOR_THRUST_SYSTEM_SYSTEM_ERROR_H

#include "thrust/detail/error.h"

#endif
