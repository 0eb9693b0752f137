// Device memory: where it is, who may touch it, and what was there.
#ifndef CUDA_EMULATOR_MEMORY_H
#define CUDA_EMULATOR_MEMORY_H

#include <cstddef>
#include <string>

#include "cuda_runtime_api.h"

namespace cuda_emulator {

struct Allocation {
    char* data = nullptr;
    size_t bytes = 0;
    char* region = nullptr;  // whole pages; a guard page follows
    size_t region_bytes = 0;
    int device = 0;
    bool managed = false;
    bool open = false;  // strict mode: accessible until the present access ends
};

// Memory on `device`, or nullptr if it is full.
Allocation* allocate(int device, size_t bytes, bool managed = false);

// False if nothing begins at `data`.
bool release(void* data);

// The live allocation that holds `address`.
Allocation* find_allocation(const void* address);

// What is known of an address, for a message: "", or "12 bytes behind ...".
std::string describe_address(const void* address);

// Whether it lies where cudaMalloc() takes memory from, allocated or not.
bool in_arena(const void* address);

// Whether [address, address + bytes) is memory that device code may use.
bool is_device_memory(const void* address, size_t bytes);

// The same for memory that host code may use.
bool is_host_memory(const void* address);

// Looks for what was written around an allocation (or all of a device); complains and fails.
void check_borders(int device);

// Variables of device code at [begin, end) are no more.
void forget_symbols(const void* begin, const void* end);

// Of a device that is reset.
void free_all(int device);

// Strict mode, in a fault handler: opens the allocation at `address` for the present access.
bool open_allocation(const void* address);
void close_allocations();

// What the present access allows (see DeviceAccess); called around kernels too.
void begin_access();
void end_access();
bool accessing();

// cudaMemcpy() without its checks of streams.
cudaError_t check_copy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
void copy(void* to, const void* from, size_t bytes);

// malloc() and free() of device code.
void* heap_allocate(size_t bytes);
bool in_heap(const void* address);
void heap_release(void* address);

}  // namespace cuda_emulator

#endif
