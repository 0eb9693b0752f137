// libnvidia-ml.so.1 without a card: NVML's entry points, answered from the settings and from what
// the emulated processes hold. See docs/emulator.md for the settings and how to add an entry point.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <sys/time.h>
#include <vector>

#include "cuda_emulator/cards.h"
#include "cuda_emulator/settings.h"
#include "cuda_emulator/state.h"
#include "types.h"

#define ENTRY extern "C" __attribute__((visibility("default")))

// A further name of an entry point, with the same arguments
#define ALSO(other, name) ENTRY __typeof__(name) other __attribute__((alias(#name)))

namespace {

using namespace cuda_emulator;

std::atomic<int> initialized{0};

// A device's handle is the address of its place here. Slices follow the cards.
char handles[max_devices];

Return status_named(const std::string& name) {
    const std::string prefix = "NVML_ERROR_";
    const std::string wanted = name.compare(0, prefix.size(), prefix) == 0
                                   ? name.substr(prefix.size()) : name;
    for (const ReturnName& known : return_names)
        if (wanted == known.name) return known.status;
    refuse_setting("'" + name + "' is no status of NVML");
}

// nvmlDeviceGetCount for nvmlDeviceGetCount_v2: all versions of a function fail alike.
std::string without_version(const std::string& function) {
    const std::size_t at = function.rfind("_v");
    return at == std::string::npos ? function : function.substr(0, at);
}

// What a setting wants the entry point to return
Return planned(const SettingsText& settings, const std::string& scope, const char* function) {
    const std::string prefix = scope + "nvml.error.";
    const std::string wanted = without_version(function);
    Return found = SUCCESS;
    for (const auto& [key, value] : settings.entries())
        if (key.compare(0, prefix.size(), prefix) == 0 &&
            without_version(key.substr(prefix.size())) == wanted)
            found = status_named(value);
    return found;
}

// A misspelt function would never fail, and the test that wants it to would prove nothing.
void check_planned(const SettingsText& settings) {
    void* self = dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (!self) return;  // loaded by another name
    for (const auto& entry : settings.entries()) {
        const std::size_t at = entry.first.find("nvml.error.");
        if (at == std::string::npos) continue;
        const std::string function = entry.first.substr(at + std::strlen("nvml.error."));
        status_named(entry.second);
        bool known = false;
        for (const char* version : {"", "_v2", "_v3"})
            known = known || dlsym(self, (function + version).c_str());
        if (!known) refuse_setting("the emulated NVML has no " + function);
    }
    dlclose(self);
}

// One call about one card, with the settings of its moment
struct Question {
    SettingsText settings;
    Card card;

