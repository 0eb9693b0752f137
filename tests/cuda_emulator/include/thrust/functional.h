#ifndef CUDA_EMULATOR_THRUST_FUNCTIONAL_H
#define CUDA_EMULATOR_THRUST_FUNCTIONAL_H

#include "thrust/detail/functional.h"

#endif
