// Telling the user what went wrong.
#ifndef CUDA_EMULATOR_REPORT_H
#define CUDA_EMULATOR_REPORT_H

#include "driver_types.h"

namespace cuda_emulator {

// One line on stderr, beginning with "cuda_emulator: ".
void complain(const char* text);

// Inside a kernel: says what happened and in which thread, and ends the kernel with `error`,
// which is sticky.
[[noreturn]] void device_fault(cudaError_t error, const char* text);

// Behind assert(): a device-side assert in a kernel, abort() on the host.
[[noreturn]] void assert_failed(const char* expression, const char* file, int line,
                                const char* function);

}  // namespace cuda_emulator

#endif