    // The figure named `nvml.<key>`; false if the card is to have none
    bool figure(const char* key, const char* fallback, std::string& value) const {
        value = settings.get_of(card.index, std::string("nvml.") + key, fallback);
        return value != "unsupported";
    }
};

std::vector<Card> cards_and_slices(const SettingsText& settings) {
    std::vector<Card> cards = all_cards(settings);
    const std::vector<Card> slices = slices_of(settings, cards);
    cards.insert(cards.end(), slices.begin(), slices.end());
    return cards;
}

template <class Function>
Return answer_system(const char* function, Function body) {
    if (!initialized) return UNINITIALIZED;
    const SettingsText settings;
    const Return wanted = planned(settings, "", function);
    return wanted == SUCCESS ? body(settings) : wanted;
}

template <class Function>
Return answer(const char* function, Device device, Function body) {
    return answer_system(function, [&](const SettingsText& settings) {
        const std::vector<Card> cards = cards_and_slices(settings);
        const std::ptrdiff_t index = device - handles;
        if (index < 0 || index >= std::ptrdiff_t(cards.size())) return INVALID_ARGUMENT;
        const Card& card = cards[std::size_t(index)];
        const Return wanted = planned(settings, card.key(""), function);
        if (wanted != SUCCESS) return wanted;
        if (card.lost) return GPU_IS_LOST;
        return body(Question{settings, card});
    });
}

template <class Number>
Return answer_number(const char* function, Device device, Number* result, const char* key,
                     const char* fallback) {
    return answer(function, device, [&](const Question& question) {
        std::string text;
        if (!result) return INVALID_ARGUMENT;
        if (!question.figure(key, fallback, text)) return NOT_SUPPORTED;
        *result = static_cast<Number>(parse_integer(text));
        return SUCCESS;
    });
}

// Switches are "on" and "off".
Return answer_switch(const char* function, Device device, unsigned* result, const char* key,
                     const char* fallback) {
    return answer(function, device, [&](const Question& question) {
        std::string text;
        if (!result) return INVALID_ARGUMENT;
        if (!question.figure(key, fallback, text)) return NOT_SUPPORTED;
        *result = parse_switch(text);
        return SUCCESS;
    });
}

Return copy_text(char* target, unsigned length, const std::string& text) {
    if (!target) return INVALID_ARGUMENT;
    if (length < text.size() + 1) return INSUFFICIENT_SIZE;
    std::memcpy(target, text.c_str(), text.size() + 1);
    return SUCCESS;
}

Return answer_text(const char* function, Device device, char* target, unsigned length,
                   const char* key, const std::string& fallback) {
    return answer(function, device, [&](const Question& question) {
        std::string text;
        if (!question.figure(key, fallback.c_str(), text)) return NOT_SUPPORTED;
        return copy_text(target, length, text);
    });
}

Return find(const char* function, Device* device, bool (*fits)(const Card&, const std::string&),
            const char* text) {
    return answer_system(function, [&](const SettingsText& settings) {
        if (!text || !device) return INVALID_ARGUMENT;
        for (const Card& card : cards_and_slices(settings)) {
            if (!fits(card, text)) continue;
            const Return wanted = planned(settings, card.key(""), function);
            if (wanted != SUCCESS) return wanted;
            if (card.lost) return GPU_IS_LOST;
            *device = handles + card.index;
            return SUCCESS;
        }
        return NOT_FOUND;
    });
}

std::string bus_id(const Card& card, const char* format) {
    char text[32];
    std::snprintf(text, sizeof text, format, card.pci_domain, card.pci_bus, card.pci_device);
    return text;
}

// -- Memory and processes ------------------------------------------------------------

// The card, and the slices of it
std::vector<Card> parts(const Question& question) {
    std::vector<Card> found{question.card};
    if (question.card.slices)
        for (const Card& slice : slices_of(question.settings, all_cards(question.settings)))
            if (slice.parent == question.card.index) found.push_back(slice);
    return found;
}

// Of the card, by anyone but the driver itself
Bytes memory_used(const Question& question) {
    Bytes used = 0;
    for (const Card& part : parts(question))
        used += Bytes(std::max<std::int64_t>(state().memory_used(part.index), 0)) +
                part.memory_taken;
    return std::min<Bytes>(used, question.card.usable());
}

std::vector<ProcessInfo> compute_processes(const Question& question) {
    std::vector<ProcessInfo> found;
    std::string text;
    question.figure("processes.list", "shown", text);
    if (text == "hidden") return found;
    if (text != "shown") refuse_setting("'" + text + "' is neither shown nor hidden");
    for (const Card& part : parts(question)) {
        const unsigned gpu_instance = part.parent < 0 ? no_instance : unsigned(part.place + 1);
        const unsigned compute_instance = part.parent < 0 ? no_instance : 0;
        for (const ProcessUse& use : state().processes(part.index))
            found.push_back({unsigned(use.pid), Bytes(std::max<std::int64_t>(use.memory, 0)),
                             gpu_instance, compute_instance});
        for (const ForeignProcess& process : part.foreign)
            found.push_back({unsigned(process.pid), process.memory, gpu_instance,
                             compute_instance});
    }
    // Where the driver may not tell, as in a container
    if (!question.figure("processes.memory", "known", text))
        for (ProcessInfo& process : found) process.memory = bytes_unknown;
    return found;
}

// NVML's way with arrays: what does not fit is not written, and `count` says how many there are.
template <class Item, class Function>
Return fill(Item* items, unsigned* count, std::size_t there, Function item_at) {
    if (!count) return INVALID_ARGUMENT;
    const unsigned room = *count;
    *count = unsigned(there);
    if (room < there) return INSUFFICIENT_SIZE;
    if (there && !items) return INVALID_ARGUMENT;
    for (std::size_t i = 0; i < there; ++i) items[i] = item_at(i);
    return SUCCESS;
}

Return compute(const char* function, Device device, unsigned* count, ProcessInfo* infos) {
    return answer(function, device, [&](const Question& question) {
        const std::vector<ProcessInfo> found = compute_processes(question);
        return fill(infos, count, found.size(), [&](std::size_t i) { return found[i]; });
    });
}

Return no_processes(const char* function, Device device, unsigned* count) {
    return answer(function, device, [&](const Question&) {
        if (!count) return INVALID_ARGUMENT;
        *count = 0;
        return SUCCESS;
    });
}

// In per cent. By itself a card is busy while a kernel runs.
unsigned busy(const Question& question, const char* key, bool running) {
    std::string text;
    return question.figure(key, running ? "100" : "0", text) ? unsigned(parse_integer(text)) : 0;
}

bool running(const Card& card) {
    for (const ProcessUse& use : state().processes(card.index))
        if (use.running > 0) return true;
    return false;
}

std::vector<ProcessSampleV1> samples(const Question& question, unsigned long long last_seen) {
    std::vector<ProcessSampleV1> found;
    timeval now;
    gettimeofday(&now, nullptr);
    const unsigned long long time = now.tv_sec * 1000000ULL + now.tv_usec;
    if (time <= last_seen) return found;
    for (const ProcessUse& use : state().processes(question.card.index))
        if (use.launches)
            found.push_back({time, unsigned(use.pid),
                             use.running > 0 ? busy(question, "utilization.gpu", true) : 0,
                             0, 0, 0, 0, 0});
    return found;
}

// -- Architectures -------------------------------------------------------------------

unsigned architecture(const Card& card) {
    switch (card.major) {
        case 5: return 3;
        case 6: return 4;
        case 7: return card.minor < 5 ? 5 : 6;
        case 8: return card.minor < 9 ? 7 : 8;
        case 9: return 9;
        case 10: case 11: case 12: return 10;
        default: return ~0U;
    }
}

unsigned cores_per_sm(const Card& card) {
    const bool big = card.major == 6 || card.major == 7 || (card.major == 8 && card.minor == 0);
    return big && !(card.major == 6 && card.minor) ? 64 : 128;
}

const char* clock_key(unsigned type, bool max) {
    static const char* const now[] = {"clock.graphics", "clock.sm", "clock.memory", "clock.video"};
    static const char* const most[] = {"clock.max.graphics", "clock.max.sm", "clock.max.memory",
                                       "clock.max.video"};
    return type > 3 ? nullptr : (max ? most : now)[type];
}

Return clock_rate(const char* function, Device device, unsigned type, unsigned* result, bool max) {
    const char* key = clock_key(type, max);
    if (!key) return initialized ? INVALID_ARGUMENT : UNINITIALIZED;
    return answer_number(function, device, result, key, type == 2 ? "2619" : "1980");
}

Return initialize() {
    const SettingsText settings;
    if (driver_missing(settings)) return LIBRARY_NOT_FOUND;
    check_planned(settings);
    for (const char* function : {"nvmlInit", "nvmlInitWithFlags"}) {
        const Return wanted = planned(settings, "", function);
        if (wanted != SUCCESS) return wanted;
    }
    ++initialized;
    return SUCCESS;
}

}  // namespace

