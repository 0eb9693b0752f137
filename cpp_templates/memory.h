// Where the big arrays of a model lie.
//
// A synaptic array is visited at scattered places: the synapses of one neuron in the loop, those of
// all neurons that spiked in a reset. On pages of 4 KiB nearly every visit misses the TLB. Linux
// backs memory with huge pages where it is asked to and the memory is aligned, so big blocks are.
#ifndef GPURUN_MEMORY_H
#define GPURUN_MEMORY_H

#if defined(__linux__)

#include <cstdlib>
#include <new>
#include <sys/mman.h>

namespace gpurun {

// Of x86-64 and of aarch64 with pages of 4 KiB; where it is another, nothing is lost.
static const std::size_t huge_page = std::size_t(1) << 21;

inline void* allocate(std::size_t bytes) {
    for (;;) {
        void* memory = nullptr;
        if (bytes < huge_page) {
            memory = std::malloc(bytes ? bytes : 1);
        } else if (posix_memalign(&memory, huge_page, bytes) == 0) {
            // Whole pages only: the rest of the last one would be wasted
            madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);
        } else {
            memory = nullptr;
        }
        if (memory) return memory;
        const std::new_handler handler = std::get_new_handler();
        if (!handler) throw std::bad_alloc();
        handler();
    }
}

}  // namespace gpurun

// Replaceable functions ([new.delete.single], [new.delete.array]). Memory may cross over to the
// standard library and back, whose own operators are malloc() and free() too.
void* operator new(std::size_t bytes) { return gpurun::allocate(bytes); }
void* operator new[](std::size_t bytes) { return gpurun::allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#endif
#endif
