// The device's half of a CUDA model library: memory, errors, the stream. Included by model.cu,
// which adds the tables and the kernels of one model.
#ifndef GPURUN_DEVICE_H
#define GPURUN_DEVICE_H

#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "mirrors.h"

namespace gpurun {
namespace cuda {

// Threads of a block, in all kernels.
constexpr int block_size = 256;

// Status codes beyond those of boundary.h.
constexpr int device_error = 5, device_out_of_memory = 6;

// What to say then. The error is no longer the last one.
inline std::string out_of_memory() {
    cudaGetLastError();
    std::string text = "cudaMalloc failed with cudaErrorMemoryAllocation (out of memory)";
    size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) == cudaSuccess)
        text += "; " + std::to_string(free) + " of " + std::to_string(total) + " bytes are free";
    return text;
}

inline void check(cudaError_t error, const char* call, const char* file, int line) {
    if (error == cudaSuccess) return;
    if (error == cudaErrorMemoryAllocation) throw Failure(out_of_memory(), device_out_of_memory);
    cudaGetLastError();  // it is told now, and not once more behind the next launch
    const char* slash = std::strrchr(file, '/');
    throw Failure(std::string(call) + " failed with " + cudaGetErrorName(error) + " (" +
                      cudaGetErrorString(error) + ") at " + (slash ? slash + 1 : file) + ":" +
                      std::to_string(line),
                  device_error);
}

#define GPURUN_CUDA(call) ::gpurun::cuda::check((call), #call, __FILE__, __LINE__)
// Behind a launch: an error of the launch itself. Errors within the kernel come with the next wait.
#define GPURUN_LAUNCHED(kernel) \
    ::gpurun::cuda::check(cudaGetLastError(), "launch of " #kernel, __FILE__, __LINE__)

struct Context {
    bool is_open = false;
    int ordinal = -1;
    cudaStream_t stream = nullptr;
    HostSide host{nullptr, nullptr};
    char* staging = nullptr;  // pinned, for overrides
    size_t staging_bytes = 0;
    cudaEvent_t staged = nullptr;
    cudaEvent_t loop_began = nullptr, loop_ended = nullptr;
};

inline Context& context() {
    static Context instance;
    return instance;
}

inline cudaStream_t stream() { return context().stream; }

inline unsigned int blocks_for(int64_t elements) {
    return (unsigned int)((elements + block_size - 1) / block_size);
}

inline void wait() { GPURUN_CUDA(cudaStreamSynchronize(stream())); }

// The time from here to the end of the scope, with the work that the card is given in it.
class ProfiledScope {
    std::chrono::nanoseconds& total;
    std::chrono::steady_clock::time_point begin;

public:
    explicit ProfiledScope(std::chrono::nanoseconds& total) : total(total) {
        wait();
        begin = std::chrono::steady_clock::now();
    }
    ~ProfiledScope() {
        cudaStreamSynchronize(stream());  // the next wait tells of an error
        total += std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::steady_clock::now() - begin);
    }
    ProfiledScope(const ProfiledScope&) = delete;
    ProfiledScope& operator=(const ProfiledScope&) = delete;
};

// ---------------------------------------------------------------- memory

// Device memory that is freed with its owner.
class Buffer {
    char* data_ = nullptr;
    size_t bytes_ = 0;

public:
    Buffer() = default;
    ~Buffer() { release(); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    void release() {
        if (data_) cudaFree(data_);  // at the end there is nobody to tell of an error
        data_ = nullptr;
        bytes_ = 0;
    }

    // At least `bytes`; what was in it is lost unless `keep` of it are to stay.
    void reserve(size_t bytes, size_t keep = 0) {
        if (bytes <= bytes_) return;
        void* fresh = nullptr;
        const cudaError_t error = cudaMalloc(&fresh, bytes);
        if (error == cudaErrorMemoryAllocation)
            throw Failure(out_of_memory() + "; " + std::to_string(bytes) + " bytes were asked for",
                          device_out_of_memory);
        GPURUN_CUDA(error);
        if (keep && data_)
            GPURUN_CUDA(cudaMemcpyAsync(fresh, data_, keep, cudaMemcpyDeviceToDevice, stream()));
        if (data_) {
            wait();  // a kernel may still use it
            GPURUN_CUDA(cudaFree(data_));
        }
        data_ = static_cast<char*>(fresh);
        bytes_ = bytes;
    }

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_);
    }

    template <class T>
    void upload(const std::vector<T>& values) {
        reserve(std::max<size_t>(values.size() * sizeof(T), sizeof(T)));
        if (!values.empty())
            GPURUN_CUDA(cudaMemcpyAsync(data_, values.data(), values.size() * sizeof(T),
                                        cudaMemcpyHostToDevice, stream()));
        wait();  // `values` may be gone soon
    }
};

