// The emulated cards, as the driver and the runtime of CUDA and NVML must agree on them.
//
// A card's own number is NVML's: by PCI bus. CUDA numbers those that CUDA_VISIBLE_DEVICES leaves,
// the fastest first (by the setting `speed`) unless CUDA_DEVICE_ORDER is PCI_BUS_ID. A slice of a
// card (MIG) is a card of its own to CUDA, with a number that follows those of all cards. The
// settings of cards, and of this header's functions, are described in docs/emulator.md.
#ifndef CUDA_EMULATOR_CARDS_H
#define CUDA_EMULATOR_CARDS_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda_emulator/settings.h"
#include "cuda_emulator/state.h"

namespace cuda_emulator {

// A process that exists only in the setting nvml.processes
struct ForeignProcess {
    int pid;
    std::uint64_t memory;
};

struct Card {
    int index = 0;  // NVML's, and that of the state and of `deviceN.` in settings
    std::string uuid;
    std::string name;
    std::uint64_t memory = 0;           // all that is on the card
    std::uint64_t memory_reserved = 0;  // of it by the driver: never to be had
    std::uint64_t memory_taken = 0;     // of it by others, as settings say, beside the state
    int major = 0, minor = 0;           // compute capability
    int sm = 0;
    double speed = 0;
    unsigned pci_domain = 0, pci_bus = 0, pci_device = 0;
    bool lost = false;  // fallen off the bus
    std::vector<ForeignProcess> foreign;
    bool mig = false;  // it is divided, into as many slices:
    int slices = 0;
    int parent = -1;          // of a slice: its card
    int place = 0;            // of a slice: its place on the card
    std::string parent_uuid;  // of a slice

    // What cudaMemGetInfo calls the total
    std::uint64_t usable() const { return memory > memory_reserved ? memory - memory_reserved : 0; }

    // Up to which the processes of the state may fill the card: see State::try_memory
    std::uint64_t limit() const { return usable() > memory_taken ? usable() - memory_taken : 0; }

    std::string key(const std::string& name) const {
        return "device" + std::to_string(index) + "." + name;
    }
};

// `nvml.processes=1234:2G;1235:512M`
inline std::vector<ForeignProcess> foreign_processes(const std::string& text) {
    std::vector<ForeignProcess> found;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(';', begin), text.size());
        const std::string item = text.substr(begin, end - begin);
        const std::size_t colon = item.find(':');
        if (colon == std::string::npos)
            refuse_setting("nvml.processes has no pid:bytes in '" + item + "'");
        found.push_back({int(parse_integer(item.substr(0, colon))),
                         parse_bytes(item.substr(colon + 1))});
        begin = end + 1;
    }
    return found;
}

inline bool driver_missing(const SettingsText& settings) {
    return parse_switch(settings.get("nvml.missing", "off"));
}

inline Card card_of(const SettingsText& settings, int index) {
    Card card;
    card.index = index;
    char text[64];
    // They differ from the second digit on, so that short prefixes of them are unique.
    std::snprintf(text, sizeof text, "GPU-e%x0c0de0-c0da-4e00-8e00-0000000000%02x", index, index);
    card.uuid = settings.get(card.key("uuid"), text);
    card.name = settings.get_of(index, "name", "Emulated CUDA card");
    card.memory = parse_bytes(settings.get_of(index, "memory", "2G"));
    card.memory_reserved = parse_bytes(settings.get_of(index, "nvml.memory.reserved", "0"));
    const std::string taken = settings.get_of(index, "nvml.memory.used", "0");
    card.memory_taken = taken == "unsupported" ? 0 : parse_bytes(taken);
    card.foreign = foreign_processes(settings.get_of(index, "nvml.processes"));
    for (const ForeignProcess& process : card.foreign) card.memory_taken += process.memory;
    const std::pair<int, int> capability = parse_version(settings.get_of(index, "cc", "9.0"));
    card.major = capability.first;
    card.minor = capability.second;
    card.sm = int(parse_integer(settings.get_of(index, "sm", "4")));
    card.speed = std::strtod(settings.get_of(index, "speed", "1").c_str(), nullptr);
    std::snprintf(text, sizeof text, "0000:%02x:00.0", 0x10 + index);
    const std::string pci = settings.get(card.key("pci"), text);
    if (std::sscanf(pci.c_str(), "%x:%x:%x", &card.pci_domain, &card.pci_bus,
                    &card.pci_device) != 3)
        refuse_setting("'" + pci + "' is no PCI bus id");
    card.lost = parse_switch(settings.get_of(index, "lost", "off"));
    const std::string mig = settings.get_of(index, "nvml.mig", "off");
    card.mig = mig != "unsupported" && parse_switch(mig);
    if (card.mig) card.slices = int(parse_integer(settings.get_of(index, "nvml.mig.slices", "0")));
    return card;
}

