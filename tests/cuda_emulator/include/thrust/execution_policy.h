#ifndef CUDA_EMULATOR_THRUST_EXECUTION_POLICY_H
#define CUDA_EMULATOR_THRUST_EXECUTION_POLICY_H

#include "thrust/detail/policy.h"

#endif
