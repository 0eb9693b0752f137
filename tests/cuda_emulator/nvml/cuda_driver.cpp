// libcuda.so.1 without a card: as much of CUDA's driver interface as a program needs to learn which
// cards CUDA sees. Like the driver, it looks at the environment once, in cuInit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "cuda_emulator/cards.h"
#include "cuda_emulator/settings.h"

#define ENTRY extern "C" __attribute__((visibility("default")))

namespace {

using namespace cuda_emulator;

enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
};

struct ResultName {
    int result;
    const char* name;
    const char* text;
};

// Also those that a setting may want
constexpr ResultName result_names[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

std::mutex mutex;
bool initialized = false;
std::vector<Card> cards;

// `cuda.error.cuInit=CUDA_ERROR_UNKNOWN`
Result planned(const char* function) {
    const std::string value = setting((std::string("cuda.error.") + function).c_str(), "");
    if (value.empty()) return SUCCESS;
    for (const ResultName& known : result_names)
        if (value == known.name || value == known.name + std::strlen("CUDA_ERROR_"))
            return Result(known.result);
    refuse_setting("'" + value + "' is no status of CUDA's driver");
}

template <class Function>
Result answer(const char* function, Function body) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!initialized) return NOT_INITIALIZED;
    const Result wanted = planned(function);
    return wanted == SUCCESS ? body() : wanted;
}

template <class Function>
Result answer(const char* function, int device, Function body) {
    return answer(function, [&] {
        if (device < 0 || device >= int(cards.size())) return INVALID_DEVICE;
        return body(cards[std::size_t(device)]);
    });
}

// The first version tells of a slice which card it is a part of.
Result copy_uuid(const char* function, unsigned char* bytes, int device, bool of_slice) {
    return answer(function, device, [&](const Card& card) {
        if (!bytes) return INVALID_VALUE;
        std::string digits;
        const bool parent = card.parent >= 0 && !of_slice;
        for (const char sign : (parent ? card.parent_uuid : card.uuid).substr(std::strlen("GPU-")))
            if (sign != '-') digits += sign;
        for (std::size_t i = 0; i < 16; ++i)
            bytes[i] = static_cast<unsigned char>(
                std::strtoul(digits.substr(2 * i, 2).c_str(), nullptr, 16));
        return SUCCESS;
    });
}

// By the number of the attribute; -1 if it is none that is known here. The runtime's
// cudaDeviceGetAttribute, which knows more, says the same of these.
int attribute_of(const Card& card, int attribute) {
    switch (attribute) {
        case 1: case 2: case 3: return 1024;  // threads in a block, its x and y
        case 4: return 64;                    // its z
        case 5: return 2147483647;            // x of a grid
        case 6: case 7: return 65535;         // y and z of a grid
        case 8: return 48 << 10;              // shared memory of a block
        case 9: return 64 << 10;              // constant memory
        case 10: return 32;                   // warp
        case 12: case 82: return 65536;       // registers of a block, a multiprocessor
        case 16: return card.sm;
        case 18: return 0;                    // integrated
        case 31: case 41: return 1;           // concurrent kernels, unified addresses
        case 33: return int(card.pci_bus);
        case 34: return int(card.pci_device);
        case 50: return int(card.pci_domain);
        case 75: return card.major;
        case 76: return card.minor;
        case 83: case 89: return 1;           // managed memory
        case 95: case 115: return 1;          // cooperative launch, memory pools
        default: return -1;
    }
}

const ResultName* find(int result) {
    for (const ResultName& known : result_names)
        if (known.result == result) return &known;
    return nullptr;
}

}  // namespace

ENTRY Result cuInit(unsigned flags) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (flags) return INVALID_VALUE;
    const SettingsText settings;
    const Result wanted = planned("cuInit");
    if (wanted != SUCCESS) return wanted;
    if (initialized) return SUCCESS;
    cards = visible_cards(settings);
    if (cards.empty()) return NO_DEVICE;
    initialized = true;
    return SUCCESS;
}

ENTRY Result cuDriverGetVersion(int* version) {
    if (!version) return INVALID_VALUE;
    const std::pair<int, int> cuda = parse_version(setting("cuda", "13.0"));
    *version = 1000 * cuda.first + 10 * cuda.second;
    return SUCCESS;
}

ENTRY Result cuDeviceGetCount(int* count) {
    return answer(__func__, [&] {
        if (!count) return INVALID_VALUE;
        *count = int(cards.size());
        return SUCCESS;
    });
}

ENTRY Result cuDeviceGet(int* device, int ordinal) {
    return answer(__func__, ordinal, [&](const Card&) {
        if (!device) return INVALID_VALUE;
        *device = ordinal;
        return SUCCESS;
    });
}

ENTRY Result cuDeviceGetName(char* name, int length, int device) {
    return answer(__func__, device, [&](const Card& card) {
        if (!name || length <= 0) return INVALID_VALUE;
        std::strncpy(name, card.name.c_str(), std::size_t(length));
        name[length - 1] = 0;
        return SUCCESS;
    });
}

ENTRY Result cuDeviceGetUuid(unsigned char* bytes, int device) {
    return copy_uuid(__func__, bytes, device, false);
}

ENTRY Result cuDeviceGetUuid_v2(unsigned char* bytes, int device) {
    return copy_uuid(__func__, bytes, device, true);
}

ENTRY Result cuDeviceTotalMem_v2(std::size_t* bytes, int device) {
    return answer(__func__, device, [&](const Card& card) {
        if (!bytes) return INVALID_VALUE;
        *bytes = card.usable();
        return SUCCESS;
    });
}

ENTRY Result cuDeviceGetAttribute(int* value, int attribute, int device) {
    return answer(__func__, device, [&](const Card& card) {
        const int found = attribute_of(card, attribute);
        if (!value || found < 0) return INVALID_VALUE;
        *value = found;
        return SUCCESS;
    });
}

ENTRY Result cuDeviceGetPCIBusId(char* id, int length, int device) {
    return answer(__func__, device, [&](const Card& card) {
        if (!id || length < 13) return INVALID_VALUE;
        std::snprintf(id, std::size_t(length), "%04X:%02X:%02X.0", card.pci_domain & 0xFFFF,
                      card.pci_bus & 0xFF, card.pci_device & 0xFF);
        return SUCCESS;
    });
}

ENTRY Result cuGetErrorName(int result, const char** name) {
    const ResultName* known = find(result);
    if (!name) return INVALID_VALUE;
    *name = known ? known->name : nullptr;
    return known ? SUCCESS : INVALID_VALUE;
}

ENTRY Result cuGetErrorString(int result, const char** text) {
    const ResultName* known = find(result);
    if (!text) return INVALID_VALUE;
    *text = known ? known->text : nullptr;
    return known ? SUCCESS : INVALID_VALUE;
}