// What a monitor has recorded lies in device memory that grows before it is full. How much it
// is, only the device knows; the host has an upper bound, and looks when that is reached.
struct Recorder {
    size_t counter;             // number of the variable N
    std::vector<size_t> records;  // and of those that grow
    int64_t bound = 0;

    // Room for `more` records, which the next kernel may add.
    void reserve(int64_t more);
    int64_t recorded() const;
};

struct Mirror {
    size_t itemsize = 0;  // 0: no kernel uses the variable
    void (*point)(void* data) = nullptr;  // tells the kernels where it is
    bool written = false;                 // by kernels
    bool clock = false;                   // the host and the device advance it, each its own
    bool host_reads = false;              // in the loop: of clocks
    int recorder = -1;
    int64_t columns = 0;  // of a matrix: elements of a row
    Buffer memory;
    bool host_valid = true, device_valid = false;
};

// Of the one model, in model.cu.
std::vector<Mirror>& mirrors();
std::vector<Recorder>& recorders();
void prepare_model();  // before a loop, when all memory is in place
void release_model();

inline gpurun_view host_view(size_t id) {
    gpurun_view view;
    context().host.view(id, view);
    return view;
}

// A variable with one integer, as the host knows it.
inline int64_t host_integer(size_t id) {
    to_host(id);
    const gpurun_view view = host_view(id);
    if (view.rows < 1) return 0;
    return view.itemsize == 8 ? *static_cast<const int64_t*>(view.data)
                              : *static_cast<const int32_t*>(view.data);
}

inline void reserve(Mirror& mirror, size_t bytes, size_t keep = 0) {
    void* const before = mirror.memory.data();
    mirror.memory.reserve(std::max<size_t>(bytes, mirror.itemsize), keep);
    if (mirror.memory.data() != before) mirror.point(mirror.memory.data());
}

// ---------------------------------------------------------------- pathways

// How kernels see the synapses of a pathway and the spikes of the past steps. Synapses are sorted
// by source, delay and number; those of one source with one delay are a bundle.
struct PathwayView {
    int32_t first_source, n_sources;
    int32_t n_delays, slots;
    int64_t* position;      // steps so far, not less than `slots`
    int32_t* ring;              // [slots][n_sources + 1], the number at the end
    const int32_t* delays;      // distinct, ascending
    const int32_t* first_bundle;  // [n_sources + 1]
    const int32_t* bundle_delay;
    const int32_t* first_synapse;  // of each bundle, and the end
    const int32_t* synapses;
    // Spikes that were sent when the delays were others: for each of the steps that follow
    // `waiting_since`, the synapses at which they arrive.
    int32_t n_waiting;
    int64_t waiting_since;         // a position
    const int32_t* first_waiting;  // [n_waiting + 1]
    const int32_t* waiting;
};

// Synapses at which spikes arrive, by the number of steps until then.
using Arrivals = std::vector<std::vector<int32_t>>;

class Pathway {
    Buffer position, ring, delays, first_bundle, bundle_delay, first_synapse, synapses;
    Buffer first_waiting, waiting;
    double dt = 0;

public:
    PathwayView view{};
    void (*point)(const PathwayView&) = nullptr;

