// Runs the threads of a grid, one at a time.
#ifndef CUDA_EMULATOR_SCHEDULER_H
#define CUDA_EMULATOR_SCHEDULER_H

#include <string>

#include "cuda_emulator/launch.h"

namespace cuda_emulator {

// How threads and blocks follow one another.
struct Order {
    enum Kind { forward, reverse, random } kind = forward;
    unsigned long long seed = 0;
};
Order parse_order(const std::string& text);

// Runs all threads to their end; the error of a fault otherwise. Only one grid runs at a time:
// the caller holds the execution lock.
cudaError_t run_grid(const Configuration& configuration, const KernelCall& call,
                     const Order& order);

// For fault handlers: whether a grid is being run by this thread, where it is, and its end.
bool grid_running();
std::string present_thread();
bool stack_overflowed(const void* address);
[[noreturn]] void abandon_grid(cudaError_t error);

// User functors in a library's algorithm are device code without threads.
void device_code(bool begins);

}  // namespace cuda_emulator

#endif
