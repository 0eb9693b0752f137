// Who may touch device memory, and when.
#ifndef CUDA_EMULATOR_ACCESS_H
#define CUDA_EMULATOR_ACCESS_H

#include "driver_types.h"

namespace cuda_emulator {

// Whether the code that asks runs as device code.
bool in_kernel();

// While one lives, host code of the emulator may touch device memory (in strict mode nobody
// else may). Only one host thread at a time has it.
struct DeviceAccess {
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess&) = delete;
    DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// Likewise, for a library's algorithm that calls the user's functors: they are device code.
struct DeviceCode : DeviceAccess {
    DeviceCode();
    ~DeviceCode();
};

// To be called first by an operation that waits for `stream`: an earlier kernel's error, or
// what is wrong with waiting now (the stream is being captured).
cudaError_t synchronising_call(cudaStream_t stream);

}  // namespace cuda_emulator

#endif
