// Cooperative groups: blocks, tiles of a warp, the grid.
#ifndef CUDA_EMULATOR_COOPERATIVE_GROUPS_H
#define CUDA_EMULATOR_COOPERATIVE_GROUPS_H

#include "cuda_runtime.h"

namespace cooperative_groups {

class thread_block {
public:
    static constexpr unsigned int block_rank_in_grid() { return 0; }
    static void sync() { cuda_emulator::sync_block("thread_block::sync", 0); }
    static void barrier_sync() { sync(); }
    static unsigned int thread_rank() {
        return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    }
    static dim3 group_index() { return blockIdx; }
    static dim3 thread_index() { return threadIdx; }
    static dim3 group_dim() { return blockDim; }
    static dim3 dim_threads() { return blockDim; }
    static unsigned int num_threads() { return blockDim.x * blockDim.y * blockDim.z; }
    static unsigned int size() { return num_threads(); }
};

inline thread_block this_thread_block() { return {}; }

class grid_group {
public:
    bool is_valid() const { return true; }
    void sync() const { cuda_emulator::sync_grid("grid_group::sync", 0); }
    void barrier_sync() const { sync(); }
    static dim3 group_dim() { return gridDim; }
    static dim3 dim_blocks() { return gridDim; }
    static dim3 block_index() { return blockIdx; }
    static unsigned long long num_blocks() { return 1ull * gridDim.x * gridDim.y * gridDim.z; }
    static unsigned long long block_rank() {
        return blockIdx.x + 1ull * gridDim.x * (blockIdx.y + 1ull * gridDim.y * blockIdx.z);
    }
    static unsigned long long num_threads() { return num_blocks() * thread_block::num_threads(); }
    static unsigned long long size() { return num_threads(); }
    static unsigned long long thread_rank() {
        return block_rank() * thread_block::num_threads() + thread_block::thread_rank();
    }
};

inline grid_group this_grid() { return {}; }

// Lanes of one warp, by their mask.
class lane_group {
protected:
    unsigned int mask_;

    // The lane of the warp that has this rank in the group.
    unsigned int lane_of(unsigned int rank) const {
        for (unsigned int lane = 0; lane < 32; lane++)
            if (mask_ >> lane & 1 && rank-- == 0) return lane;
        return 32;
    }

public:
    explicit lane_group(unsigned int mask) : mask_(mask) {}
    void sync() const { __syncwarp(mask_); }
    unsigned int num_threads() const { return unsigned(__builtin_popcount(mask_)); }
    unsigned int size() const { return num_threads(); }
    unsigned int thread_rank() const {
        return unsigned(__builtin_popcount(mask_ & ((1u << cuda_emulator::lane()) - 1)));
    }
    int any(int predicate) const { return __any_sync(mask_, predicate); }
    int all(int predicate) const { return __all_sync(mask_, predicate); }
    unsigned int ballot(int predicate) const {
        const unsigned int votes = __ballot_sync(mask_, predicate);
        unsigned int packed = 0;
        for (unsigned int rank = 0; rank < num_threads(); rank++)
            if (votes >> lane_of(rank) & 1) packed |= 1u << rank;
        return packed;
    }
    template <class T>
    T shfl(T value, unsigned int rank) const {
        return cuda_emulator::taken<T>(
            cuda_emulator::exchange(mask_, cuda_emulator::to_bits(value), "group::shfl"),
            lane_of(rank % num_threads()));
    }
    template <class T>
    T shfl_up(T value, unsigned int delta) const {
        const unsigned int rank = thread_rank();
        return shift(value, rank >= delta ? rank - delta : rank, "group::shfl_up");
    }
    template <class T>
    T shfl_down(T value, unsigned int delta) const {
        const unsigned int rank = thread_rank();
        return shift(value, rank + delta < num_threads() ? rank + delta : rank, "group::shfl_down");
    }
    template <class T>
    T shfl_xor(T value, unsigned int with) const {
        const unsigned int rank = thread_rank() ^ with;
        return shift(value, rank < num_threads() ? rank : thread_rank(), "group::shfl_xor");
    }

private:
    template <class T>
    T shift(T value, unsigned int rank, const char* operation) const {
        return cuda_emulator::taken<T>(
            cuda_emulator::exchange(mask_, cuda_emulator::to_bits(value), operation),
            lane_of(rank));
    }
};

template <unsigned int Size, class Parent = void>
class thread_block_tile : public lane_group {
    static_assert(Size >= 1 && Size <= 32 && (Size & (Size - 1)) == 0,
                  "a tile has a power of two of threads, 32 at most");

    static unsigned int own_mask() {
        const unsigned int first = cuda_emulator::lane() / Size * Size;
        const unsigned int warp = thread_block::thread_rank() / 32 * 32;
        const unsigned int all = thread_block::num_threads() - warp;  // the last warp may be short
        unsigned int mask = (Size == 32 ? ~0u : (1u << (Size % 32)) - 1) << first;
        if (all < 32) mask &= (1u << all) - 1;
        return mask;
    }

public:
    thread_block_tile() : lane_group(own_mask()) {}
    static constexpr unsigned int num_threads() { return Size; }
    static constexpr unsigned int size() { return Size; }
    static unsigned int meta_group_rank() { return thread_block::thread_rank() / Size; }
    static unsigned int meta_group_size() {
        return (thread_block::num_threads() + Size - 1) / Size;
    }
};

template <unsigned int Size, class Parent>
thread_block_tile<Size, Parent> tiled_partition(const Parent&) {
    return {};
}

// Nothing runs in lockstep: the threads that happen to run together are this one.
using coalesced_group = lane_group;
inline coalesced_group coalesced_threads() { return lane_group(__activemask()); }

template <class Group>
void sync(const Group& group) {
    group.sync();
}

template <class T>
struct plus {
    T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
    T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
    T operator()(T a, T b) const { return a < b ? b : a; }
};

template <class Group, class T, class Combine>
T reduce(const Group& group, T value, Combine combine) {
    T total = group.shfl(value, 0);
    for (unsigned int rank = 1; rank < group.num_threads(); rank++)
        total = combine(total, group.shfl(value, rank));
    return total;
}

template <class Group, class T, class Combine>
T inclusive_scan(const Group& group, T value, Combine combine) {
    T total = group.shfl(value, 0);
    for (unsigned int rank = 1; rank < group.num_threads(); rank++) {
        const T other = group.shfl(value, rank);
        if (rank <= group.thread_rank()) total = combine(total, other);
    }
    return total;
}

}  // namespace cooperative_groups

#endif
