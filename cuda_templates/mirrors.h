// What the host's half of a CUDA model library asks of the other half (see device.h).
//
// Every variable has its place in host memory, as in a CPU model. One that a kernel uses has a
// mirror in device memory too, and two notes say which of the two holds the present values.
#ifndef GPURUN_MIRRORS_H
#define GPURUN_MIRRORS_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "boundary.h"

namespace gpurun {
namespace cuda {

// Where the host's half keeps a variable.
struct HostSide {
    void (*view)(size_t id, gpurun_view& view);
    void (*resize)(size_t id, int64_t rows, int64_t cols);
};

// A negative ordinal: no card is needed, everything stays on the host (while setting up).
void open(int ordinal, const HostSide& host);
void close();

// Whether a kernel uses the variable, and there is a card.
bool mirrored(size_t id);

// Makes the values valid there.
void to_device(size_t id);
void to_host(size_t id);
void all_to_host();

// The values were changed there.
void host_changed(size_t id);
void all_host_changed();

// Writes elements where they are needed next. False: nothing was done, the host has to.
bool write(size_t id, int64_t first, int64_t count, const void* source, bool source_on_device);

// Memory of the card that somebody else fills in `stream` (negative: it is ready) can be read.
void wait_for_stream(const void* source, int64_t stream);
int64_t count_nonfinite(const void* source, int64_t count, int64_t itemsize);
void device_view(size_t id, gpurun_view& view);
int64_t free_memory();
void copy_to_host(const void* source, int64_t bytes, void* target);

// Around the time loop: what kernels use is on the device, what they can write is valid there.
void begin_loop();
// Waits, unless something has failed already.
void end_loop(bool good);

// Outside of it, among host code that may have changed every variable and may use it afterwards.
void run_once(void (*function)());

// Within it: the host has set its clocks; a step is done, with which clocks being due (by bits).
void clocks_set();
void step_done(unsigned int due);
void loop_begins();
void wait_for_loop();

// Within it: how many rows a monitor has recorded, at least if there are `enough`, and before its
// variables are read; -1 if they are on the host. Then they were taken, and it is empty there.
int64_t recorded_rows(size_t counter, int64_t enough);
void emptied(size_t counter, const std::vector<size_t>& arrays);

// Spikes under way are forgotten.
void empty_queues();

// They as events in the order of delivery: steps until then (at least 1), and the synapse.
size_t pathways_count();
void pending_events(size_t pathway, std::vector<int32_t>& steps, std::vector<int32_t>& synapses);
void set_pending_events(size_t pathway, const int32_t* steps, const int32_t* synapses,
                        int64_t count);

// Copies of them, on the card.
class QueueCopies {
    struct Saved;
    Saved* saved = nullptr;

public:
    QueueCopies() = default;
    ~QueueCopies();
    QueueCopies(const QueueCopies&) = delete;
    QueueCopies& operator=(const QueueCopies&) = delete;
    void save();
    void restore() const;
};

// The random stream of the kernels.
void seed(uint64_t seed);
struct StreamState {
    uint64_t seed, step;
};
StreamState stream_state();
void set_stream_state(const StreamState& state);

// Copies of variables that stay on the card; for others in host memory. As gpurun::Snapshot.
class DeviceSnapshot {
    struct Saved;
    Saved* saved = nullptr;
    size_t count = 0;
    Snapshot host;

public:
    DeviceSnapshot() = default;
    ~DeviceSnapshot() { clear(); }
    DeviceSnapshot(const DeviceSnapshot&) = delete;
    DeviceSnapshot& operator=(const DeviceSnapshot&) = delete;

    void clear();
    bool has(size_t id) const;
    void save(size_t id, const Variable& variable);
    void restore(size_t id, const Variable& variable);
    template <class Elements>
    bool restore_elements(size_t, const Variable&, const Elements&) const {
        return false;
    }
};

}  // namespace cuda
}  // namespace gpurun

#endif
