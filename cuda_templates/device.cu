// The parts of device.h that are no templates. Included once, by model.cu.

namespace gpurun {
namespace cuda {

// ---------------------------------------------------------------- life

void open(int ordinal, const HostSide& host) {
    Context& c = context();
    c.host = host;
    if (ordinal < 0) return;
    GPURUN_CUDA(cudaSetDevice(ordinal));
    GPURUN_CUDA(cudaStreamCreateWithFlags(&c.stream, cudaStreamNonBlocking));
    GPURUN_CUDA(cudaEventCreateWithFlags(&c.staged, cudaEventDisableTiming));
    GPURUN_CUDA(cudaEventCreate(&c.loop_began));
    GPURUN_CUDA(cudaEventCreate(&c.loop_ended));
    c.ordinal = ordinal;
    c.is_open = true;
    pathways();  // they are told how to reach their kernels
    seed(0);
}

void close() {
    Context& c = context();
    if (!c.is_open) return;
    cudaSetDevice(c.ordinal);
    cudaStreamSynchronize(c.stream);
    for (Mirror& mirror : mirrors()) mirror.memory.release();
    release_model();
    if (c.staging) cudaFreeHost(c.staging);
    cudaEventDestroy(c.staged);
    cudaEventDestroy(c.loop_began);
    cudaEventDestroy(c.loop_ended);
    cudaStreamDestroy(c.stream);
    c = Context();
}

// Calls may come from any thread of the host.
static void use_card() {
    if (context().is_open) GPURUN_CUDA(cudaSetDevice(context().ordinal));
}

bool mirrored(size_t id) { return context().is_open && mirrors()[id].itemsize > 0; }

// ---------------------------------------------------------------- mirrors

void host_changed(size_t id) {
    Mirror& mirror = mirrors()[id];
    mirror.host_valid = true;
    mirror.device_valid = false;
}

void all_host_changed() {
    for (size_t id = 0; id < mirrors().size(); id++) host_changed(id);
}

static void device_changed(size_t id) {
    Mirror& mirror = mirrors()[id];
    mirror.device_valid = true;
    mirror.host_valid = false;
}

// Rows that lie side by side are one piece: by rows, a copy of many short ones takes for ever.
static void copy_rows(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t row,
                      size_t rows, cudaMemcpyKind kind) {
    if (rows == 0 || row == 0) return;
    if ((to_pitch == row && from_pitch == row) || rows == 1)
        GPURUN_CUDA(cudaMemcpyAsync(to, from, rows * row, kind, stream()));
    else
        GPURUN_CUDA(cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, row, rows, kind, stream()));
}

void to_device(size_t id) {
    Mirror& mirror = mirrors()[id];
    if (!mirrored(id) || mirror.device_valid) return;
    const gpurun_view view = host_view(id);
    const size_t row = size_t(view.cols) * view.itemsize;
    reserve(mirror, size_t(view.rows) * row);
    copy_rows(mirror.memory.data(), row, view.data, size_t(view.stride) * view.itemsize, row,
              size_t(view.rows), cudaMemcpyHostToDevice);
    wait();  // the host's memory may change as soon as this returns
    mirror.device_valid = true;
}

void to_host(size_t id) {
    Mirror& mirror = mirrors()[id];
    if (mirror.host_valid || !mirrored(id)) return;
    use_card();
    gpurun_view view = host_view(id);
    if (mirror.recorder >= 0) {
        const int64_t rows = recorders()[size_t(mirror.recorder)].recorded();
        if (rows != view.rows) {
            context().host.resize(id, rows, mirror.columns > 0 ? mirror.columns : view.cols);
            view = host_view(id);
        }
    }
    const size_t row = size_t(view.cols) * view.itemsize;
    copy_rows(view.data, size_t(view.stride) * view.itemsize, mirror.memory.data(), row, row,
              size_t(view.rows), cudaMemcpyDeviceToHost);
    wait();
    mirror.host_valid = true;
}

void all_to_host() {
    for (size_t id = 0; id < mirrors().size(); id++) to_host(id);
}

bool write(size_t id, int64_t first, int64_t count, const void* source, bool source_on_device) {
    if (!mirrored(id) || mirrors()[id].host_reads) return false;
    Mirror& mirror = mirrors()[id];
    const gpurun_view view = host_view(id);
    const bool whole = first == 0 && count == view.rows;
    use_card();
    if (!mirror.device_valid) {
        if (!whole && !source_on_device) return false;
        if (whole)
            reserve(mirror, size_t(view.rows) * view.itemsize);
        else
            to_device(id);
    }
    const size_t bytes = size_t(count) * view.itemsize;
    char* const to = static_cast<char*>(mirror.memory.data()) + size_t(first) * view.itemsize;
    if (bytes == 0) {
        device_changed(id);
        return true;
    }
    if (source_on_device) {
        // Its own memory: it was changed in place
        if (to != source)
            GPURUN_CUDA(cudaMemcpyAsync(to, source, bytes, cudaMemcpyDefault, stream()));
    } else {
        Context& c = context();
        if (bytes > c.staging_bytes) {
            if (c.staging) {
                GPURUN_CUDA(cudaEventSynchronize(c.staged));
                GPURUN_CUDA(cudaFreeHost(c.staging));
                c.staging = nullptr;
                c.staging_bytes = 0;
            }
            void* fresh = nullptr;
            GPURUN_CUDA(cudaHostAlloc(&fresh, bytes, cudaHostAllocDefault));
            c.staging = static_cast<char*>(fresh);
            c.staging_bytes = bytes;
        } else {
            GPURUN_CUDA(cudaEventSynchronize(c.staged));  // the last override has left it
        }
        std::memcpy(c.staging, source, bytes);
        GPURUN_CUDA(cudaMemcpyAsync(to, c.staging, bytes, cudaMemcpyHostToDevice, stream()));
        GPURUN_CUDA(cudaEventRecord(c.staged, stream()));
    }
    device_changed(id);
    return true;
}

// ---------------------------------------------------------------- others' memory

void wait_for_stream(const void* source, int64_t stream_of_owner) {
    use_card();
    cudaPointerAttributes attributes;
    GPURUN_CUDA(cudaPointerGetAttributes(&attributes, source));
    if (attributes.type == cudaMemoryTypeUnregistered)
        throw Failure("the array is not in the memory of a card", GPURUN_BAD_ARGUMENT);
    if (stream_of_owner < 0) return;
    // The numbers 1 and 2 of the array interface are CUDA's own handles of the default streams
    const cudaStream_t theirs = reinterpret_cast<cudaStream_t>(uintptr_t(stream_of_owner));
    cudaEvent_t ready = nullptr;
    GPURUN_CUDA(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
    const cudaError_t recorded = cudaEventRecord(ready, theirs);
    const cudaError_t waiting =
        recorded == cudaSuccess ? cudaStreamWaitEvent(stream(), ready, 0) : recorded;
    cudaEventDestroy(ready);
    GPURUN_CUDA(waiting);
}

template <class T>
__global__ static void count_nonfinite_kernel(const T* values, int64_t count,
                                              unsigned long long* found) {
    unsigned long long own = 0;
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * blockDim.x)
        own += isfinite(values[i]) ? 0 : 1;
    if (own) atomicAdd(found, own);
}

int64_t count_nonfinite(const void* source, int64_t count, int64_t itemsize) {
    if (count == 0) return 0;
    use_card();
    Buffer counter;
    counter.reserve(sizeof(unsigned long long));
    GPURUN_CUDA(cudaMemsetAsync(counter.data(), 0, sizeof(unsigned long long), stream()));
    const unsigned int blocks = std::min(blocks_for(count), 256u);
    if (itemsize == 8)
        count_nonfinite_kernel<double><<<blocks, block_size, 0, stream()>>>(
            static_cast<const double*>(source), count, counter.as<unsigned long long>());
    else
        count_nonfinite_kernel<float><<<blocks, block_size, 0, stream()>>>(
            static_cast<const float*>(source), count, counter.as<unsigned long long>());
    GPURUN_LAUNCHED(count_nonfinite_kernel);
    unsigned long long found = 0;
    copy_to_host(counter.data(), sizeof found, &found);
    return int64_t(found);
}

void device_view(size_t id, gpurun_view& view) {
    use_card();
    to_device(id);
    Mirror& mirror = mirrors()[id];
    view = host_view(id);
    if (mirror.recorder >= 0) {
        view.rows = recorders()[size_t(mirror.recorder)].recorded();
        if (mirror.columns > 0) view.cols = mirror.columns;
    }
    view.data = mirror.memory.data();
    view.stride = view.cols;
    view.location = 1;
    wait();
}

int64_t free_memory() {
    use_card();
    size_t free = 0, total = 0;
    GPURUN_CUDA(cudaMemGetInfo(&free, &total));
    return int64_t(free);
}

void copy_to_host(const void* source, int64_t bytes, void* target) {
    use_card();
    if (bytes)
        GPURUN_CUDA(cudaMemcpyAsync(target, source, size_t(bytes), cudaMemcpyDeviceToHost, stream()));
    wait();
}

// ---------------------------------------------------------------- the loop

void begin_loop() {
    use_card();
    for (size_t id = 0; id < mirrors().size(); id++) to_device(id);
    for (Recorder& recorder : recorders()) recorder.bound = recorder.recorded();
    prepare_model();
}

void end_loop(bool good) {
    // Whatever happened, this is where the values are
    for (size_t id = 0; id < mirrors().size(); id++)
        if (mirrored(id) && mirrors()[id].written) device_changed(id);
    for (size_t id = 0; id < mirrors().size(); id++)
        if (mirrors()[id].clock) host_changed(id);  // the host has kept its own
    if (good) wait();
}

void run_once(void (*function)()) {
    all_host_changed();
    begin_loop();
    function();
    end_loop(true);
    all_to_host();
}

void loop_begins() { GPURUN_CUDA(cudaEventRecord(context().loop_began, stream())); }

void wait_for_loop() {
    Context& c = context();
    GPURUN_CUDA(cudaEventRecord(c.loop_ended, stream()));
    wait();
    float milliseconds = 0.0f;
    GPURUN_CUDA(cudaEventElapsedTime(&milliseconds, c.loop_began, c.loop_ended));
    double& total = control().device_seconds;
    total = std::max(total, 0.0) + 1e-3 * milliseconds;
}

void empty_queues() {
    use_card();
    for (Pathway* pathway : pathways()) pathway->empty();
}

// ---------------------------------------------------------------- snapshots

struct DeviceSnapshot::Saved {
    bool present = false;
    int64_t rows = 0, cols = 1;
    Buffer copy;
};

void DeviceSnapshot::clear() {
    delete[] saved;
    saved = nullptr;
    count = 0;
    host.clear();
}

bool DeviceSnapshot::has(size_t id) const {
    return host.has(id) || (id < count && saved[id].present);
}

void DeviceSnapshot::save(size_t id, const Variable& variable) {
    if (!mirrored(id) || mirrors()[id].clock) {
        host.save(id, variable);
        return;
    }
    use_card();
    if (!saved) {
        count = mirrors().size();
        saved = new Saved[count];
    }
    to_device(id);
    Mirror& mirror = mirrors()[id];
    Saved& entry = saved[id];
    const gpurun_view view = host_view(id);
    entry.rows = mirror.recorder >= 0 ? recorders()[size_t(mirror.recorder)].recorded() : view.rows;
    // On the host a matrix has no width before it is read for the first time
    entry.cols = mirror.columns > 0 ? mirror.columns : view.cols;
    const size_t bytes = size_t(entry.rows * entry.cols) * view.itemsize;
    entry.copy.reserve(bytes);
    if (bytes)
        GPURUN_CUDA(cudaMemcpyAsync(entry.copy.data(), mirror.memory.data(), bytes,
                                    cudaMemcpyDeviceToDevice, stream()));
    entry.present = true;
}

void DeviceSnapshot::restore(size_t id, const Variable& variable) {
    if (!(id < count && saved[id].present)) {
        host.restore(id, variable);
        host_changed(id);
        return;
    }
    use_card();
    Mirror& mirror = mirrors()[id];
    const Saved& entry = saved[id];
    const gpurun_view view = host_view(id);
    // A monitor's size on the host is only what was read last
    if (mirror.recorder < 0 && (view.rows != entry.rows || view.cols != entry.cols))
        variable.resize(variable, entry.rows, entry.cols);
    const size_t bytes = size_t(entry.rows * entry.cols) * view.itemsize;
    reserve(mirror, bytes);
    if (bytes)
        GPURUN_CUDA(cudaMemcpyAsync(mirror.memory.data(), entry.copy.data(), bytes,
                                    cudaMemcpyDeviceToDevice, stream()));
    device_changed(id);
}

// ---------------------------------------------------------------- monitors

int64_t Recorder::recorded() const {
    const Mirror& mirror = mirrors()[counter];
    if (mirror.host_valid || !mirrored(counter)) {
        const gpurun_view view = host_view(counter);
        return *static_cast<const int32_t*>(view.data);
    }
    int32_t count = 0;
    GPURUN_CUDA(cudaMemcpyAsync(&count, mirror.memory.data(), sizeof count, cudaMemcpyDeviceToHost,
                                stream()));
    wait();
    return count;
}

void Recorder::reserve(int64_t more) {
    const auto full = [&] {
        for (size_t id : records) {
            const Mirror& mirror = mirrors()[id];
            const size_t row = mirror.itemsize * size_t(std::max<int64_t>(mirror.columns, 1));
            if (size_t(bound + more) * row > mirror.memory.bytes()) return true;
        }
        return false;
    };
    if (full()) {
        int32_t count = 0;
        GPURUN_CUDA(cudaMemcpyAsync(&count, mirrors()[counter].memory.data(), sizeof count,
                                    cudaMemcpyDeviceToHost, stream()));
        wait();
        bound = count;
    }
    if (full())
        for (size_t id : records) {
            Mirror& mirror = mirrors()[id];
            const size_t row = mirror.itemsize * size_t(std::max<int64_t>(mirror.columns, 1));
            // Twice as much, and enough for a while of the most that can come: a large group
            // hardly ever spikes as a whole
            const int64_t further = std::max(more, std::min<int64_t>(64 * more, int64_t(1) << 22));
            const size_t wanted = size_t(std::max(2 * bound, bound + further)) * row;
            ::gpurun::cuda::reserve(mirror, wanted, size_t(bound) * row);
        }
    bound += more;
}

int64_t recorded_rows(size_t counter, int64_t enough) {
    if (!mirrored(counter)) return -1;
    for (Recorder& recorder : recorders()) {
        if (recorder.counter != counter) continue;
        if (recorder.bound < enough) return recorder.bound;
        // Kernels have written since the loop began
        device_changed(counter);
        for (size_t id : recorder.records) device_changed(id);
        recorder.bound = recorder.recorded();
        return recorder.bound;
    }
    return -1;
}

void emptied(size_t counter, const std::vector<size_t>& arrays) {
    if (!mirrored(counter) || !mirrors()[counter].memory.data()) return;
    use_card();
    GPURUN_CUDA(cudaMemsetAsync(mirrors()[counter].memory.data(), 0, mirrors()[counter].itemsize,
                                stream()));
    // Both places are empty; what comes next is recorded on the card
    device_changed(counter);
    for (size_t id : arrays)
        if (mirrored(id)) device_changed(id);
    for (Recorder& recorder : recorders())
        if (recorder.counter == counter) recorder.bound = 0;
}

// ---------------------------------------------------------------- pathways

template <class T>
static std::vector<T> download(const Buffer& buffer, size_t count) {
    std::vector<T> values(count);
    copy_to_host(buffer.data(), int64_t(count * sizeof(T)), values.data());
    return values;
}

static bool holds(const Buffer& buffer, const std::vector<int32_t>& values) {
    return download<int32_t>(buffer, values.size()) == values;
}

// Brian's queue after a change of the time step: spikes arrive at the nearest of the new steps,
// and of two old steps that fall together the later one stays.
static Arrivals rescaled(const Arrivals& old, double factor) {
    Arrivals found(size_t(double(old.size()) * factor + 0.5) + 1);
    for (size_t ahead = 0; ahead < old.size(); ahead++)
        found[size_t(double(ahead) * factor + 0.5)] = old[ahead];
    return found;
}

void Pathway::build(const int32_t* sources, const std::vector<int32_t>& steps, double new_dt,
                    int32_t first_source, int32_t n_sources) {
    std::vector<int32_t> order;
    order.reserve(steps.size());
    for (size_t i = 0; i < steps.size(); i++)
        if (sources[i] >= first_source && sources[i] < first_source + n_sources)
            order.push_back(int32_t(i));
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return sources[a] != sources[b] ? sources[a] < sources[b] : steps[a] < steps[b];
    });
    std::vector<int32_t> distinct(steps);
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::vector<int32_t> bundles(size_t(n_sources) + 1, 0), of_bundle, starts;
    for (size_t i = 0; i < order.size(); i++) {
        const int32_t synapse = order[i], source = sources[synapse] - first_source;
        if (i == 0 || sources[order[i - 1]] != sources[synapse] ||
            steps[order[i - 1]] != steps[synapse]) {
            of_bundle.push_back(steps[synapse]);
            starts.push_back(int32_t(i));
            bundles[size_t(source) + 1]++;
        }
    }
    starts.push_back(int32_t(order.size()));
    for (size_t s = 0; s < size_t(n_sources); s++) bundles[s + 1] += bundles[s];

    const int32_t slots = distinct.empty() ? 1 : distinct.back() + 1;
    Arrivals under_way;
    if (ring.data()) {
        if (new_dt == dt && first_source == view.first_source && n_sources == view.n_sources &&
            slots == view.slots && view.n_delays == int32_t(distinct.size()) &&
            holds(first_bundle, bundles) && holds(bundle_delay, of_bundle) &&
            holds(first_synapse, starts) && holds(synapses, order) && holds(delays, distinct))
            return;
        // They arrive when they would have
        under_way = arriving();
        if (new_dt != dt) under_way = rescaled(under_way, dt / new_dt);
    }
    dt = new_dt;
    first_bundle.upload(bundles);
    bundle_delay.upload(of_bundle);
    first_synapse.upload(starts);
    synapses.upload(order);
    delays.upload(distinct);
    view.first_source = first_source;
    view.n_sources = n_sources;
    view.n_delays = int32_t(distinct.size());
    view.slots = slots;
    ring.reserve(ring_bytes());
    position.reserve(sizeof(int64_t));
    view.position = position.as<int64_t>();
    view.ring = ring.as<int32_t>();
    view.delays = delays.as<int32_t>();
    view.first_bundle = first_bundle.as<int32_t>();
    view.bundle_delay = bundle_delay.as<int32_t>();
    view.first_synapse = first_synapse.as<int32_t>();
    view.synapses = synapses.as<int32_t>();
    empty();
    set_waiting(under_way, view.slots);
}

