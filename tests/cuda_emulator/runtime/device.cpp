#include "device.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "cuda_emulator/state.h"
#include "memory.h"
#include "options.h"
#include "shared_memory.h"
#include "stream.h"

namespace cuda_emulator {

namespace {

std::vector<Device>& devices() {
    static std::vector<Device>* all = [] {
        auto* made = new std::vector<Device>;
        for (const Card& card : visible_cards()) {
            made->emplace_back();
            made->back().card = card;
        }
        return made;
    }();
    return *all;
}

thread_local int current = 0;
thread_local cudaError_t last = cudaSuccess;
unsigned int flags_of_devices = 0;

constexpr size_t shared_default = size_t(48) << 10;

// Per block with opting in, per multiprocessor: CUDA C++ Programming Guide, "Technical
// Specifications per Compute Capability".
size_t shared_optin(const Card& card) {
    const int cc = card.major * 10 + card.minor;
    if (cc >= 100 && cc < 120) return size_t(227) << 10;
    if (cc >= 90 && cc < 100) return size_t(227) << 10;
    if (cc == 80 || cc == 87) return size_t(163) << 10;
    if (cc == 86 || cc == 89 || cc >= 120) return size_t(99) << 10;
    if (cc == 75) return size_t(64) << 10;
    return size_t(96) << 10;
}

int threads_per_processor(const Card& card) {
    const int cc = card.major * 10 + card.minor;
    if (cc == 75) return 1024;
    if (cc == 86 || cc == 87 || cc == 89 || cc >= 120) return 1536;
    return 2048;
}

int blocks_per_processor(const Card& card) {
    const int cc = card.major * 10 + card.minor;
    if (cc == 75 || cc == 86 || cc == 87) return 16;
    if (cc == 89 || cc >= 120) return 24;
    return 32;
}

void describe(cudaDeviceProp& p, const Card& card) {
    std::memset(&p, 0, sizeof p);
    std::snprintf(p.name, sizeof p.name, "%s", card.name.c_str());
    unsigned bytes[16];
    if (std::sscanf(card.uuid.c_str(),
                    "%*3c-%2x%2x%2x%2x-%2x%2x-%2x%2x-%2x%2x-%2x%2x%2x%2x%2x%2x", bytes, bytes + 1,
                    bytes + 2, bytes + 3, bytes + 4, bytes + 5, bytes + 6, bytes + 7, bytes + 8,
                    bytes + 9, bytes + 10, bytes + 11, bytes + 12, bytes + 13, bytes + 14,
                    bytes + 15) == 16)
        for (int i = 0; i < 16; i++) p.uuid.bytes[i] = char(bytes[i]);
    p.totalGlobalMem = card.usable();
    p.sharedMemPerBlock = shared_default;
    p.sharedMemPerBlockOptin = shared_optin(card);
    p.sharedMemPerMultiprocessor = shared_optin(card) + 1024;
    p.reservedSharedMemPerBlock = 1024;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.memPitch = 2147483647;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 2147483647;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 65536;
    p.major = card.major;
    p.minor = card.minor;
    p.multiProcessorCount = card.sm;
    p.canMapHostMemory = p.concurrentKernels = p.unifiedAddressing = 1;
    p.pciBusID = int(card.pci_bus);
    p.pciDeviceID = int(card.pci_device);
    p.pciDomainID = int(card.pci_domain);
    p.asyncEngineCount = 2;
    p.memoryBusWidth = 256;
    p.l2CacheSize = 4 << 20;
    p.maxThreadsPerMultiProcessor = threads_per_processor(card);
    p.maxBlocksPerMultiProcessor = blocks_per_processor(card);
    p.streamPrioritiesSupported = p.globalL1CacheSupported = p.localL1CacheSupported = 1;
    p.managedMemory = p.concurrentManagedAccess = p.computePreemptionSupported = 1;
    p.canUseHostPointerForRegisteredMem = p.cooperativeLaunch = p.memoryPoolsSupported = 1;
}

cudaError_t check(int ordinal) {
    if (device_count() == 0) return cudaErrorNoDevice;
    return ordinal < 0 || ordinal >= device_count() ? cudaErrorInvalidDevice : cudaSuccess;
}

}  // namespace

std::recursive_mutex& lock() {
    static std::recursive_mutex* mutex = new std::recursive_mutex;
    return *mutex;
}

int device_count() { return int(devices().size()); }

Device& device(int ordinal) { return devices().at(size_t(ordinal)); }

int current_device() { return current; }

Device& use_device() {
    Device& found = device(current);
    if (!found.context) {
        found.context = true;
        state().attach(found.card.index);
    }
    return found;
}

cudaError_t result(cudaError_t error) {
    // Not an error: it is not kept
    if (error != cudaSuccess && error != cudaErrorNotReady) last = error;
    return error;
}

cudaError_t entry_error() {
    if (device_count() == 0) return cudaErrorNoDevice;
    return use_device().sticky;
}

cudaError_t wait_error() {
    Device& here = use_device();
    if (here.pending != cudaSuccess) {
        here.sticky = here.pending;
        here.pending = cudaSuccess;
    }
    return here.sticky;
}

void kernel_failed(Device& failed, cudaError_t error) {
    if (failed.sticky != cudaSuccess) return;
    if (options().blocking)
        failed.sticky = error;
    else if (failed.pending == cudaSuccess)
        failed.pending = error;
}

size_t shared_limit() {
    return device_count() ? shared_optin(device(current).card) : shared_default;
}

}  // namespace cuda_emulator