// -- The library and the driver ------------------------------------------------------

ENTRY Return nvmlInitWithFlags(unsigned) { return initialize(); }
ENTRY Return nvmlInit_v2() { return initialize(); }
ALSO(nvmlInit, nvmlInit_v2);

ENTRY Return nvmlShutdown() {
    if (!initialized) return UNINITIALIZED;
    const Return wanted = planned(SettingsText(), "", "nvmlShutdown");
    if (wanted == SUCCESS) --initialized;
    return wanted;
}

ENTRY const char* nvmlErrorString(Return status) {
    for (const ReturnName& known : return_names)
        if (known.status == status) return known.text;
    return "Unknown Error";
}

ENTRY Return nvmlSystemGetDriverVersion(char* version, unsigned length) {
    return answer_system(__func__, [&](const SettingsText& settings) {
        return copy_text(version, length, settings.get("driver", "580.65.06"));
    });
}

ENTRY Return nvmlSystemGetNVMLVersion(char* version, unsigned length) {
    return answer_system(__func__, [&](const SettingsText& settings) {
        return copy_text(version, length,
                         settings.get("cuda", "13.0") + "." + settings.get("driver", "580.65.06"));
    });
}

ENTRY Return nvmlSystemGetCudaDriverVersion_v2(int* version) {
    return answer_system(__func__, [&](const SettingsText& settings) {
        if (!version) return INVALID_ARGUMENT;
        const std::pair<int, int> cuda = parse_version(settings.get("cuda", "13.0"));
        *version = 1000 * cuda.first + 10 * cuda.second;
        return SUCCESS;
    });
}
ALSO(nvmlSystemGetCudaDriverVersion, nvmlSystemGetCudaDriverVersion_v2);

