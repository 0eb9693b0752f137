#ifndef CUDA_EMULATOR_THRUST_PAIR_H
#define CUDA_EMULATOR_THRUST_PAIR_H

#include "thrust/detail/config.h"

#endif
