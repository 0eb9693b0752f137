#ifndef CUDA_EMULATOR_THRUST_DISTANCE_H
#define CUDA_EMULATOR_THRUST_DISTANCE_H

#include "thrust/detail/iterators.h"

#endif
