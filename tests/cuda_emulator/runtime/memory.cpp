#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "cuda_emulator/access.h"
#include "cuda_emulator/report.h"
#include "cuda_emulator/state.h"
#include "device.h"
#include "fault.h"
#include "options.h"
#include "stream.h"

namespace cuda_emulator {

namespace {

// Addresses are not used again while there are fresh ones, so that a pointer to freed memory
// never points to something else.
constexpr size_t arena_bytes = size_t(1) << 37;
constexpr size_t alignment = 256;    // what cudaMalloc() promises
constexpr size_t granularity = 512;  // what memory is counted in
constexpr unsigned char border = 0xA7;
constexpr size_t border_before = 64;  // as much of the space before an allocation is checked

size_t page_bytes() {
    static const size_t bytes = size_t(sysconf(_SC_PAGESIZE));
    return bytes;
}

struct Arena {
    char* begin = nullptr;
    char* next = nullptr;
    std::map<size_t, std::deque<char*>> free_regions;  // by size, the oldest first
};

struct Memory {
    std::map<int, Arena> arenas;
    std::map<uintptr_t, Allocation> live;   // by address
    std::map<uintptr_t, Allocation> freed;  // by region, for messages
    std::map<uintptr_t, size_t> symbols;
    std::map<uintptr_t, size_t> pinned;
    std::vector<Allocation*> open;
};
Memory& memory() {
    static Memory* instance = new Memory;
    return *instance;
}

thread_local int depth = 0;

Arena& arena(int device) {
    Arena& found = memory().arenas[device];
    if (!found.begin) {
        void* reserved = mmap(nullptr, arena_bytes, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (reserved == MAP_FAILED) {
            complain("no address space for the emulated device memory");
            std::abort();
        }
        found.begin = found.next = static_cast<char*>(reserved);
    }
    return found;
}

char* take_region(int device, size_t bytes) {
    Arena& from = arena(device);
    const size_t whole = bytes + page_bytes();
    if (size_t(from.next - from.begin) + whole <= arena_bytes) {
        char* region = from.next;
        from.next += whole;
        return region;
    }
    const auto fitting = from.free_regions.find(bytes);
    if (fitting == from.free_regions.end() || fitting->second.empty()) return nullptr;
    char* region = fitting->second.front();
    fitting->second.pop_front();
    memory().freed.erase(uintptr_t(region));
    return region;
}

size_t counted(size_t bytes) { return (bytes + granularity - 1) / granularity * granularity; }

const char* damaged(const Allocation& a) {
    const char* first = a.data - a.region < long(border_before) ? a.region : a.data - border_before;
    for (const char* at = first; at < a.data; at++)
        if (static_cast<unsigned char>(*at) != border) return at;
    for (const char* at = a.data + a.bytes; at < a.region + a.region_bytes; at++)
        if (static_cast<unsigned char>(*at) != border) return at;
    return nullptr;
}

void check_border(const Allocation& a) {
    begin_access();
    const char* at = damaged(a);
    end_access();
    if (!at) return;
    char text[200];
    if (at < a.data)
        std::snprintf(text, sizeof text,
                      "something was written %zd bytes before device memory of %zu bytes",
                      a.data - at, a.bytes);
    else
        std::snprintf(text, sizeof text,
                      "something was written %zd bytes behind the end of device memory of %zu bytes",
                      at - (a.data + a.bytes), a.bytes);
    complain(text);
    device(a.device).sticky = cudaErrorIllegalAddress;
}

bool in_range(const std::map<uintptr_t, size_t>& ranges, const void* address, size_t bytes) {
    auto after = ranges.upper_bound(uintptr_t(address));
    if (after == ranges.begin()) return false;
    --after;
    return uintptr_t(address) + bytes <= after->first + after->second;
}

void report_leaks() {
    if (options().leaks == Options::ignore || memory().live.empty()) return;
    size_t bytes = 0, count = 0;
    for (const auto& one : memory().live) {
        bool heap = in_heap(one.second.data);
        bytes += heap ? 0 : one.second.bytes;
        count += !heap;
    }
    if (!count) return;
    char text[160];
    std::snprintf(text, sizeof text, "leak: %zu allocations of device memory, %zu bytes, at the end",
                  count, bytes);
    complain(text);
    if (options().leaks == Options::fatal) _exit(86);
}

__attribute__((destructor)) void at_end() { report_leaks(); }

}  // namespace

bool in_arena(const void* address) {
    for (const auto& one : memory().arenas)
        if (address >= one.second.begin && address < one.second.begin + arena_bytes) return true;
    return false;
}

Allocation* allocate(int ordinal, size_t bytes, bool managed) {
    watch_faults();
    Device& owner = device(ordinal);
    if (bytes > owner.card.usable()) return nullptr;
    const int64_t needed = int64_t(counted(bytes));
    if (!state().try_memory(owner.card.index, needed, int64_t(owner.card.limit()))) return nullptr;
    const size_t page = page_bytes();
    const size_t inside = (bytes + alignment - 1) / alignment * alignment;
    const size_t region_bytes = (inside + border_before + page - 1) / page * page;
    char* region = take_region(ordinal, region_bytes);
    if (!region || mprotect(region, region_bytes, PROT_READ | PROT_WRITE) != 0) {
        state().add_memory(owner.card.index, -needed);
        return nullptr;
    }
    Allocation made;
    made.region = region;
    made.region_bytes = region_bytes;
    made.data = region + region_bytes - inside;
    made.bytes = bytes;
    made.device = ordinal;
    made.managed = managed;
    std::memset(region, border, size_t(made.data - region));
    std::memset(made.data + bytes, border, inside - bytes);
    if (options().poison >= 0) std::memset(made.data, options().poison, bytes);
    owner.allocated += size_t(needed);
    Allocation& kept = memory().live[uintptr_t(made.data)] = made;
    if (options().strict && !managed) {
        kept.open = true;
        memory().open.push_back(&kept);
        if (!accessing()) close_allocations();
    }
    return &kept;
}

bool release(void* data) {
    const auto found = memory().live.find(uintptr_t(data));
    if (found == memory().live.end()) return false;
    Allocation& old = found->second;
    check_border(old);
    Device& owner = device(old.device);
    const size_t freed = counted(old.bytes);
    owner.allocated -= freed;
    state().add_memory(owner.card.index, -int64_t(freed));
    mprotect(old.region, old.region_bytes, PROT_NONE);
    madvise(old.region, old.region_bytes, MADV_DONTNEED);
    memory().arenas[old.device].free_regions[old.region_bytes].push_back(old.region);
    memory().freed[uintptr_t(old.region)] = old;
    for (size_t i = 0; i < memory().open.size(); i++)
        if (memory().open[i] == &old) {
            memory().open.erase(memory().open.begin() + long(i));
            break;
        }
    memory().live.erase(found);
    return true;
}

Allocation* find_allocation(const void* address) {
    auto& live = memory().live;
    auto after = live.upper_bound(uintptr_t(address));
    if (after == live.begin()) return nullptr;
    --after;
    Allocation& candidate = after->second;
    const char* at = static_cast<const char*>(address);
    return at < candidate.data + candidate.bytes || at == candidate.data ? &candidate : nullptr;
}

std::string describe_address(const void* address) {
    const char* at = static_cast<const char*>(address);
    char text[200] = "";
    if (!in_arena(address)) return text;
    for (const auto& one : memory().live) {
        const Allocation& a = one.second;
        if (at >= a.data + a.bytes && at < a.region + a.region_bytes + page_bytes())
            std::snprintf(text, sizeof text, "%zd bytes behind the end of device memory of %zu bytes",
                          at - (a.data + a.bytes), a.bytes);
        else if (at >= a.data && at < a.data + a.bytes)
            std::snprintf(text, sizeof text, "byte %zd of device memory of %zu bytes", at - a.data,
                          a.bytes);
        else if (at >= a.region && at < a.data)
            std::snprintf(text, sizeof text, "%zd bytes before device memory of %zu bytes",
                          a.data - at, a.bytes);
    }
    auto after = memory().freed.upper_bound(uintptr_t(address));
    if (!*text && after != memory().freed.begin()) {
        const Allocation& a = std::prev(after)->second;
        if (at < a.region + a.region_bytes + page_bytes())
            std::snprintf(text, sizeof text, "byte %zd of device memory of %zu bytes that was freed",
                          at - a.data, a.bytes);
    }
    return *text ? text : "device memory that was never allocated";
}

bool is_device_memory(const void* address, size_t bytes) {
    if (const Allocation* found = find_allocation(address))
        return static_cast<const char*>(address) + bytes <= found->data + found->bytes;
    return in_range(memory().symbols, address, bytes) || in_range(memory().pinned, address, bytes);
}

bool is_host_memory(const void* address) {
    if (const Allocation* found = find_allocation(address)) return found->managed;
    return !in_arena(address) && !in_range(memory().symbols, address, 1);
}

void check_borders(int ordinal) {
    for (const auto& one : memory().live)
        if (one.second.device == ordinal) check_border(one.second);
}

void free_all(int ordinal) {
    std::vector<void*> all;
    for (const auto& one : memory().live)
        if (one.second.device == ordinal) all.push_back(one.second.data);
    for (void* data : all) release(data);
}

bool open_allocation(const void* address) {
    if (!options().strict || !accessing()) return false;
    for (auto& one : memory().live) {
        Allocation& a = one.second;
        if (address < a.region || address >= a.region + a.region_bytes) continue;
        if (a.open) return false;
        mprotect(a.region, a.region_bytes, PROT_READ | PROT_WRITE);
        a.open = true;
        memory().open.push_back(&a);
        return true;
    }
    return false;
}

void close_allocations() {
    for (Allocation* a : memory().open) {
        mprotect(a->region, a->region_bytes, PROT_NONE);
        a->open = false;
    }
    memory().open.clear();
}

void begin_access() {
    lock().lock();
    depth++;
}

void end_access() {
    if (--depth == 0 && options().strict) close_allocations();
    lock().unlock();
}

bool accessing() { return depth > 0; }

DeviceAccess::DeviceAccess() { begin_access(); }
DeviceAccess::~DeviceAccess() { end_access(); }
DeviceCode::DeviceCode() { device_code(true); }
DeviceCode::~DeviceCode() { device_code(false); }

cudaError_t check_copy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (!to || !from) return cudaErrorInvalidValue;
    const auto device_side = [bytes](const void* p) { return is_device_memory(p, bytes); };
    const auto host_side = [](const void* p) { return is_host_memory(p); };
    switch (kind) {
        case cudaMemcpyHostToHost:
            return host_side(to) && host_side(from) ? cudaSuccess : cudaErrorInvalidValue;
        case cudaMemcpyHostToDevice:
            return device_side(to) && host_side(from) ? cudaSuccess : cudaErrorInvalidValue;
        case cudaMemcpyDeviceToHost:
            return host_side(to) && device_side(from) ? cudaSuccess : cudaErrorInvalidValue;
        case cudaMemcpyDeviceToDevice:
            return device_side(to) && device_side(from) ? cudaSuccess : cudaErrorInvalidValue;
        case cudaMemcpyDefault:
            return (device_side(to) || host_side(to)) && (device_side(from) || host_side(from))
                       ? cudaSuccess
                       : cudaErrorInvalidValue;
    }
    return cudaErrorInvalidMemcpyDirection;
}

void copy(void* to, const void* from, size_t bytes) {
    DeviceAccess access;
    std::memmove(to, from, bytes);
}

static cudaError_t copy_now(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return cudaSuccess;
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
    copy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t note_symbol(const void* symbol, size_t size) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    memory().symbols[uintptr_t(symbol)] = size;
    return cudaSuccess;
}

void forget_symbols(const void* begin, const void* end) {
    auto& symbols = memory().symbols;
    symbols.erase(symbols.lower_bound(uintptr_t(begin)), symbols.lower_bound(uintptr_t(end)));
}

cudaError_t copy_to_symbol(void* symbol, size_t size, const void* from, size_t bytes,
                           size_t offset, cudaMemcpyKind kind, cudaStream_t stream, bool async) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (offset + bytes > size) return result(cudaErrorInvalidValue);
    if (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDeviceToDevice &&
        kind != cudaMemcpyDefault)
        return result(cudaErrorInvalidMemcpyDirection);
    if (const cudaError_t error = note_symbol(symbol, size)) return error;
    char* to = static_cast<char*>(symbol) + offset;
    return async ? cudaMemcpyAsync(to, from, bytes, kind, stream)
                 : cudaMemcpy(to, from, bytes, kind);
}

