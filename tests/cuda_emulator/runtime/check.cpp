// What instrumented code calls at each access to memory.
//
// With the setting check=on nvcc compiles device code with -fsanitize=thread and does not link
// that sanitizer's library: the calls that GCC puts in come here. So every access of a kernel is
// known, and is compared with what is allocated, and with the accesses of other threads since the
// last barrier. (https://gcc.gnu.org/onlinedocs/gcc/Instrumentation-Options.html; the names of
// the calls are GCC's.)
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda_emulator/report.h"
#include "memory.h"
#include "options.h"
#include "scheduler.h"
#include "shared_memory.h"

namespace cuda_emulator {

namespace {

enum Kind { reading, writing, atomically };
const char* const kind_names[] = {"read", "write", "atomic operation"};

struct Access {
    Place place;
    uint64_t time = 0;  // 0: none
    const void* code = nullptr;
};

// The latest accesses to one element. Of reads two by different threads are kept.
struct Cell {
    Access write, atomic, reads[2];
};

struct Shadow {
    unsigned long long launch = 0;
    uint64_t time = 0;
    std::unordered_map<uintptr_t, Cell> words;  // of 4 bytes
    std::unordered_map<uintptr_t, Cell> bytes;  // for accesses to less
    // When a block last did an atomic operation on an address: perhaps a lock
    std::unordered_map<uintptr_t, std::unordered_map<unsigned, uint64_t>> locks;
    std::set<std::pair<const void*, const void*>> shown;
};
Shadow& shadow() {
    static Shadow* instance = new Shadow;
    return *instance;
}

std::string where(const void* code) {
    Dl_info info;
    char text[64];
    if (!dladdr(code, &info) || !info.dli_fname) return "?";
    std::snprintf(text, sizeof text, "+0x%zx",
                  size_t(static_cast<const char*>(code) - static_cast<const char*>(info.dli_fbase)));
    const char* slash = std::strrchr(info.dli_fname, '/');
    return std::string(slash ? slash + 1 : info.dli_fname) + text;
}

std::string name_of(const void* address) {
    const char* name = nullptr;
    if (near_shared_memory(address, &name)) return std::string("shared memory '") + name + "'";
    const std::string known = describe_address(address);
    return known.empty() ? "a device variable" : known;
}

// Whether `before` comes before what `now` does, in every order of threads.
bool ordered(const Access& before, const Place& now) {
    const Place& then = before.place;
    if (then.block == now.block && then.thread == now.thread) return true;
    if (then.grid_epoch != now.grid_epoch) return true;
    if (then.block == now.block) {
        if (then.block_epoch != now.block_epoch) return true;
        return then.warp == now.warp && then.warp_epoch != now.warp_epoch;
    }
    // Perhaps a lock was handed over: the one block did an atomic operation behind its access, and
    // the other one on the same address later
    for (const auto& lock : shadow().locks) {
        const auto released = lock.second.find(then.block), taken = lock.second.find(now.block);
        if (released != lock.second.end() && taken != lock.second.end() &&
            before.time < released->second && released->second < taken->second)
            return true;
    }
    return false;
}

void complain_of_race(const Access& before, Kind kind_before, Kind kind, const void* address,
                      const void* code) {
    Shadow& all = shadow();
    if (!all.shown.insert({before.code, code}).second) return;
    char text[200];
    std::snprintf(text, sizeof text,
                  "race: %s by thread %u of block %u, and %s, with no barrier between them, of ",
                  kind_names[kind_before], before.place.thread, before.place.block,
                  kind_names[kind]);
    const std::string message = text + name_of(address) + " (code at " + where(before.code) +
                                " and " + where(code) + ")";
    if (options().races == Options::failing)
        device_fault(cudaErrorLaunchFailure, message.c_str());
    complain((message + ", in " + present_thread()).c_str());
}

void look(Cell& cell, Kind kind, const Place& now, uint64_t time, const void* address, bool shared,
          const void* code) {
    const auto conflicts = [&](const Access& before) {
        // Another block had shared memory of its own, at the same address here
        if (shared && before.place.block != now.block) return false;
        return before.time && !ordered(before, now);
    };
    if (conflicts(cell.write)) complain_of_race(cell.write, writing, kind, address, code);
    if (kind != atomically && conflicts(cell.atomic))
        complain_of_race(cell.atomic, atomically, kind, address, code);
    if (kind != reading)
        for (const Access& one : cell.reads)
            if (conflicts(one)) complain_of_race(one, reading, kind, address, code);
    const Access own{now, time, code};
    if (kind == writing) cell.write = own;
    if (kind == atomically) cell.atomic = own;
    if (kind == reading) {
        const Access& last = cell.reads[0];
        if (last.time && (last.place.block != now.block || last.place.thread != now.thread))
            cell.reads[1] = last;
        cell.reads[0] = own;
    }
}

void watch_races(const void* address, size_t bytes, Kind kind, bool shared, const void* code) {
    Shadow& all = shadow();
    if (all.launch != present_launch()) {
        all.launch = present_launch();
        all.words.clear();
        all.bytes.clear();
        all.locks.clear();
    }
    const Place now = present_place();
    const uint64_t time = ++all.time;
    const uintptr_t first = uintptr_t(address);
    if (bytes < 4) {
        for (uintptr_t at = first; at < first + bytes; at++)
            look(all.bytes[at], kind, now, time, address, shared, code);
    } else {
        for (uintptr_t at = first / 4 * 4; at < first + bytes; at += 4)
            look(all.words[at], kind, now, time, address, shared, code);
    }
    if (kind == atomically) all.locks[first][now.block] = time;
}

void check_access(const void* address, size_t bytes, Kind kind, const void* code) {
    if (!grid_running()) {
        if (in_arena(address) && !accessing() && is_device_memory(address, bytes) &&
            !is_host_memory(address)) {
            complain(("host code accesses device memory: " + describe_address(address) +
                      " (code at " + where(code) + ")")
                         .c_str());
            std::abort();
        }
        return;
    }
    if (on_own_stack(address)) return;
    const char* name = nullptr;
    bool known = true, shared = false;
    if (in_arena(address)) {
        if (!is_device_memory(address, bytes))
            device_fault(cudaErrorIllegalAddress, ("illegal access: " + describe_address(address) +
                                                   " (code at " + where(code) + ")")
                                                      .c_str());
    } else if (near_shared_memory(address, &name)) {
        shared = true;
        if (!is_shared_memory(address, bytes))
            device_fault(cudaErrorIllegalAddress,
                         (std::string("illegal access outside of the shared memory '") + name + "'")
                             .c_str());
    } else {
        known = is_device_memory(address, bytes);  // a variable; anything else is the program's own
    }
    if (known && options().races != Options::unchecked) watch_races(address, bytes, kind, shared, code);
}

}  // namespace

// Whether any code of the process is.
static bool instrumented = false;

void note_atomic(const void* address, unsigned bytes) {
    if (instrumented && grid_running())
        check_access(address, bytes, atomically, __builtin_return_address(0));
}

}  // namespace cuda_emulator