void Pathway::empty() {
    if (!ring.data()) return;
    if (view.n_waiting) set_waiting({}, 0);
    GPURUN_CUDA(cudaMemsetAsync(ring.data(), 0, ring_bytes(), stream()));
    const int64_t start = view.slots;
    GPURUN_CUDA(cudaMemcpyAsync(position.data(), &start, sizeof start, cudaMemcpyHostToDevice,
                                stream()));
    wait();
}

// From the first step that follows; the place of the present one is empty.
void Pathway::set_waiting(const Arrivals& lists, int64_t since) {
    std::vector<int32_t> begins{0}, all;
    for (size_t ahead = 1; ahead < lists.size(); ahead++) {
        all.insert(all.end(), lists[ahead].begin(), lists[ahead].end());
        begins.push_back(int32_t(all.size()));
    }
    view.n_waiting = all.empty() ? 0 : int32_t(begins.size()) - 1;
    view.waiting_since = since;
    if (view.n_waiting) {
        first_waiting.upload(begins);
        waiting.upload(all);
    }
    view.first_waiting = first_waiting.as<int32_t>();
    view.waiting = waiting.as<int32_t>();
    point(view);
}

Arrivals Pathway::still_waiting() const {
    if (!view.n_waiting) return {};
    const size_t count = size_t(view.n_waiting);
    const std::vector<int32_t> begins = download<int32_t>(first_waiting, count + 1);
    const std::vector<int32_t> all = download<int32_t>(waiting, size_t(begins.back()));
    Arrivals lists(1);
    const int64_t passed = download<int64_t>(position, 1)[0] - view.waiting_since;
    for (size_t step = size_t(passed); step < count; step++)
        lists.emplace_back(all.begin() + begins[step], all.begin() + begins[step + 1]);
    return lists;
}

