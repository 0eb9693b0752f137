// malloc(), free(), new and delete of device code. The linker redirects those of the program
// here (--wrap), where device code gets memory from a heap of limited size, as on a card.
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "cuda_emulator/report.h"
#include "device.h"
#include "memory.h"
#include "options.h"
#include "scheduler.h"

namespace cuda_emulator {

namespace {

constexpr size_t unit = 16;
constexpr size_t behind = 16;  // bytes that show an overrun
constexpr unsigned char border = 0xA7, freed = 0xDD;

struct Heap {
    char* begin = nullptr;
    size_t bytes = 0, next = 0;
    std::map<char*, size_t> live;
    std::map<size_t, std::vector<char*>> free;  // by size of the whole piece
};

std::map<int, Heap>& heaps() {
    static auto* all = new std::map<int, Heap>;
    return *all;
}

size_t whole(size_t bytes) { return (bytes + unit - 1) / unit * unit + behind; }

Heap& heap() {
    Heap& mine = heaps()[current_device()];
    if (mine.begin && !find_allocation(mine.begin)) mine = Heap();  // the device was reset
    if (!mine.begin) {
        Device& owner = use_device();
        if (Allocation* made = allocate(current_device(), owner.heap_limit)) {
            mine.begin = made->data;
            mine.bytes = owner.heap_limit;
            owner.heap_used = 1;  // from now on its size is fixed
        }
    }
    return mine;
}

}  // namespace

void* heap_allocate(size_t bytes) {
    Heap& mine = heap();
    if (!mine.begin || bytes > mine.bytes) return nullptr;
    const size_t piece = whole(bytes);
    char* found = nullptr;
    auto same = mine.free.find(piece);
    if (same != mine.free.end() && !same->second.empty()) {
        found = same->second.back();
        same->second.pop_back();
    } else if (mine.next + piece <= mine.bytes) {
        found = mine.begin + mine.next;
        mine.next += piece;
    } else {
        // A larger piece will do
        for (auto larger = mine.free.upper_bound(piece); larger != mine.free.end(); ++larger) {
            if (larger->second.empty()) continue;
            found = larger->second.back();
            larger->second.pop_back();
            const size_t rest = larger->first - piece;
            if (rest > behind) mine.free[rest].push_back(found + piece);
            break;
        }
        if (!found) return nullptr;
    }
    if (options().poison >= 0) std::memset(found, options().poison, bytes);
    std::memset(found + bytes, border, piece - bytes);
    mine.live[found] = bytes;
    return found;
}

bool in_heap(const void* address) {
    for (const auto& one : heaps())
        if (one.second.begin && address >= one.second.begin &&
            address < one.second.begin + one.second.bytes)
            return true;
    return false;
}

void heap_release(void* address) {
    Heap& mine = heap();
    const auto found = mine.live.find(static_cast<char*>(address));
    if (found == mine.live.end())
        device_fault(cudaErrorIllegalAddress,
                     "free() or delete of something that device code did not allocate, or twice");
    const size_t piece = whole(found->second);
    for (size_t i = found->second; i < piece; i++)
        if (static_cast<unsigned char>(found->first[i]) != border)
            device_fault(cudaErrorIllegalAddress,
                         ("something was written behind memory of " +
                          std::to_string(found->second) + " bytes from device malloc()")
                             .c_str());
    std::memset(found->first, freed, piece - behind);
    mine.free[piece].push_back(found->first);
    mine.live.erase(found);
}

namespace {

void* allocate_anywhere(size_t bytes) {
    return grid_running() ? heap_allocate(bytes) : std::malloc(bytes);
}

void* allocate_for_new(size_t bytes) {
    void* memory = allocate_anywhere(bytes ? bytes : 1);
    // On a card `new` gives a null pointer
    if (!memory && !grid_running()) throw std::bad_alloc();
    return memory;
}

void release_anywhere(void* address) {
    if (!address) return;
    if (grid_running()) {
        heap_release(address);
    } else if (in_heap(address)) {
        complain("host code frees memory that device code has allocated");
        std::abort();
    } else {
        std::free(address);
    }
}

}  // namespace

}  // namespace cuda_emulator

extern "C" {
void* __wrap_malloc(size_t bytes) { return cuda_emulator::allocate_anywhere(bytes); }
void __wrap_free(void* address) { cuda_emulator::release_anywhere(address); }
void* __wrap__Znwm(size_t bytes) { return cuda_emulator::allocate_for_new(bytes); }
void* __wrap__Znam(size_t bytes) { return cuda_emulator::allocate_for_new(bytes); }
void __wrap__ZdlPv(void* address) { cuda_emulator::release_anywhere(address); }
void __wrap__ZdaPv(void* address) { cuda_emulator::release_anywhere(address); }
void __wrap__ZdlPvm(void* address, size_t) { cuda_emulator::release_anywhere(address); }
void __wrap__ZdaPvm(void* address, size_t) { cuda_emulator::release_anywhere(address); }
}