    // From the sources of all synapses and their delays in seconds (one each, or one for all).
    template <class Scalar>
    void prepare(const int32_t* sources, int64_t n_synapses, const Scalar* real_delays,
                 int64_t n_real_delays, double dt, int32_t first_source, int32_t n_sources) {
        std::vector<int32_t> steps((size_t)n_synapses);
        for (int64_t i = 0; i < n_synapses; i++)
            steps[(size_t)i] = n_real_delays == 0 ? 0
                               // brian2's rounding
                               : (int32_t)(real_delays[n_real_delays > 1 ? i : 0] / dt + 0.5);
        build(sources, steps, dt, first_source, n_sources);
    }

    void build(const int32_t* sources, const std::vector<int32_t>& steps, double new_dt,
               int32_t first_source, int32_t n_sources);
    void empty();
    void release();

    // Spikes under way; see mirrors.h.
    void pending(std::vector<int32_t>& steps, std::vector<int32_t>& synapses_of) const;
    void set_pending(const int32_t* steps, const int32_t* synapses_of, int64_t count);
    struct Copy {
        Buffer ring;  // and the position before it
        Arrivals waiting;
    };
    void save(Copy& copy) const;
    void restore(const Copy& copy);

private:
    Arrivals arriving() const;
    Arrivals still_waiting() const;
    void set_waiting(const Arrivals& lists, int64_t since);
    size_t ring_bytes() const {
        return sizeof(int32_t) * size_t(view.slots) * (size_t(view.n_sources) + 1);
    }
};

std::vector<Pathway*>& pathways();

__device__ inline int32_t* past_spikes(const PathwayView& p, int32_t delay) {
    const int64_t slot = (*p.position - delay) % p.slots;
    return p.ring + slot * (p.n_sources + 1);
}

// The bundle of a source (counted from the first) with this delay, or -1.
__device__ inline int32_t find_bundle(const PathwayView& p, int32_t source, int32_t delay) {
    int32_t low = p.first_bundle[source];
    const int32_t end = p.first_bundle[source + 1];
    int32_t high = end;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (p.bundle_delay[middle] < delay)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && p.bundle_delay[low] == delay ? low : -1;
}

// Calls `effect` with each synapse at which a spike arrives now: blocks share the spikes (x) and
// the delays (y), threads the synapses of a bundle.
template <class Effect>
__device__ inline void for_each_arrival(const PathwayView& p, Effect effect) {
    for (int32_t d = blockIdx.y; d < p.n_delays; d += gridDim.y) {
        const int32_t* spikes = past_spikes(p, p.delays[d]);
        const int32_t count = spikes[p.n_sources];
        for (int32_t s = blockIdx.x; s < count; s += gridDim.x) {
            const int32_t bundle = find_bundle(p, spikes[s] - p.first_source, p.delays[d]);
            if (bundle < 0) continue;
            for (int32_t i = p.first_synapse[bundle] + (int32_t)threadIdx.x;
                 i < p.first_synapse[bundle + 1]; i += (int32_t)blockDim.x)
                effect(p.synapses[i]);
        }
    }
}