ENTRY Return nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
    return answer_system(__func__, [&](const SettingsText&) {
        if (!name || !length) return INVALID_ARGUMENT;
        std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/cmdline").c_str(), "re");
        if (!file) return NOT_FOUND;
        std::size_t read = std::fread(name, 1, length - 1, file);
        std::fclose(file);
        name[read] = 0;  // arguments end with zeros: this shows the first
        return SUCCESS;
    });
}

// -- Finding cards -------------------------------------------------------------------

ENTRY Return nvmlDeviceGetCount_v2(unsigned* count) {
    return answer_system(__func__, [&](const SettingsText& settings) {
        if (!count) return INVALID_ARGUMENT;
        *count = unsigned(all_cards(settings).size());
        return SUCCESS;
    });
}
ALSO(nvmlDeviceGetCount, nvmlDeviceGetCount_v2);

ENTRY Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
    if (!initialized) return UNINITIALIZED;
    if (index >= unsigned(max_devices)) return INVALID_ARGUMENT;
    return answer(__func__, handles + index, [&](const Question& question) {
        if (!device || question.card.parent >= 0) return INVALID_ARGUMENT;
        *device = handles + index;
        return SUCCESS;
    });
}
ALSO(nvmlDeviceGetHandleByIndex, nvmlDeviceGetHandleByIndex_v2);

ENTRY Return nvmlDeviceGetHandleByUUID(const char* uuid, Device* device) {
    return find(__func__, device,
                [](const Card& card, const std::string& text) { return card.uuid == text; }, uuid);
}

ENTRY Return nvmlDeviceGetHandleByPciBusId_v2(const char* id, Device* device) {
    return find(__func__, device, [](const Card& card, const std::string& text) {
        unsigned domain = 0, bus = 0, place = 0;
        if (std::sscanf(text.c_str(), "%x:%x:%x", &domain, &bus, &place) != 3) {
            domain = 0;
            if (std::sscanf(text.c_str(), "%x:%x", &bus, &place) != 2) return false;
        }
        return domain == card.pci_domain && bus == card.pci_bus && place == card.pci_device;
    }, id);
}
ALSO(nvmlDeviceGetHandleByPciBusId, nvmlDeviceGetHandleByPciBusId_v2);