using namespace cuda_emulator;

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define CUDA_EMULATOR_CASE(name, number, text) \
    case name: return #name;
        CUDA_EMULATOR_ERRORS(CUDA_EMULATOR_CASE)
#undef CUDA_EMULATOR_CASE
    }
    return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define CUDA_EMULATOR_CASE(name, number, text) \
    case name: return text;
        CUDA_EMULATOR_ERRORS(CUDA_EMULATOR_CASE)
#undef CUDA_EMULATOR_CASE
    }
    return "unrecognized error code";
}

cudaError_t cudaGetLastError() {
    const cudaError_t error = cudaPeekAtLastError();
    last = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError() {
    if (device_count() && device(current).sticky != cudaSuccess) return device(current).sticky;
    return last;
}

cudaError_t cudaGetDeviceCount(int* count) {
    if (!count) return result(cudaErrorInvalidValue);
    *count = device_count();
    return *count ? cudaSuccess : result(cudaErrorNoDevice);
}

cudaError_t cudaGetDevice(int* ordinal) {
    if (!ordinal) return result(cudaErrorInvalidValue);
    if (device_count() == 0) return result(cudaErrorNoDevice);
    *ordinal = current;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int ordinal) {
    if (const cudaError_t error = check(ordinal)) return result(error);
    current = ordinal;
    std::lock_guard<std::recursive_mutex> guard(lock());
    return result(use_device().sticky);
}

cudaError_t cudaInitDevice(int ordinal, unsigned int, unsigned int) {
    return result(check(ordinal));
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int ordinal) {
    if (!properties) return result(cudaErrorInvalidValue);
    if (const cudaError_t error = check(ordinal)) return result(error);
    describe(*properties, device(ordinal).card);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int ordinal) {
    if (!value) return result(cudaErrorInvalidValue);
    cudaDeviceProp p;
    if (const cudaError_t error = cudaGetDeviceProperties(&p, ordinal)) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
        case cudaDevAttrMaxBlockDimX: *value = p.maxThreadsDim[0]; break;
        case cudaDevAttrMaxBlockDimY: *value = p.maxThreadsDim[1]; break;
        case cudaDevAttrMaxBlockDimZ: *value = p.maxThreadsDim[2]; break;
        case cudaDevAttrMaxGridDimX: *value = p.maxGridSize[0]; break;
        case cudaDevAttrMaxGridDimY: *value = p.maxGridSize[1]; break;
        case cudaDevAttrMaxGridDimZ: *value = p.maxGridSize[2]; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = int(p.sharedMemPerBlock); break;
        case cudaDevAttrTotalConstantMemory: *value = int(p.totalConstMem); break;
        case cudaDevAttrWarpSize: *value = p.warpSize; break;
        case cudaDevAttrMaxRegistersPerBlock: *value = p.regsPerBlock; break;
        case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
        case cudaDevAttrIntegrated: *value = p.integrated; break;
        case cudaDevAttrConcurrentKernels: *value = p.concurrentKernels; break;
        case cudaDevAttrPciBusId: *value = p.pciBusID; break;
        case cudaDevAttrPciDeviceId: *value = p.pciDeviceID; break;
        case cudaDevAttrPciDomainId: *value = p.pciDomainID; break;
        case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
        case cudaDevAttrUnifiedAddressing: *value = p.unifiedAddressing; break;
        case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            *value = int(p.sharedMemPerMultiprocessor);
            break;
        case cudaDevAttrMaxRegistersPerMultiprocessor: *value = p.regsPerMultiprocessor; break;
        case cudaDevAttrManagedMemory: *value = p.managedMemory; break;
        case cudaDevAttrConcurrentManagedAccess: *value = p.concurrentManagedAccess; break;
        case cudaDevAttrCooperativeLaunch: *value = p.cooperativeLaunch; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = int(p.sharedMemPerBlockOptin); break;
        case cudaDevAttrMaxBlocksPerMultiprocessor: *value = p.maxBlocksPerMultiProcessor; break;
        case cudaDevAttrMemoryPoolsSupported: *value = p.memoryPoolsSupported; break;
        default: return result(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int ordinal) {
    if (!text || length < 13) return result(cudaErrorInvalidValue);
    if (const cudaError_t error = check(ordinal)) return result(error);
    const Card& card = device(ordinal).card;
    std::snprintf(text, size_t(length), "%04X:%02X:%02X.0", card.pci_domain, card.pci_bus,
                  card.pci_device);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetByPCIBusId(int* ordinal, const char* text) {
    unsigned domain = 0, bus = 0, slot = 0;
    if (!ordinal || !text) return result(cudaErrorInvalidValue);
    if (std::sscanf(text, "%x:%x:%x", &domain, &bus, &slot) != 3) {
        domain = 0;
        if (std::sscanf(text, "%x:%x", &bus, &slot) != 2) return result(cudaErrorInvalidValue);
    }
    for (int i = 0; i < device_count(); i++) {
        const Card& card = device(i).card;
        if (card.pci_domain == domain && card.pci_bus == bus && card.pci_device == slot) {
            *ordinal = i;
            return cudaSuccess;
        }
    }
    return result(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceSynchronize() {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (device_count() == 0) return result(cudaErrorNoDevice);
    if (const cudaError_t error = refuse_during_capture()) return result(error);
    return result(wait_error());
}

cudaError_t cudaDeviceReset() {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (device_count() == 0) return result(cudaErrorNoDevice);
    forget_streams(current);
    free_all(current);
    Device& here = device(current);
    here.sticky = here.pending = cudaSuccess;
    here.heap_used = 0;
    if (here.context) state().detach(here.card.index);
    here.context = false;
    last = cudaSuccess;
    return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned int flags) {
    flags_of_devices = flags;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceFlags(unsigned int* flags) {
    *flags = flags_of_devices | cudaDeviceMapHost;
    return cudaSuccess;
}

cudaError_t cudaDeviceSetLimit(cudaLimit limit, size_t value) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (limit == cudaLimitMallocHeapSize) {
        Device& here = use_device();
        // Fixed by the first kernel that uses malloc()
        if (here.heap_used) return result(cudaErrorInvalidValue);
        here.heap_limit = value;
    } else if (limit != cudaLimitStackSize && limit != cudaLimitPrintfFifoSize) {
        return result(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceGetLimit(size_t* value, cudaLimit limit) {
    if (!value) return result(cudaErrorInvalidValue);
    if (const cudaError_t error = entry_error()) return result(error);
    switch (limit) {
        case cudaLimitMallocHeapSize: *value = use_device().heap_limit; break;
        case cudaLimitStackSize: *value = 1024; break;
        case cudaLimitPrintfFifoSize: *value = 1 << 20; break;
        default: return result(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return result(entry_error()); }

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 0;
    return cudaSuccess;
}

static int version_number(const char* key, const char* fallback) {
    const std::pair<int, int> version = parse_version(setting(key, fallback));
    return version.first * 1000 + version.second * 10;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = device_count() || !driver_missing(SettingsText()) ? version_number("cuda", "13.0") : 0;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaProfilerStart() { return result(entry_error()); }
cudaError_t cudaProfilerStop() { return result(entry_error()); }
