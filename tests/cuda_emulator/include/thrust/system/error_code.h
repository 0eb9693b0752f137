#ifndef CUDA_EMULATOR_THRUST_SYSTEM_ERROR_CODE_H
#define CUDA_EMULATOR_THRUST_SYSTEM_ERROR_CODE_H

#include "thrust/detail/error.h"

#endif
