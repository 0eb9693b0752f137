// Shared memory of one block, with guard pages.
#ifndef CUDA_EMULATOR_SHARED_MEMORY_H
#define CUDA_EMULATOR_SHARED_MEMORY_H

#include <cstddef>
#include <vector>

namespace cuda_emulator {

class BlockMemory {
public:
    BlockMemory() = default;
    ~BlockMemory();
    BlockMemory(const BlockMemory&) = delete;
    BlockMemory& operator=(const BlockMemory&) = delete;

    // Fresh memory for the next block.
    void begin(size_t dynamic_bytes);

    // Looks for what was written behind the ends.
    void end();

    void* dynamic() const { return dynamic_ < 0 ? nullptr : areas_[size_t(dynamic_)].data; }
    void* variable(const void* tag, size_t bytes, size_t alignment, const char* name);
    bool describes(const void* address, const char** name) const;
    bool holds(const void* address, size_t bytes) const;

    // An area whose end is at a guard page.
    struct Area {
        const void* tag = nullptr;
        const char* name = nullptr;
        char* mapping = nullptr;
        size_t mapped = 0;  // guard pages included
        char* data = nullptr;
        size_t bytes = 0;
        bool used = false;  // by the present block
    };

private:
    std::vector<Area> areas_;  // kept for the blocks to come
    long dynamic_ = -1;        // which of them is the dynamic one
    size_t used_ = 0;

    size_t find(const void* tag, size_t bytes, size_t alignment, const char* name);
    static void map(Area& area, size_t bytes, size_t alignment);
    static void refresh(Area& area);
    static void check(const Area& area);
};

// The block whose code runs; nullptr if none does.
void enter_block(BlockMemory* memory);

// Whether all of it is shared memory of the present block.
bool is_shared_memory(const void* address, size_t bytes);

// What to say of an address that could not be accessed, if it is near shared memory.
bool near_shared_memory(const void* address, const char** name);

// Bytes of shared memory that a block may have.
size_t shared_limit();

}  // namespace cuda_emulator

#endif