cudaError_t copy_from_symbol(void* to, const void* symbol, size_t size, size_t bytes,
                             size_t offset, cudaMemcpyKind kind, cudaStream_t stream, bool async) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (offset + bytes > size) return result(cudaErrorInvalidValue);
    if (kind != cudaMemcpyDeviceToHost && kind != cudaMemcpyDeviceToDevice &&
        kind != cudaMemcpyDefault)
        return result(cudaErrorInvalidMemcpyDirection);
    if (const cudaError_t error = note_symbol(symbol, size)) return error;
    const char* from = static_cast<const char*>(symbol) + offset;
    return async ? cudaMemcpyAsync(to, from, bytes, kind, stream)
                 : cudaMemcpy(to, from, bytes, kind);
}

}  // namespace cuda_emulator

using namespace cuda_emulator;

using Guard = std::lock_guard<std::recursive_mutex>;

static cudaError_t allocate_for(void** pointer, size_t bytes, bool managed) {
    if (!pointer) return cudaErrorInvalidValue;
    *pointer = nullptr;
    if (bytes == 0) return managed ? cudaErrorInvalidValue : cudaSuccess;
    Allocation* made = allocate(current_device(), bytes, managed);
    if (!made) return cudaErrorMemoryAllocation;
    *pointer = made->data;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (const cudaError_t error = refuse_unsafe_call()) return result(error);
    return result(allocate_for(pointer, bytes, false));
}

