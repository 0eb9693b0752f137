// Constants under the names that CUDA gives them.
#ifndef CUDA_EMULATOR_MATH_CONSTANTS_H
#define CUDA_EMULATOR_MATH_CONSTANTS_H

#include <math.h>

#define CUDART_INF_F __builtin_inff()
#define CUDART_NAN_F __builtin_nanf("")
#define CUDART_INF __builtin_inf()
#define CUDART_NAN __builtin_nan("")
#define CUDART_PI 3.1415926535897931e+0
#define CUDART_PI_F 3.141592654F

#endif