// Likewise with those that were sent when the delays were others.
template <class Effect>
__device__ inline void for_each_waiting(const PathwayView& p, Effect effect) {
    const int64_t ahead = *p.position - p.waiting_since;
    if (ahead < 1 || ahead > p.n_waiting) return;
    for (int32_t i = p.first_waiting[ahead - 1] + (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
         i < p.first_waiting[ahead]; i += (int32_t)(gridDim.x * blockDim.x))
        effect(p.waiting[i]);
}

// By a single thread, in the order of the CPU: what was sent first comes first.
template <class Effect>
__device__ inline void for_each_arrival_in_order(const PathwayView& p, Effect effect) {
    for (int32_t d = p.n_delays - 1; d >= 0; d--) {
        const int32_t* spikes = past_spikes(p, p.delays[d]);
        for (int32_t s = 0; s < spikes[p.n_sources]; s++) {
            const int32_t bundle = find_bundle(p, spikes[s] - p.first_source, p.delays[d]);
            if (bundle < 0) continue;
            for (int32_t i = p.first_synapse[bundle]; i < p.first_synapse[bundle + 1]; i++)
                effect(p.synapses[i]);
        }
    }
}

// The first of ascending `values` that is not below a limit.
__device__ inline int32_t first_not_below(const int32_t* values, int32_t count, int32_t limit) {
    int32_t low = 0, high = count;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (values[middle] < limit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Copies the present spikes of the pathway's sources to its ring, as the newest. One block.
__device__ inline void push_spikes(const PathwayView& p, const int32_t* events, int32_t count) {
    __shared__ int32_t limits[2];
    if (threadIdx.x < 2)
        // Events are in ascending order
        limits[threadIdx.x] = first_not_below(
            events, count, p.first_source + (threadIdx.x ? p.n_sources : 0));
    __syncthreads();
    const int64_t next = *p.position + 1;
    int32_t* const spikes = p.ring + next % p.slots * (p.n_sources + 1);
    const int32_t first = limits[0], last = limits[1];
    for (int32_t i = first + (int32_t)threadIdx.x; i < last; i += (int32_t)blockDim.x)
        spikes[i - first] = events[i];
    __syncthreads();
    if (threadIdx.x == 0) {
        spikes[p.n_sources] = last - first;
        *p.position = next;
    }
}

// ---------------------------------------------------------------- sums over synapses

// The synapses of each target, in ascending order, and where those of the next one begin.
struct TargetsView {
    const int32_t* first;
    const int32_t* synapses;
};

class Targets {
    Buffer first, synapses;

public:
    TargetsView prepare(const int32_t* targets, int64_t n_synapses, int32_t first_target,
                        int32_t n_targets) {
        std::vector<int32_t> begins(size_t(n_targets) + 1, 0), sorted;
        const auto within = [&](int64_t s) {
            return targets[s] >= first_target && targets[s] - first_target < n_targets;
        };
        for (int64_t s = 0; s < n_synapses; s++)
            if (within(s)) begins[size_t(targets[s] - first_target) + 1]++;
        for (size_t t = 0; t < size_t(n_targets); t++) begins[t + 1] += begins[t];
        sorted.resize(size_t(begins.back()));
        std::vector<int32_t> next(begins);
        for (int64_t s = 0; s < n_synapses; s++)
            if (within(s)) sorted[size_t(next[size_t(targets[s] - first_target)]++)] = int32_t(s);
        first.upload(begins);
        synapses.upload(sorted);
        return {first.as<int32_t>(), synapses.as<int32_t>()};
    }

    void release() {
        first.release();
        synapses.release();
    }
};

// ---------------------------------------------------------------- events

// The place of this thread's event among those of its block. All threads of the block call it.
__device__ inline int32_t rank_in_block(bool event, int32_t* total) {
    __shared__ int32_t of_warp[block_size / 32];
    const unsigned int votes = __ballot_sync(0xffffffffu, event);
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    if (lane == 0) of_warp[warp] = __popc(votes);
    __syncthreads();
    int32_t before = 0, sum = 0;
    for (int w = 0; w < block_size / 32; w++) {
        if (w < warp) before += of_warp[w];
        sum += of_warp[w];
    }
    *total = sum;
    return before + __popc(votes & ((1u << lane) - 1));
}

// Where in a list of events those of the elements from `start` to before `stop` stand.
struct EventRange {
    int32_t first, last;
};

__device__ inline EventRange events_within(const int32_t* events, int32_t count, int32_t start,
                                           int32_t stop, int32_t n_elements) {
    // All of them, in whatever order
    if (start == 0 && stop == n_elements) return {0, count};
    return {first_not_below(events, count, start), first_not_below(events, count, stop)};
}

// Puts the events of all blocks side by side, in order. `parts` holds block_size places for each
// block, `counts` how many are used.
__global__ void gather_events(const int32_t* parts, const int32_t* counts, int32_t* events,
                              int32_t n_elements);

// The elements at which an event happens now, in ascending order.
class Events {
    Buffer parts, counts;

public:
    int32_t* parts_for(int64_t elements) {
        parts.reserve(sizeof(int32_t) * block_size * blocks_for(elements));
        return parts.as<int32_t>();
    }
    int32_t* counts_for(int64_t elements) {
        counts.reserve(sizeof(int32_t) * blocks_for(elements));
        return counts.as<int32_t>();
    }
    void release() {
        parts.release();
        counts.release();
    }
};

}  // namespace cuda
}  // namespace gpurun

#endif
