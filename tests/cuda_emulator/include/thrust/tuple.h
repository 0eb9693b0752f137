#ifndef CUDA_EMULATOR_THRUST_TUPLE_H
#define CUDA_EMULATOR_THRUST_TUPLE_H

#include "thrust/detail/config.h"

#endif
