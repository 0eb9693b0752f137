// The interface of NVML, as far as nvml.cpp offers it. The layouts are the library's ABI.
#ifndef CUDA_EMULATOR_NVML_TYPES_H
#define CUDA_EMULATOR_NVML_TYPES_H

#include <cstddef>

using Device = char*;  // its value means something to nvml.cpp only

enum Return : int {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    ALREADY_INITIALIZED = 5,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    INSUFFICIENT_POWER = 8,
    DRIVER_NOT_LOADED = 9,
    TIMEOUT = 10,
    IRQ_ISSUE = 11,
    LIBRARY_NOT_FOUND = 12,
    FUNCTION_NOT_FOUND = 13,
    CORRUPTED_INFOROM = 14,
    GPU_IS_LOST = 15,
    RESET_REQUIRED = 16,
    OPERATING_SYSTEM = 17,
    LIB_RM_VERSION_MISMATCH = 18,
    IN_USE = 19,
    MEMORY = 20,
    NO_DATA = 21,
    VGPU_ECC_NOT_SUPPORTED = 22,
    INSUFFICIENT_RESOURCES = 23,
    FREQ_NOT_SUPPORTED = 24,
    ARGUMENT_VERSION_MISMATCH = 25,
    DEPRECATED = 26,
    NOT_READY = 27,
    GPU_NOT_FOUND = 28,
    INVALID_STATE = 29,
    UNKNOWN = 999,
};

struct ReturnName {
    Return status;
    const char* name;  // without NVML_ERROR_
    const char* text;
};

constexpr ReturnName return_names[] = {
    {SUCCESS, "SUCCESS", "Success"},
    {UNINITIALIZED, "UNINITIALIZED", "Uninitialized"},
    {INVALID_ARGUMENT, "INVALID_ARGUMENT", "Invalid Argument"},
    {NOT_SUPPORTED, "NOT_SUPPORTED", "Not Supported"},
    {NO_PERMISSION, "NO_PERMISSION", "Insufficient Permissions"},
    {ALREADY_INITIALIZED, "ALREADY_INITIALIZED", "Already Initialized"},
    {NOT_FOUND, "NOT_FOUND", "Not Found"},
    {INSUFFICIENT_SIZE, "INSUFFICIENT_SIZE", "Insufficient Size"},
    {INSUFFICIENT_POWER, "INSUFFICIENT_POWER", "Insufficient External Power"},
    {DRIVER_NOT_LOADED, "DRIVER_NOT_LOADED", "Driver Not Loaded"},
    {TIMEOUT, "TIMEOUT", "Timeout"},
    {IRQ_ISSUE, "IRQ_ISSUE", "Interrupt Request Issue"},
    {LIBRARY_NOT_FOUND, "LIBRARY_NOT_FOUND", "NVML Shared Library Not Found"},
    {FUNCTION_NOT_FOUND, "FUNCTION_NOT_FOUND", "Function Not Found"},
    {CORRUPTED_INFOROM, "CORRUPTED_INFOROM", "Corrupted infoROM"},
    {GPU_IS_LOST, "GPU_IS_LOST", "GPU is lost"},
    {RESET_REQUIRED, "RESET_REQUIRED", "GPU requires reset"},
    {OPERATING_SYSTEM, "OPERATING_SYSTEM", "The operating system has blocked the request"},
    {LIB_RM_VERSION_MISMATCH, "LIB_RM_VERSION_MISMATCH", "Driver/library version mismatch"},
    {IN_USE, "IN_USE", "In use by another client"},
    {MEMORY, "MEMORY", "Insufficient Memory"},
    {NO_DATA, "NO_DATA", "No data"},
    {VGPU_ECC_NOT_SUPPORTED, "VGPU_ECC_NOT_SUPPORTED", "vGPU does not work with ECC"},
    {INSUFFICIENT_RESOURCES, "INSUFFICIENT_RESOURCES", "Insufficient Resources"},
    {FREQ_NOT_SUPPORTED, "FREQ_NOT_SUPPORTED", "Frequency not supported"},
    {ARGUMENT_VERSION_MISMATCH, "ARGUMENT_VERSION_MISMATCH", "Argument version mismatch"},
    {DEPRECATED, "DEPRECATED", "Deprecated"},
    {NOT_READY, "NOT_READY", "Not ready"},
    {GPU_NOT_FOUND, "GPU_NOT_FOUND", "GPU not found"},
    {INVALID_STATE, "INVALID_STATE", "Invalid state"},
    {UNKNOWN, "UNKNOWN", "Unknown Error"},
};

using Bytes = unsigned long long;
constexpr Bytes bytes_unknown = ~Bytes(0);
constexpr unsigned no_instance = ~0U;  // of a MIG slice

struct Memory {
    Bytes total, free, used;  // the driver's part counts as used
};

struct MemoryV2 {
    unsigned version;
    Bytes total, reserved, free, used;
};

struct Utilization {
    unsigned gpu, memory;
};

struct Bar1Memory {
    Bytes total, free, used;
};

struct PciInfo {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

struct ProcessInfoV1 {
    unsigned pid;
    Bytes memory;
};

struct ProcessInfo {
    unsigned pid;
    Bytes memory;
    unsigned gpu_instance, compute_instance;
};

struct ProcessDetail {
    unsigned pid;
    Bytes memory;
    unsigned gpu_instance, compute_instance;
    Bytes protected_memory;
};

struct ProcessDetailList {
    unsigned version, mode, count;
    ProcessDetail* processes;
};

struct ProcessSample {
    unsigned pid;
    unsigned long long time;
    unsigned sm, memory, encoder, decoder;
};

struct ProcessSampleV1 {
    unsigned long long time;
    unsigned pid, sm, memory, encoder, decoder, jpeg, ofa;
};

struct ProcessSampleList {
    unsigned version, count;
    unsigned long long last_seen;
    ProcessSampleV1* samples;
};

struct TemperatureV1 {
    unsigned version, sensor;
    int temperature;
};

// Such a field holds the size of the struct and its version.
template <class Struct>
constexpr unsigned version_of(unsigned version) {
    return unsigned(sizeof(Struct)) | version << 24;
}

static_assert(version_of<MemoryV2>(2) == 0x02000028 && version_of<TemperatureV1>(1) == 0x0100000C);
static_assert(version_of<ProcessDetailList>(1) == 0x01000018);
static_assert(version_of<ProcessSampleList>(1) == 0x01000018);
static_assert(sizeof(PciInfo) == 68 && sizeof(ProcessInfo) == 24 && sizeof(ProcessSample) == 32);

#endif
