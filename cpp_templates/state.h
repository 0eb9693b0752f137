{# The state of a session: named copies of all of it, and its parts by themselves.
   Put into model.cpp behind the tables of variables and pathways. #}
// ------------------------------------------------------------------ spikes in flight
{% if cuda %}
typedef cuda::QueueCopies QueueCopies;

static size_t n_queues() { return cuda::pathways_count(); }
static void pending_events(size_t pathway, std::vector<int32_t>& steps, std::vector<int32_t>& synapses) {
    cuda::pending_events(pathway, steps, synapses);
}
static void set_pending_events(size_t pathway, const int32_t* steps, const int32_t* synapses, int64_t count) {
    cuda::set_pending_events(pathway, steps, synapses, count);
}
{% else %}
class QueueCopies {
    struct Saved {
        std::vector<std::vector<int32_t>> slots;
        int offset;
    };
    std::vector<std::vector<Saved>> saved;  // by pathway and thread

public:
    void save() {
        saved.assign(n_pathways, {});
        for (size_t p = 0; p < n_pathways; p++)
            for (CSpikeQueue* queue : pathways[p]->queue)
                saved[p].push_back({queue->queue, queue->offset});
    }
    void restore() const {
        for (size_t p = 0; p < n_pathways; p++)
            for (size_t thread = 0; thread < saved[p].size(); thread++) {
                pathways[p]->queue[thread]->queue = saved[p][thread].slots;
                pathways[p]->queue[thread]->offset = saved[p][thread].offset;
            }
    }
};

static size_t n_queues() { return n_pathways; }

// In the order of delivery. What the present slot holds has been delivered.
static void pending_events(size_t pathway, std::vector<int32_t>& steps, std::vector<int32_t>& synapses) {
    size_t longest = 0;
    for (CSpikeQueue* queue : pathways[pathway]->queue) longest = std::max(longest, queue->queue.size());
    for (size_t ahead = 1; ahead < longest; ahead++)
        for (CSpikeQueue* queue : pathways[pathway]->queue) {
            if (ahead >= queue->queue.size()) continue;
            for (int32_t synapse : queue->queue[(size_t(queue->offset) + ahead) % queue->queue.size()]) {
                steps.push_back(int32_t(ahead));
                synapses.push_back(synapse);
            }
        }
}

static void set_pending_events(size_t pathway, const int32_t* steps, const int32_t* synapses, int64_t count) {
    std::vector<CSpikeQueue*>& queues = pathways[pathway]->queue;
    for (CSpikeQueue* queue : queues) {
        for (std::vector<int32_t>& slot : queue->queue) slot.clear();
        queue->offset = 0;
    }
    for (int64_t i = 0; i < count; i++) {
        // The thread whose share the synapse belongs to
        CSpikeQueue* queue = queues.front();
        for (CSpikeQueue* other : queues)
            if (synapses[i] >= other->openmp_padding) queue = other;
        if (steps[i] < 1 || size_t(steps[i]) >= queue->queue.size())
            throw Failure("a spike would arrive after " + std::to_string(steps[i]) +
                          " steps, longer than any delay of its pathway", GPURUN_BAD_ARGUMENT);
        queue->queue[size_t(steps[i])].push_back(synapses[i]);
    }
}
{% endif %}

// ------------------------------------------------------------------------ networks
struct NetworkTime {
    const char* name;
    Network* network;
};
static const NetworkTime network_times[] = {
    {% for net in networks %}
    {"{{net}}", &brian::{{net}}},
    {% endfor %}
    {nullptr, nullptr}
};
static const size_t n_networks = {{networks|length}};

// -------------------------------------------------------------------- named copies
// What a copy of a variable surely has room for, as far as can be seen from outside it.
struct Room {
    int64_t elements = -1;  // negative: there is no copy
    bool full = false;      // for that many, and not just for one that stands for all of them
};

struct Slot {
    std::vector<size_t> ids;
    // Storing again under the same name uses the memory of `lasting` again: new memory is
    // given page by page while it is first written, which takes longer than the copy.
    // `growing` is of the variables whose size has been seen to change, such as a monitor's.
    std::unique_ptr<Copies> lasting;
    Copies growing;
    std::vector<char> grows;
    std::vector<Room> rooms;
    std::vector<char> overridden;
    QueueCopies queues;
    Copies interrupted;
    bool has_interrupted = false;
    std::vector<std::pair<double, long double>> times;
    std::vector<brian::RandomGenerator> generators;
    Noise noise;

    Copies& copy_of(size_t id) { return grows[id] ? growing : *lasting; }
};
static std::map<std::string, std::unique_ptr<Slot>> slots;

// What a copy of the variable takes now, or `there` if that is sure to be enough.
static Room needed_room(size_t id, const Room& there) {
    gpurun_view view;
    variables[id].view(variables[id], view);
    bool in_full = view.rows < 2 || view.cols != 1;
    {% if cuda %}
    if (cuda::mirrored(id)) {
        // The host does not know how much a monitor has recorded
        cuda::device_view(id, view);
        in_full = true;
    }
    {% endif %}
    Room needed;
    needed.elements = view.rows * view.cols;
    if (there.full && there.elements == needed.elements) return there;
    const char* data = static_cast<const char*>(view.data);
    const size_t width = size_t(view.itemsize);
    needed.full = in_full || std::memcmp(data, data + width, (size_t(view.rows) - 1) * width) != 0;
    return needed;
}

static bool fits(const Room& needed, const Room& there) {
    return needed.elements == there.elements && (there.full || !needed.full);
}

static void store_slot(const char* name, const std::vector<size_t>& ids) {
    const auto found = slots.find(name);
    Slot* older = found == slots.end() ? nullptr : found->second.get();
    std::unique_ptr<Slot> slot(new Slot);
    std::vector<char> wanted(n_variables, 0);
    for (size_t id : ids) wanted[id] = 1;
    for (size_t id = 0; id < overridden.size(); id++)
        if (overridden[id]) wanted[id] = 1;
    slot->grows = older ? older->grows : std::vector<char>(n_variables, 0);
    slot->rooms = older ? older->rooms : std::vector<Room>(n_variables);
    bool again = older != nullptr;
    for (size_t id = 0; id < wanted.size(); id++) {
        if (!wanted[id]) continue;
        slot->ids.push_back(id);
        Room& room = slot->rooms[id];
        const Room needed = needed_room(id, room);
        if (room.elements >= 0 && room.elements != needed.elements) slot->grows[id] = 1;
        if (slot->grows[id])
            slot->growing.save(id, variables[id]);
        else if (!fits(needed, room))
            again = false;
    }
    slot->overridden = overridden;
    slot->queues.save();
    slot->has_interrupted = has_interrupted;
    if (has_interrupted)
        for (size_t id : interrupted_ids) {
            // By way of the variable itself: a copy has no other reader
            Copies present;
            present.save(id, variables[id]);
            interrupted.restore(id, variables[id]);
            slot->interrupted.save(id, variables[id]);
            present.restore(id, variables[id]);
        }
    for (size_t n = 0; n < n_networks; n++)
        slot->times.emplace_back(network_times[n].network->t, network_times[n].network->exact_t);
    slot->generators = brian::_random_generators;
    slot->noise = noise();
    if (!again) {
        slot->lasting.reset(new Copies);
        slot->rooms.assign(n_variables, Room());
        for (size_t id : slot->ids)
            if (!slot->grows[id]) slot->rooms[id] = needed_room(id, Room());
    }
    // Where this writes over the older copy it allocates nothing, and so it does not fail
    Copies& lasting = again ? *older->lasting : *slot->lasting;
    for (size_t id : slot->ids)
        if (!slot->grows[id]) lasting.save(id, variables[id]);
    if (again) slot->lasting = std::move(older->lasting);
    if (older)
        found->second = std::move(slot);
    else
        slots[name] = std::move(slot);
}

// Values of variables in `keep` stay as they are.
static void restore_slot(const char* name, const std::vector<size_t>& keep, bool random_too) {
    const auto found = slots.find(name);
    if (found == slots.end())
        throw Failure(std::string("nothing was stored under the name '") + name + "'",
                      GPURUN_BAD_ARGUMENT);
    Slot& slot = *found->second;
    std::vector<char> kept(n_variables, 0), in_slot(n_variables, 0);
    for (size_t id : keep) kept[id] = 1;
    for (size_t id : slot.ids) in_slot[id] = 1;
    for (size_t id = 0; id < overridden.size(); id++)
        // Overridden since: then it had its first value
        if (overridden[id] && !in_slot[id] && !kept[id]) {
            put_back(id);
            touch(id);
            overridden[id] = 0;
        }
    for (size_t id : slot.ids) {
        if (!kept[id]) {
            slot.copy_of(id).restore(id, variables[id]);
            const bool was = id < slot.overridden.size() && slot.overridden[id];
            const bool is = id < overridden.size() && overridden[id];
            if (was || is) touch(id);
            if (!overridden.empty()) overridden[id] = was;
        }
        if (!differs.empty()) differs[id] = 1;
    }
    use_threads();
    rebuild_dirty();
    slot.queues.restore();
    has_interrupted = slot.has_interrupted;
    if (has_interrupted)
        for (size_t id : interrupted_ids) {
            Copies present;
            present.save(id, variables[id]);
            slot.interrupted.restore(id, variables[id]);
            interrupted.save(id, variables[id]);
            present.restore(id, variables[id]);
        }
    for (size_t n = 0; n < n_networks; n++) {
        network_times[n].network->t = slot.times[n].first;
        network_times[n].network->exact_t = slot.times[n].second;
    }
    if (random_too) {
        brian::_random_generators = slot.generators;
        noise() = slot.noise;
    }
}

static std::vector<size_t> checked_ids(const int64_t* ids, int64_t count) {
    std::vector<size_t> found;
    for (int64_t i = 0; i < count; i++) {
        check_id(ids[i]);
        found.push_back(size_t(ids[i]));
    }
    return found;
}