Arrivals Pathway::arriving() const {
    const size_t width = size_t(view.n_sources) + 1;
    const std::vector<int32_t> spikes = download<int32_t>(ring, size_t(view.slots) * width);
    const int64_t now = download<int64_t>(position, 1)[0];
    const std::vector<int32_t> bundles = download<int32_t>(first_bundle, width);
    const size_t n_bundles = size_t(bundles.back());
    const std::vector<int32_t> delay = download<int32_t>(bundle_delay, n_bundles);
    const std::vector<int32_t> begins = download<int32_t>(first_synapse, n_bundles + 1);
    const std::vector<int32_t> order = download<int32_t>(synapses, size_t(begins.back()));
    // What was sent first comes first, as on the CPU
    Arrivals lists = still_waiting();
    if (lists.size() < size_t(view.slots)) lists.resize(size_t(view.slots));
    for (int32_t age = view.slots - 1; age >= 0; age--) {
        const int32_t* list = spikes.data() + size_t((now - age) % view.slots) * width;
        for (int32_t s = 0; s < list[view.n_sources]; s++) {
            const size_t source = size_t(list[s] - view.first_source);
            for (int32_t b = bundles[source]; b < bundles[source + 1]; b++) {
                if (delay[size_t(b)] <= age) continue;  // has arrived
                std::vector<int32_t>& there = lists[size_t(delay[size_t(b)] - age)];
                there.insert(there.end(), order.begin() + begins[size_t(b)],
                             order.begin() + begins[size_t(b) + 1]);
            }
        }
    }
    return lists;
}