cudaError_t cudaFree(void* pointer) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!pointer) return cudaSuccess;
    if (const cudaError_t error = refuse_unsafe_call()) return result(error);
    // It waits for the device
    if (const cudaError_t error = wait_error()) return result(error);
    if (!release(pointer)) return result(cudaErrorInvalidValue);
    return result(use_device().sticky);
}

cudaError_t cudaMallocPitch(void** pointer, size_t* pitch, size_t width, size_t height) {
    if (!pitch) return result(cudaErrorInvalidValue);
    *pitch = (width + 511) / 512 * 512;
    return cudaMalloc(pointer, *pitch * height);
}

cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned int) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (const cudaError_t error = refuse_unsafe_call()) return result(error);
    return result(allocate_for(pointer, bytes, true));
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (const cudaError_t error = allocate_for(pointer, bytes, false)) return result(error);
    void* const made = *pointer;
    return result(enqueue_allocation(stream, made));
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!pointer) return cudaSuccess;
    if (!find_allocation(pointer) || find_allocation(pointer)->data != pointer)
        return result(cudaErrorInvalidValue);
    return result(enqueue_release(stream, pointer));
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned int) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (const cudaError_t error = refuse_unsafe_call()) return result(error);
    if (!pointer) return result(cudaErrorInvalidValue);
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    void* made = nullptr;
    if (posix_memalign(&made, 4096, bytes) != 0) return result(cudaErrorMemoryAllocation);
    memory().pinned[uintptr_t(made)] = bytes;
    *pointer = made;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
    return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* pointer) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!pointer) return cudaSuccess;
    if (const cudaError_t error = refuse_unsafe_call()) return result(error);
    if (!memory().pinned.erase(uintptr_t(pointer))) return result(cudaErrorInvalidValue);
    std::free(pointer);
    return result(wait_error());
}

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned int) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!pointer || !bytes) return result(cudaErrorInvalidValue);
    if (in_range(memory().pinned, pointer, 1)) return result(cudaErrorHostMemoryAlreadyRegistered);
    memory().pinned[uintptr_t(pointer)] = bytes;
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* pointer) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    return memory().pinned.erase(uintptr_t(pointer)) ? cudaSuccess
                                                     : result(cudaErrorHostMemoryNotRegistered);
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned int) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!device || !in_range(memory().pinned, host, 1)) return result(cudaErrorInvalidValue);
    *device = host;
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    Guard guard(lock());
    if (const cudaError_t error = synchronising_call(nullptr)) return result(error);
    return result(copy_now(to, from, bytes, kind));
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (bytes == 0) return cudaSuccess;
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return result(error);
    return result(enqueue_copy(stream, to, from, bytes, kind));
}

