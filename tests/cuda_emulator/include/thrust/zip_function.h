#ifndef CUDA_EMULATOR_THRUST_ZIP_FUNCTION_H
#define CUDA_EMULATOR_THRUST_ZIP_FUNCTION_H

#include "thrust/detail/fancy.h"

#endif
