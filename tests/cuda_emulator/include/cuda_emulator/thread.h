// Where a thread is: the built-in variables, and shared memory.
#ifndef CUDA_EMULATOR_THREAD_H
#define CUDA_EMULATOR_THREAD_H

#include <stddef.h>

#include "vector_types.h"

// Plain variables that the scheduler sets whenever it goes on with another thread.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
constexpr int warpSize = 32;

namespace cuda_emulator {

// The dynamic shared memory of the present block (`extern __shared__`).
void* dynamic_shared();

// Memory of the present block for the declaration that `tag` stands for (`__shared__`).
void* static_shared(const void* tag, size_t bytes, size_t alignment, const char* name);

}  // namespace cuda_emulator

long long clock64();
unsigned long long __globaltimer();
void __nanosleep(unsigned int nanoseconds);
[[noreturn]] void __trap();
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

#endif