void Pathway::pending(std::vector<int32_t>& steps, std::vector<int32_t>& synapses_of) const {
    if (!ring.data()) return;
    const Arrivals lists = arriving();
    for (size_t ahead = 1; ahead < lists.size(); ahead++)
        for (int32_t synapse : lists[ahead]) {
            steps.push_back(int32_t(ahead));
            synapses_of.push_back(synapse);
        }
}

void Pathway::set_pending(const int32_t* steps, const int32_t* synapses_of, int64_t count) {
    empty();
    if (count == 0) return;
    const auto refuse = [](const std::string& why) {
        throw Failure("the spikes in flight do not fit the delays: " + why, GPURUN_BAD_ARGUMENT);
    };
    if (!ring.data()) refuse("the pathway has no synapses");
    const size_t width = size_t(view.n_sources) + 1;
    const std::vector<int32_t> bundles = download<int32_t>(first_bundle, width);
    const size_t n_bundles = size_t(bundles.back());
    const std::vector<int32_t> delay = download<int32_t>(bundle_delay, n_bundles);
    const std::vector<int32_t> begins = download<int32_t>(first_synapse, n_bundles + 1);
    const std::vector<int32_t> order = download<int32_t>(synapses, size_t(begins.back()));
    int32_t highest = -1;
    for (int32_t synapse : order) highest = std::max(highest, synapse);
    std::vector<std::pair<int32_t, int32_t>> of_synapse(size_t(highest + 1), {-1, 0});
    for (size_t source = 0; source + 1 < width; source++)
        for (int32_t b = bundles[source]; b < bundles[source + 1]; b++)
            for (int32_t i = begins[size_t(b)]; i < begins[size_t(b) + 1]; i++)
                of_synapse[size_t(order[size_t(i)])] = {int32_t(source), delay[size_t(b)]};
    // A spike is known by its age and its source
    std::vector<std::pair<int32_t, int32_t>> sent;
    for (int64_t i = 0; i < count; i++) {
        const int32_t synapse = synapses_of[i];
        if (synapse < 0 || synapse > highest || of_synapse[size_t(synapse)].first < 0)
            refuse("there is no synapse number " + std::to_string(synapse));
        const int32_t age = of_synapse[size_t(synapse)].second - steps[i];
        if (steps[i] < 1 || age < 0)
            refuse("one would arrive after " + std::to_string(steps[i]) + " steps");
        sent.emplace_back(age, of_synapse[size_t(synapse)].first);
    }
    std::sort(sent.begin(), sent.end());
    sent.erase(std::unique(sent.begin(), sent.end()), sent.end());
    std::vector<int32_t> spikes(size_t(view.slots) * width, 0);
    const int64_t now = view.slots;  // as in empty()
    for (const std::pair<int32_t, int32_t>& spike : sent) {
        int32_t* list = spikes.data() + size_t((now - spike.first) % view.slots) * width;
        list[list[view.n_sources]++] = view.first_source + spike.second;
    }
    ring.upload(spikes);
    std::vector<int32_t> same_steps, same_synapses;
    pending(same_steps, same_synapses);
    if (same_steps.size() != size_t(count) ||
        !std::equal(same_steps.begin(), same_steps.end(), steps) ||
        !std::equal(same_synapses.begin(), same_synapses.end(), synapses_of)) {
        empty();
        refuse("they are no spikes of whole neurons");
    }
}

