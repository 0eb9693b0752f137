// Words that nvcc adds to C++. One compile serves host and device, so most say nothing here.
// `__shared__` is rewritten by nvcc (driver/rewrite.py) and deliberately not defined.
#ifndef CUDA_EMULATOR_QUALIFIERS_H
#define CUDA_EMULATOR_QUALIFIERS_H

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __builtin_align__(bytes) __align__(bytes)
#define __device_builtin__
#define __cudart_builtin__
#define CUDARTAPI
#define CUDART_CB

#endif