static cudaError_t check_rows(size_t to_pitch, size_t from_pitch, size_t width) {
    return width > to_pitch || width > from_pitch ? cudaErrorInvalidPitchValue : cudaSuccess;
}

cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                         size_t width, size_t height, cudaMemcpyKind kind) {
    Guard guard(lock());
    if (const cudaError_t error = synchronising_call(nullptr)) return result(error);
    if (const cudaError_t error = check_rows(to_pitch, from_pitch, width)) return result(error);
    for (size_t row = 0; row < height; row++)
        if (const cudaError_t error =
                copy_now(static_cast<char*>(to) + row * to_pitch,
                         static_cast<const char*>(from) + row * from_pitch, width, kind))
            return result(error);
    return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = check_rows(to_pitch, from_pitch, width)) return result(error);
    for (size_t row = 0; row < height; row++)
        if (const cudaError_t error = cudaMemcpyAsync(
                static_cast<char*>(to) + row * to_pitch,
                static_cast<const char*>(from) + row * from_pitch, width, kind, stream))
            return error;
    return cudaSuccess;
}

cudaError_t cudaMemset(void* pointer, int value, size_t bytes) {
    // To device memory it does not wait for the host
    return cudaMemsetAsync(pointer, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (bytes == 0) return cudaSuccess;
    if (!is_device_memory(pointer, bytes)) return result(cudaErrorInvalidValue);
    return result(enqueue_fill(stream, pointer, value, bytes));
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    const Card& card = use_device().card;
    const int64_t used = state().memory_used(card.index);
    const int64_t left = int64_t(card.limit()) - used;
    if (free) *free = left > 0 ? size_t(left) : 0;
    if (total) *total = size_t(card.usable());
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!attributes) return result(cudaErrorInvalidValue);
    void* const p = const_cast<void*>(pointer);
    *attributes = {cudaMemoryTypeUnregistered, cudaInvalidDeviceId, nullptr, p};
    if (const Allocation* found = find_allocation(pointer)) {
        *attributes = {found->managed ? cudaMemoryTypeManaged : cudaMemoryTypeDevice,
                       found->device, p, found->managed ? p : nullptr};
    } else if (in_range(memory().symbols, pointer, 1)) {
        *attributes = {cudaMemoryTypeDevice, current_device(), p, nullptr};
    } else if (in_range(memory().pinned, pointer, 1)) {
        *attributes = {cudaMemoryTypeHost, current_device(), p, p};
    }
    return cudaSuccess;
}