void Pathway::save(Copy& copy) const {
    if (!ring.data()) return;
    copy.ring.reserve(ring_bytes() + sizeof(int64_t));
    GPURUN_CUDA(cudaMemcpyAsync(copy.ring.data(), position.data(), sizeof(int64_t),
                                cudaMemcpyDeviceToDevice, stream()));
    GPURUN_CUDA(cudaMemcpyAsync(copy.ring.as<char>() + sizeof(int64_t), ring.data(), ring_bytes(),
                                cudaMemcpyDeviceToDevice, stream()));
    copy.waiting = still_waiting();
}

void Pathway::restore(const Copy& copy) {
    if (!copy.ring.data()) {
        empty();
        return;
    }
    if (!ring.data() || copy.ring.bytes() != ring_bytes() + sizeof(int64_t))
        throw Failure("the delays are others than when the spikes in flight were stored");
    GPURUN_CUDA(cudaMemcpyAsync(position.data(), copy.ring.data(), sizeof(int64_t),
                                cudaMemcpyDeviceToDevice, stream()));
    GPURUN_CUDA(cudaMemcpyAsync(ring.data(), copy.ring.as<char>() + sizeof(int64_t), ring_bytes(),
                                cudaMemcpyDeviceToDevice, stream()));
    if (view.n_waiting || !copy.waiting.empty())
        set_waiting(copy.waiting, download<int64_t>(position, 1)[0]);
}