using namespace cuda_emulator;

extern "C" {

void __tsan_init() { instrumented = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define CUDA_EMULATOR_ACCESS(name, bytes, kind)                          \
    void __tsan_##name##bytes(void* address) {                          \
        check_access(address, bytes, kind, __builtin_return_address(0)); \
    }
#define CUDA_EMULATOR_ACCESSES(bytes)                  \
    CUDA_EMULATOR_ACCESS(read, bytes, reading)            \
    CUDA_EMULATOR_ACCESS(write, bytes, writing)          \
    CUDA_EMULATOR_ACCESS(volatile_read, bytes, reading)   \
    CUDA_EMULATOR_ACCESS(volatile_write, bytes, writing)
CUDA_EMULATOR_ACCESSES(1)
CUDA_EMULATOR_ACCESSES(2)
CUDA_EMULATOR_ACCESSES(4)
CUDA_EMULATOR_ACCESSES(8)
CUDA_EMULATOR_ACCESSES(16)
#define CUDA_EMULATOR_UNALIGNED(bytes)                           \
    CUDA_EMULATOR_ACCESS(unaligned_read, bytes, reading)            \
    CUDA_EMULATOR_ACCESS(unaligned_write, bytes, writing)          \
    CUDA_EMULATOR_ACCESS(unaligned_volatile_read, bytes, reading)   \
    CUDA_EMULATOR_ACCESS(unaligned_volatile_write, bytes, writing)
CUDA_EMULATOR_UNALIGNED(2)
CUDA_EMULATOR_UNALIGNED(4)
CUDA_EMULATOR_UNALIGNED(8)
CUDA_EMULATOR_UNALIGNED(16)

void __tsan_read_range(void* address, size_t bytes) {
    check_access(address, bytes, reading, __builtin_return_address(0));
}
void __tsan_write_range(void* address, size_t bytes) {
    check_access(address, bytes, writing, __builtin_return_address(0));
}

// The compiler's own atomic operations: host code's, which keeps its meaning.
#define CUDA_EMULATOR_ATOMIC(bits, type)                                                          \
    type __tsan_atomic##bits##_load(const volatile type* a, int) {                                \
        return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                              \
    }                                                                                             \
    void __tsan_atomic##bits##_store(volatile type* a, type v, int) {                             \
        __atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                                 \
    }                                                                                             \
    type __tsan_atomic##bits##_exchange(volatile type* a, type v, int) {                          \
        return __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST);                                       \
    }                                                                                             \
    type __tsan_atomic##bits##_fetch_add(volatile type* a, type v, int) {                         \
        return __atomic_fetch_add(a, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                             \
    type __tsan_atomic##bits##_fetch_sub(volatile type* a, type v, int) {                         \
        return __atomic_fetch_sub(a, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                             \
    type __tsan_atomic##bits##_fetch_and(volatile type* a, type v, int) {                         \
        return __atomic_fetch_and(a, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                             \
    type __tsan_atomic##bits##_fetch_or(volatile type* a, type v, int) {                          \
        return __atomic_fetch_or(a, v, __ATOMIC_SEQ_CST);                                         \
    }                                                                                             \
    type __tsan_atomic##bits##_fetch_xor(volatile type* a, type v, int) {                         \
        return __atomic_fetch_xor(a, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                             \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type* a, type* c, type v, int,     \
                                                      int) {                                      \
        return __atomic_compare_exchange_n(a, c, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
    }                                                                                             \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type* a, type* c, type v, int, int) { \
        return __atomic_compare_exchange_n(a, c, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);    \
    }
CUDA_EMULATOR_ATOMIC(8, uint8_t)
CUDA_EMULATOR_ATOMIC(16, uint16_t)
CUDA_EMULATOR_ATOMIC(32, uint32_t)
CUDA_EMULATOR_ATOMIC(64, uint64_t)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

}  // extern "C"
