// Kernel launches: what a configuration may be, and running what passes.
#include "cuda_emulator/launch.h"

#include <link.h>

#include <algorithm>
#include <map>

#include "cuda_emulator/access.h"
#include "cuda_emulator/report.h"
#include "cuda_emulator/state.h"
#include "cuda_runtime_api.h"
#include "device.h"
#include "fault.h"
#include "memory.h"
#include "options.h"
#include "scheduler.h"
#include "stream.h"

namespace cuda_emulator {

namespace {

std::map<const void*, std::shared_ptr<const KernelCall>>& kernels() {
    static auto* all = new std::map<const void*, std::shared_ptr<const KernelCall>>;
    return *all;
}

// Bytes of dynamic shared memory that a kernel was allowed beyond 48 KiB.
std::map<const void*, size_t>& allowed_shared() {
    static auto* all = new std::map<const void*, size_t>;
    return *all;
}

int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

int blocks_that_fit(const cudaDeviceProp& card, int threads, size_t shared) {
    const int warps = round_up(threads, 32) / 32;
    const int by_threads = card.maxThreadsPerMultiProcessor / 32 / warps;
    const int by_registers = card.regsPerMultiprocessor / (options().registers * 32) / warps;
    int blocks = std::min({by_threads, by_registers, card.maxBlocksPerMultiProcessor});
    if (shared)
        blocks = std::min(blocks, int(card.sharedMemPerMultiprocessor /
                                      (shared + card.reservedSharedMemPerBlock)));
    return blocks;
}

}  // namespace

std::shared_ptr<const KernelCall> known_kernel(const void* function) {
    const auto found = kernels().find(function);
    return found == kernels().end() ? nullptr : found->second;
}

void remember_kernel(const std::shared_ptr<const KernelCall>& call) {
    kernels()[call->function()] = call;
}

static int find_module(dl_phdr_info* info, size_t, void* found) {
    // The argument: an address, to be replaced by the bounds of what it lies in
    auto* range = static_cast<std::pair<uintptr_t, uintptr_t>*>(found);
    uintptr_t begin = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& part = info->dlpi_phdr[i];
        if (part.p_type != PT_LOAD) continue;
        begin = std::min(begin, uintptr_t(info->dlpi_addr + part.p_vaddr));
        end = std::max(end, uintptr_t(info->dlpi_addr + part.p_vaddr + part.p_memsz));
    }
    if (range->first < begin || range->first >= end) return 0;
    *range = {begin, end};
    return 1;
}

void forget_module(const void* inside) {
    std::pair<uintptr_t, uintptr_t> range(uintptr_t(inside), 0);
    if (!dl_iterate_phdr(find_module, &range)) return;
    const auto *begin = reinterpret_cast<const void*>(range.first),
               *end = reinterpret_cast<const void*>(range.second);
    std::lock_guard<std::recursive_mutex> guard(lock());
    forget_symbols(begin, end);
    kernels().erase(kernels().lower_bound(begin), kernels().lower_bound(end));
    allowed_shared().erase(allowed_shared().lower_bound(begin), allowed_shared().lower_bound(end));
}

cudaError_t check_configuration(const Configuration& c, const KernelCall& call) {
    cudaDeviceProp card;
    if (const cudaError_t error = cudaGetDeviceProperties(&card, current_device())) return error;
    const dim3 g = c.grid, b = c.block;
    if (!g.x || !g.y || !g.z || !b.x || !b.y || !b.z) return cudaErrorInvalidConfiguration;
    if (g.x > unsigned(card.maxGridSize[0]) || g.y > unsigned(card.maxGridSize[1]) ||
        g.z > unsigned(card.maxGridSize[2]))
        return cudaErrorInvalidConfiguration;
    if (b.x > unsigned(card.maxThreadsDim[0]) || b.y > unsigned(card.maxThreadsDim[1]) ||
        b.z > unsigned(card.maxThreadsDim[2]))
        return cudaErrorInvalidConfiguration;
    const unsigned long long threads = 1ull * b.x * b.y * b.z;
    if (threads > unsigned(card.maxThreadsPerBlock)) return cudaErrorInvalidConfiguration;
    if (threads > unsigned(options().kernel_threads)) return cudaErrorLaunchOutOfResources;
    size_t shared = card.sharedMemPerBlock;
    const auto allowed = allowed_shared().find(call.function());
    if (allowed != allowed_shared().end()) shared = std::max(shared, allowed->second);
    if (c.shared > shared) return cudaErrorInvalidValue;
    if (c.cooperative &&
        1ull * g.x * g.y * g.z > 1ull * unsigned(blocks_that_fit(card, int(threads), c.shared)) *
                                     unsigned(card.multiProcessorCount))
        return cudaErrorCooperativeLaunchTooLarge;
    return cudaSuccess;
}

cudaError_t run_kernel(const Configuration& configuration, const KernelCall& call) {
    Device& here = use_device();
    watch_faults();
    State& shared = state();
    shared.begin_kernel(here.card.index);
    begin_access();
    const cudaError_t error = run_grid(configuration, call, options().order);
    end_access();
    shared.end_kernel(here.card.index);
    if (error != cudaSuccess) kernel_failed(here, error);
    return here.sticky;
}

Work kernel_work(const Configuration& configuration, std::shared_ptr<const KernelCall> call) {
    Work work;
    work.type = cudaGraphNodeTypeKernel;
    work.configuration = configuration;
    work.call = call;
    work.run = [configuration, call] { return run_kernel(configuration, *call); };
    return work;
}

cudaError_t submit(const Configuration& configuration, std::shared_ptr<const KernelCall> call) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (grid_running()) {
        complain("a kernel launches a kernel, which the emulator cannot do");
        return result(cudaErrorNotSupported);
    }
    if (const cudaError_t error = entry_error()) return result(error);
    if (const cudaError_t error = check_configuration(configuration, *call)) return result(error);
    remember_kernel(call);
    return result(enqueue(configuration.stream, kernel_work(configuration, std::move(call))));
}

cudaError_t function_attributes(cudaFuncAttributes* attributes, const void* kernel) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!attributes || !kernel) return result(cudaErrorInvalidDeviceFunction);
    const Card& card = use_device().card;
    *attributes = cudaFuncAttributes();
    attributes->maxThreadsPerBlock = options().kernel_threads;
    attributes->numRegs = options().registers;
    attributes->ptxVersion = attributes->binaryVersion = card.major * 10 + card.minor;
    attributes->maxDynamicSharedSizeBytes = 48 << 10;
    const auto allowed = allowed_shared().find(kernel);
    if (allowed != allowed_shared().end())
        attributes->maxDynamicSharedSizeBytes = int(allowed->second);
    return cudaSuccess;
}

cudaError_t set_function_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!kernel) return result(cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        cudaDeviceProp card;
        cudaGetDeviceProperties(&card, current_device());
        if (value < 0 || size_t(value) > card.sharedMemPerBlockOptin)
            return result(cudaErrorInvalidValue);
        allowed_shared()[kernel] = size_t(value);
    }
    return cudaSuccess;
}

cudaError_t active_blocks(int* blocks, const void* kernel, int threads, size_t shared) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    cudaDeviceProp card;
    cudaGetDeviceProperties(&card, current_device());
    if (!blocks || !kernel || threads <= 0) return result(cudaErrorInvalidValue);
    *blocks = threads > options().kernel_threads || shared > card.sharedMemPerBlockOptin
                  ? 0
                  : blocks_that_fit(card, threads, shared);
    return cudaSuccess;
}

}  // namespace cuda_emulator