struct QueueCopies::Saved {
    std::vector<Pathway::Copy> of_pathway;
    explicit Saved(size_t count) : of_pathway(count) {}
};

QueueCopies::~QueueCopies() { delete saved; }

void QueueCopies::save() {
    if (!context().is_open) return;
    use_card();
    delete saved;
    saved = nullptr;
    saved = new Saved(pathways().size());
    for (size_t p = 0; p < pathways().size(); p++) pathways()[p]->save(saved->of_pathway[p]);
}

void QueueCopies::restore() const {
    if (!saved) {
        empty_queues();
        return;
    }
    use_card();
    for (size_t p = 0; p < pathways().size(); p++) pathways()[p]->restore(saved->of_pathway[p]);
}

size_t pathways_count() { return pathways().size(); }

void pending_events(size_t pathway, std::vector<int32_t>& steps, std::vector<int32_t>& synapses) {
    use_card();
    pathways()[pathway]->pending(steps, synapses);
}

void set_pending_events(size_t pathway, const int32_t* steps, const int32_t* synapses,
                        int64_t count) {
    use_card();
    pathways()[pathway]->set_pending(steps, synapses, count);
}

void Pathway::release() {
    for (Buffer* buffer :
         {&position, &ring, &delays, &first_bundle, &bundle_delay, &first_synapse, &synapses,
          &first_waiting, &waiting})
        buffer->release();
    view = PathwayView();
}

// ---------------------------------------------------------------- events

__global__ void gather_events(const int32_t* parts, const int32_t* counts, int32_t* events,
                              int32_t n_elements) {
    __shared__ int32_t before;
    if (threadIdx.x == 0) before = 0;
    __syncthreads();
    int32_t sum = 0;
    for (unsigned int b = threadIdx.x; b < blockIdx.x; b += blockDim.x) sum += counts[b];
    if (sum) atomicAdd(&before, sum);
    __syncthreads();
    const int32_t own = counts[blockIdx.x];
    for (int32_t i = (int32_t)threadIdx.x; i < own; i += (int32_t)blockDim.x)
        events[before + i] = parts[blockIdx.x * block_size + i];
    if (blockIdx.x == gridDim.x - 1 && threadIdx.x == 0) events[n_elements] = before + own;
}

}  // namespace cuda
}  // namespace gpurun