// -- What a card is ------------------------------------------------------------------

ENTRY Return nvmlDeviceGetName(Device device, char* name, unsigned length) {
    return answer(__func__, device, [&](const Question& question) {
        return copy_text(name, length, question.card.name);
    });
}

ENTRY Return nvmlDeviceGetUUID(Device device, char* uuid, unsigned length) {
    return answer(__func__, device, [&](const Question& question) {
        return copy_text(uuid, length, question.card.uuid);
    });
}

ENTRY Return nvmlDeviceGetIndex(Device device, unsigned* index) {
    return answer(__func__, device, [&](const Question& question) {
        if (!index) return INVALID_ARGUMENT;
        *index = unsigned(question.card.index);
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetMinorNumber(Device device, unsigned* minor) {
    return answer(__func__, device, [&](const Question& question) {
        if (!minor) return INVALID_ARGUMENT;
        *minor = unsigned(question.card.index);
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetSerial(Device device, char* serial, unsigned length) {
    char text[16];
    std::snprintf(text, sizeof text, "13200000000%02d", int(device - handles) % 100);
    return answer_text(__func__, device, serial, length, "serial", text);
}

ENTRY Return nvmlDeviceGetVbiosVersion(Device device, char* version, unsigned length) {
    return answer_text(__func__, device, version, length, "vbios", "96.00.00.00.01");
}

ENTRY Return nvmlDeviceGetBoardPartNumber(Device device, char* number, unsigned length) {
    return answer_text(__func__, device, number, length, "part_number", "unsupported");
}

ENTRY Return nvmlDeviceGetBrand(Device device, unsigned* brand) {
    return answer_number(__func__, device, brand, "brand", "14");
}

ENTRY Return nvmlDeviceGetPciInfo_v3(Device device, PciInfo* info) {
    return answer(__func__, device, [&](const Question& question) {
        if (!info) return INVALID_ARGUMENT;
        const Card& card = question.card;
        *info = PciInfo{};
        info->domain = card.pci_domain;
        info->bus = card.pci_bus;
        info->device = card.pci_device;
        info->pci_device_id = 0x233010DE;
        info->pci_subsystem_id = 0x16C110DE;
        copy_text(info->bus_id_legacy, sizeof info->bus_id_legacy, bus_id(card, "%04X:%02X:%02X.0"));
        return copy_text(info->bus_id, sizeof info->bus_id, bus_id(card, "%08X:%02X:%02X.0"));
    });
}
ALSO(nvmlDeviceGetPciInfo, nvmlDeviceGetPciInfo_v3);
ALSO(nvmlDeviceGetPciInfo_v2, nvmlDeviceGetPciInfo_v3);

ENTRY Return nvmlDeviceGetCudaComputeCapability(Device device, int* major, int* minor) {
    return answer(__func__, device, [&](const Question& question) {
        if (!major || !minor) return INVALID_ARGUMENT;
        *major = question.card.major;
        *minor = question.card.minor;
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetArchitecture(Device device, unsigned* result) {
    return answer(__func__, device, [&](const Question& question) {
        if (!result) return INVALID_ARGUMENT;
        *result = architecture(question.card);
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetNumGpuCores(Device device, unsigned* cores) {
    return answer(__func__, device, [&](const Question& question) {
        if (!cores) return INVALID_ARGUMENT;
        *cores = unsigned(question.card.sm) * cores_per_sm(question.card);
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetMemoryBusWidth(Device device, unsigned* bits) {
    return answer_number(__func__, device, bits, "memory.bus", "5120");
}

ENTRY Return nvmlDeviceGetCurrPcieLinkGeneration(Device device, unsigned* generation) {
    return answer_number(__func__, device, generation, "pcie.generation", "5");
}

ENTRY Return nvmlDeviceGetCurrPcieLinkWidth(Device device, unsigned* width) {
    return answer_number(__func__, device, width, "pcie.width", "16");
}

ENTRY Return nvmlDeviceGetMaxPcieLinkGeneration(Device device, unsigned* generation) {
    return answer_number(__func__, device, generation, "pcie.max.generation", "5");
}

ENTRY Return nvmlDeviceGetMaxPcieLinkWidth(Device device, unsigned* width) {
    return answer_number(__func__, device, width, "pcie.max.width", "16");
}

// -- How it is set up ----------------------------------------------------------------

ENTRY Return nvmlDeviceGetComputeMode(Device device, unsigned* mode) {
    return answer_number(__func__, device, mode, "compute_mode", "0");
}

ENTRY Return nvmlDeviceGetPersistenceMode(Device device, unsigned* mode) {
    return answer_switch(__func__, device, mode, "persistence", "on");
}

ENTRY Return nvmlDeviceGetDisplayActive(Device device, unsigned* active) {
    return answer_switch(__func__, device, active, "display", "off");
}

ENTRY Return nvmlDeviceGetDisplayMode(Device device, unsigned* mode) {
    return answer_switch(__func__, device, mode, "display", "off");
}

ENTRY Return nvmlDeviceGetEccMode(Device device, unsigned* current, unsigned* pending) {
    const Return status = answer_switch(__func__, device, current, "ecc", "on");
    return status == SUCCESS ? answer_switch(__func__, device, pending, "ecc", "on") : status;
}

ENTRY Return nvmlDeviceGetMigMode(Device device, unsigned* current, unsigned* pending) {
    const Return status = answer_switch(__func__, device, current, "mig", "off");
    return status == SUCCESS ? answer_switch(__func__, device, pending, "mig", "off") : status;
}

ENTRY Return nvmlDeviceGetTotalEccErrors(Device device, unsigned type, unsigned counter,
                                         unsigned long long* count) {
    if (type > 1 || counter > 1) return initialized ? INVALID_ARGUMENT : UNINITIALIZED;
    return answer(__func__, device, [&](const Question& question) {
        std::string text;
        if (!count) return INVALID_ARGUMENT;
        if (!question.figure("ecc", "on", text) || !parse_switch(text)) return NOT_SUPPORTED;
        // Since the driver was loaded, and ever
        const char* const keys[] = {"ecc.corrected", "ecc.uncorrected"};
        const std::string key = keys[type] + std::string(counter ? ".ever" : "");
        if (!question.figure(key.c_str(), "0", text)) return NOT_SUPPORTED;
        *count = static_cast<unsigned long long>(parse_integer(text));
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetMaxMigDeviceCount(Device device, unsigned* count) {
    return answer_number(__func__, device, count, "mig.devices", "7");
}

ENTRY Return nvmlDeviceGetMigDeviceHandleByIndex(Device device, unsigned place, Device* slice) {
    return answer(__func__, device, [&](const Question& question) {
        if (!slice) return INVALID_ARGUMENT;
        for (const Card& part : parts(question))
            if (part.parent >= 0 && unsigned(part.place) == place) {
                *slice = handles + part.index;
                return SUCCESS;
            }
        return NOT_FOUND;
    });
}

ENTRY Return nvmlDeviceIsMigDeviceHandle(Device device, unsigned* is_slice) {
    return answer(__func__, device, [&](const Question& question) {
        if (!is_slice) return INVALID_ARGUMENT;
        *is_slice = question.card.parent >= 0;
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device slice, Device* device) {
    return answer(__func__, slice, [&](const Question& question) {
        if (!device || question.card.parent < 0) return INVALID_ARGUMENT;
        *device = handles + question.card.parent;
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetGpuInstanceId(Device slice, unsigned* id) {
    return answer(__func__, slice, [&](const Question& question) {
        if (!id || question.card.parent < 0) return INVALID_ARGUMENT;
        *id = unsigned(question.card.place + 1);
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetComputeInstanceId(Device slice, unsigned* id) {
    return answer(__func__, slice, [&](const Question& question) {
        if (!id || question.card.parent < 0) return INVALID_ARGUMENT;
        *id = 0;
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetTopologyCommonAncestor(Device one, Device other, unsigned* level) {
    const Return status = answer_number(__func__, other, level, "topology", "40");
    return status == SUCCESS ? answer_number(__func__, one, level, "topology", "40") : status;
}

// -- How it is doing -----------------------------------------------------------------

ENTRY Return nvmlDeviceGetMemoryInfo(Device device, Memory* memory) {
    return answer(__func__, device, [&](const Question& question) {
        if (!memory) return INVALID_ARGUMENT;
        std::string text;  // some cards share the machine's memory
        if (!question.figure("memory.used", "0", text)) return NOT_SUPPORTED;
        const Card& card = question.card;
        const Bytes free = card.usable() - memory_used(question);
        *memory = {card.memory, free, card.memory - free};
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetMemoryInfo_v2(Device device, MemoryV2* memory) {
    return answer(__func__, device, [&](const Question& question) {
        if (!memory) return INVALID_ARGUMENT;
        if (memory->version != version_of<MemoryV2>(2)) return ARGUMENT_VERSION_MISMATCH;
        std::string text;
        if (!question.figure("memory.used", "0", text)) return NOT_SUPPORTED;
        const Card& card = question.card;
        const Bytes used = memory_used(question), usable = card.usable();
        *memory = {memory->version, card.memory, card.memory - usable, usable - used, used};
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetBAR1MemoryInfo(Device device, Bar1Memory* memory) {
    return answer(__func__, device, [&](const Question& question) {
        if (!memory) return INVALID_ARGUMENT;
        *memory = {question.card.memory, question.card.memory, 0};
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetUtilizationRates(Device device, Utilization* rates) {
    return answer(__func__, device, [&](const Question& question) {
        if (!rates) return INVALID_ARGUMENT;
        std::string text;
        if (!question.figure("utilization.gpu", "0", text)) return NOT_SUPPORTED;
        if (question.card.slices || question.card.parent >= 0) return NOT_SUPPORTED;
        *rates = {busy(question, "utilization.gpu", running(question.card)),
                  busy(question, "utilization.memory", false)};
        return SUCCESS;
    });
}

ENTRY Return nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned* temperature) {
    if (sensor != 0) return initialized ? INVALID_ARGUMENT : UNINITIALIZED;
    return answer_number(__func__, device, temperature, "temperature", "35");
}

ENTRY Return nvmlDeviceGetTemperatureV(Device device, TemperatureV1* temperature) {
    if (!initialized) return UNINITIALIZED;
    if (!temperature || temperature->sensor != 0) return INVALID_ARGUMENT;
    if (temperature->version != version_of<TemperatureV1>(1)) return ARGUMENT_VERSION_MISMATCH;
    return answer_number(__func__, device, &temperature->temperature, "temperature", "35");
}

ENTRY Return nvmlDeviceGetTemperatureThreshold(Device device, unsigned, unsigned* temperature) {
    return answer_number(__func__, device, temperature, "temperature.threshold", "90");
}

ENTRY Return nvmlDeviceGetFanSpeed(Device device, unsigned* percent) {
    return answer_number(__func__, device, percent, "fan", "unsupported");
}

ENTRY Return nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatts) {
    return answer_number(__func__, device, milliwatts, "power", "70000");
}

ENTRY Return nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned* milliwatts) {
    return answer_number(__func__, device, milliwatts, "power.limit", "700000");
}

ENTRY Return nvmlDeviceGetPowerManagementLimit(Device device, unsigned* milliwatts) {
    return answer_number(__func__, device, milliwatts, "power.limit", "700000");
}

ENTRY Return nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long* millijoules) {
    return answer_number(__func__, device, millijoules, "energy", "0");
}

ENTRY Return nvmlDeviceGetClockInfo(Device device, unsigned type, unsigned* megahertz) {
    return clock_rate(__func__, device, type, megahertz, false);
}

ENTRY Return nvmlDeviceGetMaxClockInfo(Device device, unsigned type, unsigned* megahertz) {
    return clock_rate(__func__, device, type, megahertz, true);
}

ENTRY Return nvmlDeviceGetPerformanceState(Device device, unsigned* state) {
    return answer_number(__func__, device, state, "performance_state", "0");
}

ENTRY Return nvmlDeviceGetCurrentClocksEventReasons(Device device, unsigned long long* reasons) {
    return answer_number(__func__, device, reasons, "clock.reasons", "0");
}

// Its former name
ENTRY Return nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long* reasons) {
    return answer_number(__func__, device, reasons, "clock.reasons", "0");
}

// -- Who uses it ---------------------------------------------------------------------

ENTRY Return nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned* count,
                                                     ProcessInfo* infos) {
    return compute(__func__, device, count, infos);
}
ALSO(nvmlDeviceGetComputeRunningProcesses_v2, nvmlDeviceGetComputeRunningProcesses_v3);

ENTRY Return nvmlDeviceGetComputeRunningProcesses(Device device, unsigned* count,
                                                  ProcessInfoV1* infos) {
    return answer(__func__, device, [&](const Question& question) {
        const std::vector<ProcessInfo> found = compute_processes(question);
        return fill(infos, count, found.size(), [&](std::size_t i) {
            return ProcessInfoV1{found[i].pid, found[i].memory};
        });
    });
}

ENTRY Return nvmlDeviceGetGraphicsRunningProcesses_v3(Device device, unsigned* count, void*) {
    return no_processes(__func__, device, count);
}
ALSO(nvmlDeviceGetGraphicsRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses_v3);
ALSO(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlDeviceGetGraphicsRunningProcesses_v3);

ENTRY Return nvmlDeviceGetMPSComputeRunningProcesses_v3(Device device, unsigned* count, void*) {
    return no_processes(__func__, device, count);
}

ENTRY Return nvmlDeviceGetRunningProcessDetailList(Device device, ProcessDetailList* list) {
    return answer(__func__, device, [&](const Question& question) {
        if (!list || list->mode > 3) return INVALID_ARGUMENT;
        if (list->version != version_of<ProcessDetailList>(1)) return ARGUMENT_VERSION_MISMATCH;
        std::vector<ProcessInfo> found;
        if (list->mode == 0 || list->mode == 3) found = compute_processes(question);
        return fill(list->processes, &list->count, found.size(), [&](std::size_t i) {
            return ProcessDetail{found[i].pid, found[i].memory, no_instance, no_instance, 0};
        });
    });
}

ENTRY Return nvmlDeviceGetProcessUtilization(Device device, ProcessSample* room, unsigned* count,
                                             unsigned long long last_seen) {
    return answer(__func__, device, [&](const Question& question) {
        const std::vector<ProcessSampleV1> found = samples(question, last_seen);
        if (found.empty()) return NOT_FOUND;
        return fill(room, count, found.size(), [&](std::size_t i) {
            return ProcessSample{found[i].pid, found[i].time, found[i].sm, found[i].memory, 0, 0};
        });
    });
}

ENTRY Return nvmlDeviceGetProcessesUtilizationInfo(Device device, ProcessSampleList* list) {
    return answer(__func__, device, [&](const Question& question) {
        if (!list) return INVALID_ARGUMENT;
        if (list->version != version_of<ProcessSampleList>(1)) return ARGUMENT_VERSION_MISMATCH;
        const std::vector<ProcessSampleV1> found = samples(question, list->last_seen);
        if (found.empty()) return NOT_FOUND;
        return fill(list->samples, &list->count, found.size(),
                    [&](std::size_t i) { return found[i]; });
    });
}