// The default pool gives memory back at once.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int ordinal) {
    if (!pool) return result(cudaErrorInvalidValue);
    if (ordinal < 0 || ordinal >= device_count()) return result(cudaErrorInvalidDevice);
    *pool = reinterpret_cast<cudaMemPool_t>(uintptr_t(ordinal) + 1);
    return cudaSuccess;
}

static std::map<std::pair<cudaMemPool_t, int>, unsigned long long>& pool_attributes() {
    static auto* all = new std::map<std::pair<cudaMemPool_t, int>, unsigned long long>;
    return *all;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
    Guard guard(lock());
    if (!pool || !value) return result(cudaErrorInvalidValue);
    pool_attributes()[{pool, attribute}] = attribute == cudaMemPoolAttrReleaseThreshold
                                               ? *static_cast<unsigned long long*>(value)
                                               : (unsigned long long)*static_cast<int*>(value);
    return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
    Guard guard(lock());
    if (!pool || !value) return result(cudaErrorInvalidValue);
    switch (attribute) {
        case cudaMemPoolAttrReservedMemCurrent:
        case cudaMemPoolAttrReservedMemHigh:
        case cudaMemPoolAttrUsedMemCurrent:
        case cudaMemPoolAttrUsedMemHigh:
            *static_cast<unsigned long long*>(value) = device(int(uintptr_t(pool)) - 1).allocated;
            break;
        case cudaMemPoolAttrReleaseThreshold:
            *static_cast<unsigned long long*>(value) = pool_attributes()[{pool, attribute}];
            break;
        default: *static_cast<int*>(value) = int(pool_attributes()[{pool, attribute}]);
    }
    return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t) {
    return result(pool ? cudaSuccess : cudaErrorInvalidValue);
}
