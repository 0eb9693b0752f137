// Runs an algorithm where its policy says: here, or as kernels on a stream.
//
// An algorithm on the device is a launch like any other: its functors are device code, it is
// recorded where the stream is captured, and errors are a kernel's errors. As on a card there
// are temporary memory and waiting, which may fail, too.
#ifndef CUDA_EMULATOR_THRUST_EXECUTE_H
#define CUDA_EMULATOR_THRUST_EXECUTE_H

#include <stdio.h>
#include <stdlib.h>

#include "cuda_emulator/launch.h"
#include "thrust/detail/policy.h"

namespace thrust {
namespace detail {

// What an algorithm needs.
struct Needs {
    const char* name;
    ptrdiff_t n;
    bool temporary = false;  // on a card it allocates temporary memory
    bool result = false;     // the host waits for a value
    size_t scratch = 0;      // bytes that our own loop uses
};
inline Needs independent(const char* name, ptrdiff_t n) { return {name, n}; }
inline Needs with_temporary(const char* name, ptrdiff_t n, size_t scratch = 0) {
    return {name, n, true, false, scratch};
}
inline Needs with_result(const char* name, ptrdiff_t n, size_t scratch = 0) {
    return {name, n, true, true, scratch};
}

// Threads of a card do not reach the host's memory.
inline void refuse_host_memory(const char* name, const void* host_memory) {
    if (host_memory == nullptr) return;
    char text[192];
    snprintf(text, sizeof text, "%s: an algorithm on the device was given host memory at %p", name,
             host_memory);
    cuda_emulator::device_fault(cudaErrorIllegalAddress, text);
}

template <class Work>
__global__ void run_alone(Work work, void* scratch, const char* name, const void* host_memory) {
    refuse_host_memory(name, host_memory);
    work(scratch);
}

template <class Work>
__global__ void run_each(Work work, ptrdiff_t n, const char* name, const void* host_memory) {
    refuse_host_memory(name, host_memory);
    const ptrdiff_t i = ptrdiff_t(blockIdx.x) * ptrdiff_t(blockDim.x) + threadIdx.x;
    if (i < n) work(i);
}

template <class Policy>
class TemporaryMemory {
    const Policy& policy;
    char* memory = nullptr;
    size_t bytes;
    bool asynchronous = false;

public:
    TemporaryMemory(const Policy& policy, size_t bytes) : policy(policy), bytes(bytes) {
        if (bytes == 0) return;
        void* found = nullptr;
        if (!policy.waits && cudaMallocAsync(&found, bytes, policy.stream) == cudaSuccess) {
            asynchronous = true;
        } else {
            cudaGetLastError();
            const cudaError_t status = cudaMalloc(&found, bytes);
            if (status != cudaSuccess) throw_bad_alloc(status);
        }
        memory = static_cast<char*>(found);
    }
    ~TemporaryMemory() {
        // An error here was met before, in the algorithm itself
        if (memory == nullptr) return;
        if ((asynchronous ? cudaFreeAsync(memory, policy.stream) : cudaFree(memory)) !=
            cudaSuccess)
            cudaGetLastError();
    }
    TemporaryMemory(const TemporaryMemory&) = delete;
    TemporaryMemory& operator=(const TemporaryMemory&) = delete;
    void* get() const { return memory; }
};

template <class Allocator>
struct AllocatedMemory {
    Allocator& allocator;
    size_t bytes;
    decltype(std::declval<Allocator&>().allocate(size_t())) memory;
    AllocatedMemory(Allocator& allocator, size_t bytes)
        : allocator(allocator), bytes(bytes), memory(allocator.allocate(bytes)) {}
    ~AllocatedMemory() { allocator.deallocate(memory, bytes); }
    AllocatedMemory(const AllocatedMemory&) = delete;
    AllocatedMemory& operator=(const AllocatedMemory&) = delete;
    void* get() const { return raw_pointer_cast(memory); }
};

template <class Policy>
void finish(const Policy& policy, const Needs& needs) {
    char text[96];
    snprintf(text, sizeof text, "%s failed", needs.name);
    throw_on_error(cudaPeekAtLastError(), text);
    if (!policy.waits && !needs.result) return;
    snprintf(text, sizeof text, "%s failed to synchronize", needs.name);
    throw_on_error(cudaStreamSynchronize(policy.stream), text);
}

template <class Policy, class Work, class... I>
void launch_alone(const Policy& policy, const Needs& needs, void* scratch, Work work,
                  const I&... its) {
    const void* host_memory = nullptr;
    if (needs.n > 0)
        ((host_memory = host_memory != nullptr ? host_memory : host_only_memory(its)), ...);
    cuda_emulator::launch(run_alone<Work>, dim3(1), dim3(1), 0, policy.stream)(
        work, scratch, needs.name, host_memory);
    finish(policy, needs);
}

template <class Work>
void run_here(const Needs& needs, Work work) {
    void* scratch = nullptr;
    if (needs.scratch != 0) {
        scratch = malloc(needs.scratch);
        if (scratch == nullptr) {
            if (cuda_emulator::in_kernel())
                cuda_emulator::device_fault(cudaErrorMemoryAllocation,
                                            "thrust: the device heap is full");
            throw system::detail::bad_alloc("temporary memory");
        }
    }
    struct Guard {
        void* memory;
        ~Guard() {
            if (memory != nullptr) free(memory);
        }
    } guard{scratch};
    work(scratch);
}

// work(scratch) does the whole of an algorithm. `its` are the raw iterators that it uses.
template <class Work, class... I>
void alone(const HereTag&, const Needs& needs, Work work, const I&...) {
    run_here(needs, work);
}

template <class Allocator, class Work, class... I>
void alone(const DevicePolicy<Allocator>& policy, const Needs& needs, Work work,
           const I&... its) {
    if (cuda_emulator::in_kernel()) {
        run_here(needs, work);
        return;
    }
    const size_t bytes = needs.scratch + (needs.temporary ? 1024 : 0);
    if (needs.result)
        throw_on_error(cuda_emulator::synchronising_call(policy.stream), needs.name);
    if constexpr (!std::is_same<Allocator, NoAllocator>::value) {
        if (bytes != 0) {
            AllocatedMemory<Allocator> memory(*policy.allocator, bytes);
            launch_alone(policy, needs, memory.get(), work, its...);
            return;
        }
    }
    TemporaryMemory<DevicePolicy<Allocator>> memory(policy, bytes);
    launch_alone(policy, needs, memory.get(), work, its...);
}

// work(i) for each i below n, in no particular order: on the device by a thread of its own.
template <class Work, class... I>
void each(const HereTag&, const Needs& needs, Work work, const I&...) {
    for (ptrdiff_t i = 0; i < needs.n; ++i) work(i);
}

template <class Allocator, class Work, class... I>
void each(const DevicePolicy<Allocator>& policy, const Needs& needs, Work work,
          const I&... its) {
    if (cuda_emulator::in_kernel()) {
        for (ptrdiff_t i = 0; i < needs.n; ++i) work(i);
        return;
    }
    if (needs.n > 0) {
        const void* host_memory = nullptr;
        ((host_memory = host_memory != nullptr ? host_memory : host_only_memory(its)), ...);
        const unsigned int threads = 256;
        const ptrdiff_t blocks = (needs.n + threads - 1) / threads;
        cuda_emulator::launch(run_each<Work>, dim3(static_cast<unsigned int>(blocks)),
                              dim3(threads), 0, policy.stream)(work, needs.n, needs.name,
                                                               host_memory);
    }
    finish(policy, needs);
}

}  // namespace detail
}  // namespace thrust

#endif
