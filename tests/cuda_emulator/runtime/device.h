// The emulated cards, and what this process keeps about each.
#ifndef CUDA_EMULATOR_DEVICE_H
#define CUDA_EMULATOR_DEVICE_H

#include <mutex>
#include <set>

#include "cuda_runtime_api.h"

#include "cuda_emulator/cards.h"

namespace cuda_emulator {

struct Device {
    Card card;
    bool context = false;
    cudaError_t sticky = cudaSuccess;   // an error that no call gets rid of
    cudaError_t pending = cudaSuccess;  // of a kernel, until somebody waits for it
    size_t heap_limit = size_t(8) << 20;
    size_t heap_used = 0;
    size_t allocated = 0;
    std::string fault;
};

// One at a time uses the emulator. Recursive: a library's algorithm calls the API.
std::recursive_mutex& lock();

int device_count();
Device& device(int ordinal);
int current_device();

// The present thread's device with its context, for a call that works on it.
Device& use_device();

// `error`, noted as the thread's last one.
cudaError_t result(cudaError_t error);

// What every call that uses the device returns at once: a sticky error, or that there is none.
cudaError_t entry_error();

// What a call that waits returns: an error of an earlier kernel.
cudaError_t wait_error();

// An error in a kernel.
void kernel_failed(Device& device, cudaError_t error);

}  // namespace cuda_emulator

#endif
