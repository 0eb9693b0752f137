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

// Who accesses memory, for the race detector: accesses of two threads are in order if a barrier
// that both have passed lies between them.
struct Place {
    unsigned block = 0, thread = 0, warp = 0;
    unsigned grid_epoch = 0, block_epoch = 0, warp_epoch = 0;  // barriers passed
};
Place present_place();
unsigned long long present_launch();  // another number for each grid
bool on_own_stack(const void* address);

// User functors in a library's algorithm are device code without threads.
void device_code(bool begins);

}  // namespace cuda_emulator

#endif
