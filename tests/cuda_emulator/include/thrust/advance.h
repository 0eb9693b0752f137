#ifndef CUDA_EMULATOR_THRUST_ADVANCE_H
#define CUDA_EMULATOR_THRUST_ADVANCE_H

#include "thrust/detail/iterators.h"

#endif