// What is said of all cards is not said of their slices, which have equal shares unless something
// is said of them alone.
inline Card slice_of(const SettingsText& settings, const Card& whole, int index, int place) {
    Card card = whole;
    card.index = index;
    card.mig = false;
    card.slices = 0;
    card.parent = whole.index;
    card.place = place;
    card.parent_uuid = whole.uuid;
    char text[64];
    std::snprintf(text, sizeof text, "MIG-e%x0c0de0-c0da-5e00-8e00-0000000000%02x", index, index);
    card.uuid = settings.get(card.key("uuid"), text);
    card.name = settings.get(card.key("name"), whole.name + " MIG");
    const std::uint64_t share = whole.usable() / std::uint64_t(whole.slices);
    const std::string memory = settings.get(card.key("memory"));
    card.memory = memory.empty() ? share : parse_bytes(memory);
    card.memory_reserved = parse_bytes(settings.get(card.key("nvml.memory.reserved"), "0"));
    const std::string taken = settings.get(card.key("nvml.memory.used"), "0");
    card.memory_taken = taken == "unsupported" ? 0 : parse_bytes(taken);
    card.foreign = foreign_processes(settings.get(card.key("nvml.processes")));
    for (const ForeignProcess& process : card.foreign) card.memory_taken += process.memory;
    card.sm = std::max(1, whole.sm / whole.slices);
    return card;
}

inline std::vector<Card> all_cards(const SettingsText& settings = SettingsText()) {
    std::vector<Card> cards;
    if (driver_missing(settings)) return cards;
    const long count = parse_integer(settings.get("devices", "1"));
    if (count < 0 || count > max_devices) refuse_setting("devices is from 0 to 16");
    for (int index = 0; index < count; ++index) cards.push_back(card_of(settings, index));
    return cards;
}

inline std::vector<Card> slices_of(const SettingsText& settings, const std::vector<Card>& cards) {
    std::vector<Card> slices;
    for (const Card& card : cards)
        for (int place = 0; place < card.slices; ++place) {
            const int index = int(cards.size() + slices.size());
            if (index >= max_devices) refuse_setting("cards and slices together are up to 16");
            slices.push_back(slice_of(settings, card, index, place));
        }
    return slices;
}

// The place of the card that an entry of CUDA_VISIBLE_DEVICES means; -1 if it means none
inline int chosen_card(const std::vector<Card>& cards, const std::string& entry, bool by_uuid) {
    if (!by_uuid) {
        // As the driver: blanks before it and anything behind it do not matter.
        char* end = nullptr;
        const long number = std::strtol(entry.c_str(), &end, 10);
        if (end == entry.c_str() || number < 0 || number >= long(cards.size())) return -1;
        return int(number);
    }
    int found = -1;
    if (entry.compare(0, 4, "GPU-") != 0 && entry.compare(0, 4, "MIG-") != 0) return -1;
    for (std::size_t place = 0; place < cards.size(); ++place) {
        if (cards[place].uuid.compare(0, entry.size(), entry) != 0) continue;
        if (found >= 0) return -1;  // ambiguous
        found = int(place);
    }
    return found;
}

// A process gets one slice, and then no card. MIG User Guide, "CUDA Device Enumeration".
inline std::vector<Card> without_divided(const std::vector<Card>& cards,
                                         const std::vector<Card>& slices) {
    std::vector<Card> whole;
    for (const Card& card : cards) {
        if (card.parent >= 0) return {card};
        for (const Card& slice : slices)
            if (slice.parent == card.index) return {slice};
        if (!card.mig) whole.push_back(card);
    }
    return whole;
}

// The cards that CUDA sees, in its order
inline std::vector<Card> visible_cards(const SettingsText& settings = SettingsText()) {
    std::vector<Card> cards;
    const std::vector<Card> all = all_cards(settings), slices = slices_of(settings, all);
    for (const Card& card : all)
        if (!card.lost) cards.push_back(card);
    const char* order = std::getenv("CUDA_DEVICE_ORDER");
    if (!order || std::string(order) != "PCI_BUS_ID")
        std::stable_sort(cards.begin(), cards.end(),
                         [](const Card& one, const Card& other) { return one.speed > other.speed; });
    const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
    if (!list) return without_divided(cards, slices);
    const std::string text = list;
    // The first entry says which
    const bool by_uuid = text.compare(0, 4, "GPU-") == 0 || text.compare(0, 4, "MIG-") == 0;
    if (by_uuid)
        for (const Card& slice : slices)
            if (!slice.lost) cards.push_back(slice);
    std::vector<int> chosen;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const int place = chosen_card(cards, text.substr(begin, end - begin), by_uuid);
        if (place < 0) break;  // the list ends here
        if (std::find(chosen.begin(), chosen.end(), place) != chosen.end()) return {};
        chosen.push_back(place);
        begin = end + 1;
    }
    std::vector<Card> visible;
    for (const int place : chosen) visible.push_back(cards[std::size_t(place)]);
    return without_divided(visible, slices);
}

}  // namespace cuda_emulator

#endif
