#include "shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "cuda_emulator/report.h"
#include "cuda_emulator/thread.h"
#include "options.h"

namespace cuda_emulator {

namespace {
thread_local BlockMemory* present = nullptr;

size_t page_bytes() {
    static const size_t bytes = size_t(sysconf(_SC_PAGESIZE));
    return bytes;
}
constexpr unsigned char behind = 0xA7;  // what the rest behind an area's end holds
}  // namespace

void BlockMemory::map(Area& area, size_t bytes, size_t alignment) {
    const size_t page = page_bytes();
    const size_t inside = (bytes + alignment + page - 1) / page * page;
    area.mapped = inside + 2 * page;
    void* mapping = mmap(nullptr, area.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    area.mapping = static_cast<char*>(mapping);
    mprotect(area.mapping + page, inside, PROT_READ | PROT_WRITE);
    const uintptr_t end = uintptr_t(area.mapping) + page + inside;
    area.data = reinterpret_cast<char*>((end - bytes) / alignment * alignment);
    area.bytes = bytes;
}

void BlockMemory::refresh(Area& area) {
    if (options().poison >= 0) std::memset(area.data, options().poison, area.bytes);
    char* const end = area.mapping + area.mapped - page_bytes();
    std::memset(area.data + area.bytes, behind, size_t(end - area.data) - area.bytes);
}

void BlockMemory::check(const Area& area) {
    const char* const end = area.mapping + area.mapped - page_bytes();
    for (const char* at = area.data + area.bytes; at < end; at++)
        if (static_cast<unsigned char>(*at) != behind)
            device_fault(cudaErrorIllegalAddress,
                         ("a thread of the block wrote behind the end of the shared memory '" +
                          std::string(area.name) + "' of " + std::to_string(area.bytes) +
                          " bytes")
                             .c_str());
}

size_t BlockMemory::find(const void* tag, size_t bytes, size_t alignment, const char* name) {
    for (size_t i = 0; i < areas_.size(); i++)
        if (areas_[i].tag == tag && areas_[i].bytes == bytes) return i;
    areas_.emplace_back();
    areas_.back().tag = tag;
    areas_.back().name = name;
    map(areas_.back(), bytes, alignment);
    return areas_.size() - 1;
}

void BlockMemory::begin(size_t dynamic_bytes) {
    for (Area& area : areas_) area.used = false;
    used_ = dynamic_bytes;
    dynamic_ = -1;
    if (dynamic_bytes == 0) return;
    dynamic_ = long(find(this, dynamic_bytes, 16, "extern __shared__"));
    areas_[size_t(dynamic_)].used = true;
    refresh(areas_[size_t(dynamic_)]);
}

void BlockMemory::end() {
    for (const Area& area : areas_)
        if (area.used) check(area);
}

BlockMemory::~BlockMemory() {
    for (Area& area : areas_) munmap(area.mapping, area.mapped);
}

void* BlockMemory::variable(const void* tag, size_t bytes, size_t alignment, const char* name) {
    Area& area = areas_[find(tag, bytes, alignment, name)];
    if (!area.used) {
        used_ += bytes;
        if (used_ > shared_limit())
            device_fault(cudaErrorLaunchOutOfResources,
                         ("the shared memory of a block, '" + std::string(name) + "' included, is " +
                          std::to_string(used_) + " bytes, more than " +
                          std::to_string(shared_limit()))
                             .c_str());
        area.used = true;
        refresh(area);
    }
    return area.data;
}

bool BlockMemory::describes(const void* address, const char** name) const {
    const char* at = static_cast<const char*>(address);
    for (const Area& area : areas_)
        if (area.used && at >= area.mapping && at < area.mapping + area.mapped)
            return *name = area.name, true;
    return false;
}

bool BlockMemory::holds(const void* address, size_t bytes) const {
    const char* at = static_cast<const char*>(address);
    for (const Area& area : areas_)
        if (area.used && at >= area.data && at + bytes <= area.data + area.bytes) return true;
    return false;
}

bool is_shared_memory(const void* address, size_t bytes) {
    return present && present->holds(address, bytes);
}

void enter_block(BlockMemory* memory) { present = memory; }

bool near_shared_memory(const void* address, const char** name) {
    return present && present->describes(address, name);
}

void* dynamic_shared() {
    if (!present) device_fault(cudaErrorLaunchFailure, "shared memory outside of a kernel");
    return present->dynamic();
}

void* static_shared(const void* tag, size_t bytes, size_t alignment, const char* name) {
    if (!present) device_fault(cudaErrorLaunchFailure, "shared memory outside of a kernel");
    return present->variable(tag, bytes, alignment, name);
}

}  // namespace cuda_emulator
