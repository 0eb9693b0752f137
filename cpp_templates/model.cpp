{# The generated half of the C boundary: everything that knows this model's
   arrays, clocks, pathways and program. Rendered once per model and placed at
   the end of the single translation unit (see gpurun/brian/emit.py). #}
{{report_func|autoindent}}

namespace gpurun {

// ------------------------------------------------------------ the variables
static Variable variables[] = {
    {% for entry in table %}
    {% if entry.kind == "array" or entry.kind == "static" %}
    {"{{entry.name}}", &brian::{{entry.c_name}}, {{entry.count}}, view_fixed<{{entry.c_type}}>, resize_fixed<{{entry.c_type}}>},
    {% elif entry.kind == "dynamic" %}
    {"{{entry.name}}", &brian::{{entry.c_name}}, 0, view_vector<{{entry.c_type}}>, resize_vector<{{entry.c_type}}>},
    {% else %}
    {"{{entry.name}}", &brian::{{entry.c_name}}, 0, view_2d<DynamicArray2D<{{entry.c_type}}>, {{entry.c_type}}>, resize_2d<DynamicArray2D<{{entry.c_type}}>, {{entry.c_type}}>},
    {% endif %}
    {% endfor %}
    {nullptr, nullptr, 0, nullptr, nullptr}
};
static const int64_t n_variables = {{table|length}};

// ------------------------------------------------- where the values are
{% if cuda %}
// Before host code looks at them, and after it has changed them.
static void need_on_host(size_t id) { cuda::to_host(id); }
static void all_on_host() { cuda::all_to_host(); }
static void changed_on_host(size_t id) { cuda::host_changed(id); }
static void all_changed_on_host() { cuda::all_host_changed(); }
static void view_of(size_t id, gpurun_view& view) { variables[id].view(variables[id], view); }
static void resize_of(size_t id, int64_t rows, int64_t cols) {
    variables[id].resize(variables[id], rows, cols);
}
typedef cuda::DeviceSnapshot Copies;
{% else %}
static void need_on_host(size_t) {}
static void all_on_host() {}
static void changed_on_host(size_t) {}
static void all_changed_on_host() {}
typedef Snapshot Copies;
{% endif %}

// ------------------------------------------------- random number generators
struct RandomAccess {
    static void write(std::ostream& out, const brian::RandomGenerator& generator) {
        // What is not stored may be anything, and equal states have to be equal texts
        uint64_t bits = 0;
        if (generator.has_stored_gauss)
            std::memcpy(&bits, &generator.stored_gauss, sizeof(bits));
        out << generator.gen << ' ' << bits << ' ' << generator.has_stored_gauss << '\n';
    }
    static void read(std::istream& in, brian::RandomGenerator& generator) {
        uint64_t bits;
        in >> generator.gen >> bits >> generator.has_stored_gauss;
        std::memcpy(&generator.stored_gauss, &bits, sizeof(bits));
        if (!in) throw Failure("not a random generator state", GPURUN_BAD_ARGUMENT);
    }
};

// --------------------------------------------------------------- initialise
static bool allocated = false;

static void allocate_and_clear() {
    using namespace brian;
    if (!allocated) {
        {% for entry in table if entry.kind == "array" or entry.kind == "static" %}
        {{entry.c_name}} = new {{entry.c_type}}[{{entry.count}}]();
        {% endfor %}
        for (int i = 0; i < {{openmp_pragma('get_num_threads')}}; i++)
            _random_generators.push_back(RandomGenerator());
        allocated = true;
    }
    {% for entry in table if entry.kind == "array" %}
    std::fill({{entry.c_name}}, {{entry.c_name}} + {{entry.count}}, {{entry.c_type}}(0));
    {% endfor %}
    {% for entry in table if entry.kind == "dynamic" %}
    {{entry.c_name}}.assign({{entry.initial_size}}, {{entry.c_type}}(0));
    {% endfor %}
    {% for entry in table if entry.kind == "dynamic2d" %}
    {{entry.c_name}}.resize_along_first(0);
    {% endfor %}
    {% for name, start, size in aranges %}
    for (int64_t i = 0; i < {{size}}; i++) {{name}}[i] = {{start}} + i;
    {% endfor %}
    {% for clock in clocks %}
    {{clock.name}}.timestep = {{clock.timestep}};
    {{clock.name}}.t = {{clock.t}};
    {% if clock.times %}
    {{clock.name}}.times = {{clock.times}};
    {{clock.name}}.n_times = {{clock.n_times}};
    {% else %}
    {{clock.name}}.dt = {{clock.dt}};
    {% endif %}
    {% endfor %}
}

static void empty_queues() {
    {% for path in pathways %}
    for (CSpikeQueue* queue : brian::{{path}}.queue) {
        for (std::vector<int32_t>& slot : queue->queue) slot.clear();
        queue->offset = 0;
    }
    {% endfor %}
    {% if cuda %}
    cuda::empty_queues();
    {% endif %}
}

static void reset_networks() {
    {% for net in networks %}
    brian::{{net}}.t = 0.0;
    brian::{{net}}.exact_t = 0.0L;
    {% endfor %}
    {% for name in profiled %}
    brian::{{name}}_profiling_info = std::chrono::nanoseconds(0);
    {% endfor %}
}

// -------------------------------------------------------------- the program
// What a script's store() and restore() call.
static void store_slot(const char* name, const std::vector<size_t>& ids);
static void restore_slot(const char* name, const std::vector<size_t>& keep, bool random_too);

{% for name, lines in run_functions %}
void {{name}}();
{% endfor %}
} // namespace gpurun

{% for name, lines in run_functions %}
void {{name}}()
{
    using namespace brian;
    {{lines|autoindent}}
}
{% endfor %}

namespace gpurun {

static void use_threads() {
    {{ openmp_pragma('set_num_threads') }}
}

// Set-up up to the place where overrides are applied.
static void setup_head() {
    using namespace brian;
    {{setup_head|autoindent}}
}

// Set-up behind that place; it depends on the overrides.
static void setup_tail() {
    using namespace brian;
    {{setup_tail|autoindent}}
}

{% if cuda %}
// The card counts the steps as the host does; it has to be told of whatever else happens.
static Noise noise_on_card;
static bool card_knows = false;

static void tell_card() {
    if (card_knows && noise_on_card.seed == noise().seed && noise_on_card.step == noise().step)
        return;
    cuda::set_stream_state({noise().seed, noise().step});
}

{% endif %}
{% for part in parts %}
static void part_{{loop.index0}}() {
    using namespace brian;
    {{part.enter|autoindent}}
    {% if cuda %}
    tell_card();
    card_knows = false;
    cuda::begin_loop();
    try {
        {{part.network}}.run({{part.duration}}, {{part.report}}, {{part.report_period}});
    } catch (...) {
        cuda::end_loop(false);
        throw;
    }
    cuda::end_loop(true);
    noise_on_card = noise();
    card_knows = true;
    {% else %}
    {{part.network}}.run({{part.duration}}, {{part.report}}, {{part.report_period}});
    {% endif %}
    {{part.leave|autoindent}}
}

// What the script's set-up code and Brian do between this run and the next.
static void after_{{loop.index0}}() {
    using namespace brian;
    {{part.after|autoindent}}
}

{% endfor %}
static void after_all() {
    using namespace brian;
    {{trailing|autoindent}}
}

{% if cuda %}
static unsigned int bit_of_clock(const int64_t* timestep) {
    {% for clock in clocks %}
    if (timestep == brian::{{clock.timestep}}) return 1u << {{loop.index0}};
    {% endfor %}
    return 0;
}

{% endif %}
static const double scripted_duration = {{total_duration}};

// Code that derives something (a spike queue, a matrix) from variables before a run.
struct Derived {
    void (*rebuild)();
    bool dirty;
};
static Derived derived[] = {
    {% for name in derived %}
    {_before_run_{{name}}, false},
    {% endfor %}
    {nullptr, false}
};
static const int64_t n_derived = {{derived|length}};
{% if cuda %}
// What such code reads and writes in host memory.
static const std::vector<std::vector<size_t>> derived_reads = {
    {% for ids in derived_reads %}
    { {{ids|join(', ')}} },
    {% endfor %}
};
static const std::vector<std::vector<size_t>> derived_writes = {
    {% for ids in derived_writes %}
    { {{ids|join(', ')}} },
    {% endfor %}
};
{% endif %}

static Copies baseline;
static std::vector<size_t> changing;   // variables that a run can change
static std::vector<char> overridden;   // variables that only an override has changed
static Copies interrupted;           // event spaces as the last step left them
static bool has_interrupted = false;
static const std::vector<size_t> interrupted_ids = { {{interrupted_ids|join(', ')}} };

static void check_id(int64_t id) {
    if (id < 0 || id >= n_variables)
        throw Failure("there is no variable number " + std::to_string(id), GPURUN_BAD_ARGUMENT);
}

static std::vector<std::vector<size_t>> derived_of_variable = {
    {% for ids in derived_of_variable %}
    { {{ids|join(', ')}} },
    {% endfor %}
};

static void touch(size_t id) {
    for (size_t d : derived_of_variable[id]) derived[d].dirty = true;
}

// ------------------------------------------- what a run has changed of a variable
// A synaptic variable that only the code of its pathways writes can have changed
// at synapses of neurons that spiked, and nowhere else.
static SynapticPathway* const pathways[] = {
    {% for path in pathways %}
    &brian::{{path}},
    {% endfor %}
    nullptr
};
static const size_t n_pathways = {{pathways|length}};
static const std::vector<std::vector<size_t>> pathways_of_variable = {
    {% for ids in pathways_of_variable %}
    { {{ids|join(', ')}} },
    {% endfor %}
};
// Variables that may differ anywhere from the baseline: overridden or carried.
static std::vector<char> differs;

static void mark_written(size_t id) {
    changed_on_host(id);
    touch(id);
    if (!differs.empty()) differs[id] = 1;
}

// What the spikes of one Synapses' pathways have touched since the last reset.
struct Touched {
    bool known = false;
    size_t count = 0;
    std::vector<std::pair<size_t, size_t>> stretches;  // first and number, side by side
    std::vector<size_t> singles;                       // ascending, so that pages are visited once
};
static std::vector<Touched> touched_by(n_pathways);

static void forget_spikes() {
    for (SynapticPathway* const* path = pathways; *path; path++) (*path)->forget_spikes();
    for (Touched& touched : touched_by) touched.known = false;
}

// The variables of one Synapses have the same pathways, and share the answer.
static const Touched& find_touched(const std::vector<size_t>& paths, size_t n_synapses) {
    Touched& touched = touched_by[paths.front()];
    if (touched.known) return touched;
    touched.known = true;
    touched.count = 0;
    touched.stretches.clear();
    touched.singles.clear();
    std::vector<uint64_t> marks((n_synapses + 63) / 64, 0);
    for (size_t p : paths)
        for (CSpikeQueue* queue : pathways[p]->queue)
            for (int neuron : pathways[p]->spiked_sources()) {
                // In ascending order; side by side where one neuron connects to all
                const std::vector<int>& synapses = queue->synapses[neuron];
                if (synapses.empty()) continue;
                touched.count += synapses.size();
                const size_t first = size_t(synapses.front());
                if (size_t(synapses.back()) - first + 1 == synapses.size())
                    touched.stretches.emplace_back(first, synapses.size());
                else
                    for (int synapse : synapses)
                        marks[size_t(synapse) / 64] |= uint64_t(1) << (synapse % 64);
            }
    for (size_t word = 0; word < marks.size(); word++)
        for (uint64_t left = marks[word]; left; left &= left - 1)
            touched.singles.push_back(word * 64 + size_t(__builtin_ctzll(left)));
    return touched;
}

// Above this share of the synapses, copying everything is faster.
static const size_t sparse_limit = 4;

static bool restore_spiked(size_t id) {
    const std::vector<size_t>& paths = pathways_of_variable[id];
    if (paths.empty() || differs[id]) return false;
    gpurun_view view;
    variables[id].view(variables[id], view);
    const Touched& touched = find_touched(paths, size_t(view.rows));
    if (touched.count > size_t(view.rows) / sparse_limit) return false;
    return baseline.restore_elements(id, variables[id], [&touched](auto restore) {
        for (const std::pair<size_t, size_t>& stretch : touched.stretches)
            restore(stretch.first, stretch.second);
        for (size_t synapse : touched.singles) restore(synapse, 1);
    });
}

static void put_back(size_t id) {
    if (!restore_spiked(id)) baseline.restore(id, variables[id]);
    differs[id] = 0;
}

static void rebuild_dirty() {
    for (int64_t d = 0; d < n_derived; d++)
        if (derived[d].dirty) {
            {% if cuda %}
            for (size_t id : derived_reads[size_t(d)]) need_on_host(id);
            {% endif %}
            derived[d].rebuild();
            {% if cuda %}
            for (size_t id : derived_writes[size_t(d)]) changed_on_host(id);
            {% endif %}
            derived[d].dirty = false;
        }
}

{% include "state.h" %}

{% include "stream.h" %}

static int32_t finish_run(gpurun_run_info* info) {
    Control& c = control();
    info->loop_seconds = c.loop_seconds;
    info->completed = c.requested > 0 ? std::min(1.0, c.finished / c.requested) : 1.0;
    info->t = c.t;
    info->steps = c.steps;
    info->device_seconds = c.device_seconds;
    return c.stop_requested ? GPURUN_STOPPED : GPURUN_OK;
}

} // namespace gpurun

// ============================================================== the C calls

GPURUN_EXPORT int32_t gpurun_abi_version() { return GPURUN_ABI_VERSION; }

GPURUN_EXPORT const char* gpurun_last_error() { return gpurun::last_error().c_str(); }

GPURUN_EXPORT int32_t gpurun_open(const char* project_directory, int32_t device) {
    return gpurun::guarded("open", [&] {
        (void)device;
        brian::results_dir = project_directory ? project_directory : "";
        gpurun::use_threads();
        {{code_before_start|autoindent}}
        gpurun::allocate_and_clear();
        {% if cuda %}
        gpurun::card_knows = false;
        gpurun::cuda::open(device, {gpurun::view_of, gpurun::resize_of});
        gpurun::control().clocks_set = device >= 0 ? gpurun::cuda::clocks_set : nullptr;
        gpurun::control().step_done = device >= 0 ? gpurun::cuda::step_done : nullptr;
        gpurun::control().loop_done = device >= 0 ? gpurun::cuda::wait_for_loop : nullptr;
        gpurun::control().bit_of_clock = gpurun::bit_of_clock;
        {% endif %}
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int64_t gpurun_variable_count() { return gpurun::n_variables; }

GPURUN_EXPORT const char* gpurun_variable_name(int64_t id) {
    return id < 0 || id >= gpurun::n_variables ? nullptr : gpurun::variables[id].name;
}

GPURUN_EXPORT int32_t gpurun_variable(int64_t id, gpurun_view* view) {
    return gpurun::guarded("variable", [&] {
        gpurun::check_id(id);
        gpurun::need_on_host(size_t(id));
        gpurun::variables[id].view(gpurun::variables[id], *view);
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_resize(int64_t id, int64_t rows, int64_t cols) {
    return gpurun::guarded("resize", [&] {
        gpurun::check_id(id);
        gpurun::need_on_host(size_t(id));
        gpurun::variables[id].resize(gpurun::variables[id], rows, cols);
        gpurun::mark_written(size_t(id));
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_write(int64_t id, int64_t first, int64_t count, const void* source) {
    return gpurun::guarded("write", [&] {
        gpurun::check_id(id);
        gpurun_view view;
        gpurun::variables[id].view(gpurun::variables[id], view);
        if (first < 0 || count < 0 || first + count > view.rows || view.cols != 1)
            throw gpurun::Failure(std::string(gpurun::variables[id].name) + " has " +
                                  std::to_string(view.rows) + " elements, cannot write " +
                                  std::to_string(count) + " from number " + std::to_string(first),
                                  GPURUN_BAD_ARGUMENT);
        {% if cuda %}
        if (gpurun::cuda::write(size_t(id), first, count, source, false)) {
            gpurun::touch(size_t(id));
            if (!gpurun::differs.empty()) gpurun::differs[size_t(id)] = 1;
            return GPURUN_OK;
        }
        {% endif %}
        if (first > 0 || count < view.rows) gpurun::need_on_host(size_t(id));
        // Its own memory: it was changed in place
        char* const to = static_cast<char*>(view.data) + first * view.itemsize;
        if (count > 0 && to != source) std::memcpy(to, source, size_t(count) * view.itemsize);
        gpurun::mark_written(size_t(id));
        return GPURUN_OK;
    });
}

// From memory of the card, which `stream` fills (negative: it is ready).
GPURUN_EXPORT int32_t gpurun_write_device(int64_t id, int64_t first, int64_t count,
                                          const void* source, int64_t stream) {
    return gpurun::guarded("write_device", [&]() -> int32_t {
        gpurun::check_id(id);
        gpurun_view view;
        gpurun::variables[id].view(gpurun::variables[id], view);
        if (first < 0 || count < 0 || first + count > view.rows || view.cols != 1)
            throw gpurun::Failure(std::string(gpurun::variables[id].name) + " has " +
                                  std::to_string(view.rows) + " elements, cannot write " +
                                  std::to_string(count) + " from number " + std::to_string(first),
                                  GPURUN_BAD_ARGUMENT);
        {% if cuda %}
        gpurun::cuda::wait_for_stream(source, stream);
        if (!gpurun::cuda::write(size_t(id), first, count, source, true)) {
            // The host needs it
            gpurun::need_on_host(size_t(id));
            gpurun::cuda::copy_to_host(source, count * view.itemsize,
                                       static_cast<char*>(view.data) + first * view.itemsize);
            gpurun::changed_on_host(size_t(id));
        }
        gpurun::touch(size_t(id));
        if (!gpurun::differs.empty()) gpurun::differs[size_t(id)] = 1;
        return GPURUN_OK;
        {% else %}
        (void)source;
        (void)stream;
        throw gpurun::Failure("the model runs on the CPU", GPURUN_BAD_ARGUMENT);
        {% endif %}
    });
}

GPURUN_EXPORT int32_t gpurun_count_nonfinite(const void* source, int64_t count, int64_t itemsize,
                                             int64_t stream, int64_t* found) {
    return gpurun::guarded("count_nonfinite", [&] {
        *found = 0;
        {% if cuda %}
        gpurun::cuda::wait_for_stream(source, stream);
        *found = gpurun::cuda::count_nonfinite(source, count, itemsize);
        {% else %}
        (void)source;
        (void)count;
        (void)itemsize;
        (void)stream;
        {% endif %}
        return GPURUN_OK;
    });
}

// Where the elements are in the card's memory, rows side by side; those that no kernel uses are
// in host memory.
GPURUN_EXPORT int32_t gpurun_device_view(int64_t id, gpurun_view* view) {
    return gpurun::guarded("device_view", [&]() -> int32_t {
        gpurun::check_id(id);
        {% if cuda %}
        if (gpurun::cuda::mirrored(size_t(id)))
            gpurun::cuda::device_view(size_t(id), *view);
        else
            gpurun::view_of(size_t(id), *view);
        {% else %}
        gpurun::variables[id].view(gpurun::variables[id], *view);
        {% endif %}
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_free_memory(int64_t* bytes) {
    return gpurun::guarded("free_memory", [&]() -> int32_t {
        {% if cuda %}
        *bytes = gpurun::cuda::free_memory();
        return GPURUN_OK;
        {% else %}
        *bytes = 0;
        throw gpurun::Failure("the model runs on the CPU", GPURUN_BAD_ARGUMENT);
        {% endif %}
    });
}

GPURUN_EXPORT int32_t gpurun_copy_to_host(const void* source, int64_t bytes, void* target) {
    return gpurun::guarded("copy_to_host", [&] {
        {% if cuda %}
        gpurun::cuda::copy_to_host(source, bytes, target);
        {% else %}
        std::memcpy(target, source, size_t(bytes));
        {% endif %}
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_setup(int32_t again) {
    return gpurun::guarded("setup", [&] {
        gpurun::use_threads();
        if (again) {
            gpurun::allocate_and_clear();
            gpurun::empty_queues();
            gpurun::reset_networks();
            gpurun::has_interrupted = false;
        }
        gpurun::all_changed_on_host();
        gpurun::setup_head();
        gpurun::all_changed_on_host();
        for (int64_t d = 0; d < gpurun::n_derived; d++) gpurun::derived[d].dirty = false;
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_rebuild() {
    return gpurun::guarded("rebuild", [&] {
        gpurun::use_threads();
        for (int64_t d = 0; d < gpurun::n_derived; d++) gpurun::derived[d].dirty = true;
        gpurun::rebuild_dirty();
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_rebuild_changed() {
    return gpurun::guarded("rebuild_changed", [&] {
        gpurun::use_threads();
        gpurun::rebuild_dirty();
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_baseline(const int64_t* ids, int64_t count) {
    return gpurun::guarded("baseline", [&] {
        gpurun::baseline.clear();
        gpurun::changing.clear();
        gpurun::forget_spikes();
        gpurun::differs.assign(gpurun::n_variables, 0);
        gpurun::overridden.assign(gpurun::n_variables, 0);
        for (int64_t i = 0; i < count; i++) {
            gpurun::check_id(ids[i]);
            gpurun::baseline.save(size_t(ids[i]), gpurun::variables[ids[i]]);
            gpurun::changing.push_back(size_t(ids[i]));
        }
        return GPURUN_OK;
    });
}

// Before the first override of a variable that no run changes.
GPURUN_EXPORT int32_t gpurun_protect(int64_t id) {
    return gpurun::guarded("protect", [&] {
        gpurun::check_id(id);
        if (!gpurun::baseline.has(size_t(id)))
            gpurun::baseline.save(size_t(id), gpurun::variables[id]);
        gpurun::overridden[id] = 1;
        gpurun::differs[id] = 1;
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_reset(const int64_t* keep, int64_t count) {
    return gpurun::guarded("reset", [&] {
        std::vector<char> kept(gpurun::n_variables, 0);
        for (int64_t i = 0; i < count; i++) {
            gpurun::check_id(keep[i]);
            kept[keep[i]] = 1;
        }
        std::vector<char> wanted(gpurun::overridden);
        for (size_t id : gpurun::changing) wanted[id] = 1;
        std::vector<size_t> ids;
        for (size_t id = 0; id < wanted.size(); id++) {
            if (!wanted[id]) continue;
            if (kept[id])
                gpurun::differs[id] = 1;
            else
                ids.push_back(id);
        }
        for (size_t id : ids) {
            gpurun::put_back(id);
            if (gpurun::overridden[id]) {
                gpurun::touch(id);
                gpurun::overridden[id] = 0;
            }
        }
        {% if derived_can_change %}
        // A later part of the program prepares the queues anew
        for (int64_t d = 0; d < gpurun::n_derived; d++) gpurun::derived[d].dirty = true;
        {% endif %}
        gpurun::empty_queues();
        gpurun::forget_spikes();
        gpurun::reset_networks();
        gpurun::has_interrupted = false;
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_seed(uint64_t seed) {
    return gpurun::guarded("seed", [&] {
        for (size_t i = 0; i < brian::_random_generators.size(); i++)
            brian::_random_generators[i].seed((unsigned long)(seed + i));
        gpurun::restart_noise(seed);
        return GPURUN_OK;
    });
}

// Writes the state of the random number generators as text. Returns the length
// that is needed; nothing is written into a buffer that is too small.
GPURUN_EXPORT int64_t gpurun_random_state(char* buffer, int64_t capacity) {
    std::ostringstream out;
    for (const brian::RandomGenerator& generator : brian::_random_generators)
        gpurun::RandomAccess::write(out, generator);
    {% if philox %}
    gpurun::write_noise(out);
    {% endif %}
    const std::string text = out.str();
    if (buffer && int64_t(text.size()) <= capacity) std::memcpy(buffer, text.data(), text.size());
    return int64_t(text.size());
}

GPURUN_EXPORT int32_t gpurun_set_random_state(const char* buffer, int64_t size) {
    return gpurun::guarded("set_random_state", [&] {
        std::istringstream in(std::string(buffer, size_t(size)));
        for (brian::RandomGenerator& generator : brian::_random_generators)
            gpurun::RandomAccess::read(in, generator);
        {% if philox %}
        if (!gpurun::read_noise(in))
            throw gpurun::Failure("not a random generator state", GPURUN_BAD_ARGUMENT);
        {% endif %}
        return GPURUN_OK;
    });
}

// Keeps the whole state under a name: these variables, and all that was overridden.
GPURUN_EXPORT int32_t gpurun_store(const char* name, const int64_t* ids, int64_t count) {
    return gpurun::guarded("store", [&] {
        gpurun::store_slot(name, gpurun::checked_ids(ids, count));
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_restore(const char* name, const int64_t* keep, int64_t count,
                                     int32_t random_too) {
    return gpurun::guarded("restore", [&] {
        gpurun::restore_slot(name, gpurun::checked_ids(keep, count), random_too != 0);
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_forget(const char* name) {
    return gpurun::guarded("forget", [&] {
        gpurun::slots.erase(name);
        return GPURUN_OK;
    });
}

// Spikes in flight, in the order of delivery. Fills the arrays if they hold `capacity` of them.
GPURUN_EXPORT int32_t gpurun_queue(int64_t pathway, int64_t capacity, int32_t* steps,
                                   int32_t* synapses, int64_t* count) {
    return gpurun::guarded("queue", [&] {
        if (pathway < 0 || size_t(pathway) >= gpurun::n_queues())
            throw gpurun::Failure("there is no pathway number " + std::to_string(pathway),
                                  GPURUN_BAD_ARGUMENT);
        std::vector<int32_t> all_steps, all_synapses;
        gpurun::pending_events(size_t(pathway), all_steps, all_synapses);
        *count = int64_t(all_steps.size());
        if (*count <= capacity) {
            std::copy(all_steps.begin(), all_steps.end(), steps);
            std::copy(all_synapses.begin(), all_synapses.end(), synapses);
        }
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_set_queue(int64_t pathway, int64_t count, const int32_t* steps,
                                       const int32_t* synapses) {
    return gpurun::guarded("set_queue", [&] {
        if (pathway < 0 || size_t(pathway) >= gpurun::n_queues())
            throw gpurun::Failure("there is no pathway number " + std::to_string(pathway),
                                  GPURUN_BAD_ARGUMENT);
        gpurun::set_pending_events(size_t(pathway), steps, synapses, count);
        return GPURUN_OK;
    });
}

// The model time of a network, and what the exact sum of durations has beyond that number.
GPURUN_EXPORT int32_t gpurun_network(int64_t index, const char** name, double* t, double* rest) {
    if (index < 0 || size_t(index) >= gpurun::n_networks) return GPURUN_BAD_ARGUMENT;
    const Network& network = *gpurun::network_times[index].network;
    *name = gpurun::network_times[index].name;
    *t = network.t;
    *rest = double(network.exact_t - (long double)network.t);
    return GPURUN_OK;
}

GPURUN_EXPORT int32_t gpurun_set_network(int64_t index, double t, double rest) {
    if (index < 0 || size_t(index) >= gpurun::n_networks) return GPURUN_BAD_ARGUMENT;
    Network& network = *gpurun::network_times[index].network;
    network.t = t;
    network.exact_t = (long double)t + rest;
    return GPURUN_OK;
}

// Event spaces as the last step left them, which Brian empties at the end of a run. 0: say whether
// there are any; 1: put them into the variables; 2: the variables hold them, keep them as such;
// 3: there are none.
GPURUN_EXPORT int32_t gpurun_event_spaces(int32_t what, int32_t* present) {
    return gpurun::guarded("event_spaces", [&] {
        if (what == 1 && gpurun::has_interrupted)
            for (size_t id : gpurun::interrupted_ids)
                gpurun::interrupted.restore(id, gpurun::variables[id]);
        if (what == 2)
            for (size_t id : gpurun::interrupted_ids)
                gpurun::interrupted.save(id, gpurun::variables[id]);
        if (what == 2 || what == 3) gpurun::has_interrupted = what == 2;
        *present = gpurun::has_interrupted;
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int64_t gpurun_event_space(int64_t index) {
    return index < 0 || size_t(index) >= gpurun::interrupted_ids.size()
               ? -1
               : int64_t(gpurun::interrupted_ids[size_t(index)]);
}

// From now on `arrays` and their counter are handed over whenever `rows` are recorded, and emptied.
// Returns the number of the stream, or a negative number. Without arrays: no streams any more.
GPURUN_EXPORT int64_t gpurun_stream(int64_t counter, const int64_t* arrays, int64_t count,
                                    int64_t rows) {
    if (count == 0) {
        gpurun::streams.clear();
        return -1;
    }
    int64_t number = -1;
    gpurun::guarded("stream", [&] {
        gpurun::check_id(counter);
        gpurun::streams.push_back({size_t(counter), gpurun::checked_ids(arrays, count),
                                   std::max<int64_t>(rows, 1)});
        number = int64_t(gpurun::streams.size()) - 1;
        return GPURUN_OK;
    });
    return number;
}

// Empties a monitor whose rows were read outside of a run.
GPURUN_EXPORT int32_t gpurun_empty_stream(int64_t number) {
    return gpurun::guarded("empty_stream", [&] {
        if (number < 0 || size_t(number) >= gpurun::streams.size())
            throw gpurun::Failure("there is no stream number " + std::to_string(number),
                                  GPURUN_BAD_ARGUMENT);
        gpurun::empty_stream(gpurun::streams[size_t(number)]);
        return GPURUN_OK;
    });
}

// What is told during a run that a stream has its rows; a nonzero result ends the run.
GPURUN_EXPORT void gpurun_when_full(gpurun_full callback) {
    gpurun::full_callback = callback;
}

// Set-up code behind the place where overrides are applied, and whatever has
// to be derived anew from overridden variables.
GPURUN_EXPORT int32_t gpurun_prepare() {
    return gpurun::guarded("prepare", [&] {
        gpurun::use_threads();
        {% if setup_tail %}
        gpurun::all_on_host();
        gpurun::setup_tail();
        gpurun::all_changed_on_host();
        {% endif %}
        gpurun::rebuild_dirty();
        return GPURUN_OK;
    });
}

GPURUN_EXPORT int32_t gpurun_run(double duration, int32_t advance, double maximum_run_time,
                                 double period, gpurun_progress progress, void* user,
                                 const char* output, gpurun_run_info* info) {
    gpurun::Control& c = gpurun::control();
    const int32_t status = gpurun::guarded("run", [&] {
        gpurun::use_threads();
        c.progress = progress;
        c.user = user;
        c.period = period;
        c.maximum_run_time = maximum_run_time;
        c.duration = duration;
        c.requested = c.duration_or(gpurun::scripted_duration);
        c.finished = c.loop_seconds = c.t = 0.0;
        c.steps = 0;
        c.device_seconds = -1.0;
        c.hand_over = gpurun::streams.empty() || !gpurun::full_callback ? nullptr : gpurun::hand_over;
        gpurun::OutputRedirection redirection(output);
        gpurun::FlushDenormals flush;
        if (advance && gpurun::has_interrupted)
            for (size_t id : gpurun::interrupted_ids)
                gpurun::interrupted.restore(id, gpurun::variables[id]);
        gpurun::has_interrupted = false;
        {% for part in parts %}
        gpurun::part_{{loop.index0}}();
        {% if loop.last %}
        // An advance() that follows has to find the event spaces of the last step
        for (size_t id : gpurun::interrupted_ids)
            gpurun::interrupted.save(id, gpurun::variables[id]);
        gpurun::has_interrupted = true;
        {% endif %}
        if (!c.stop_requested || {{ "true" if loop.last else "false" }}) gpurun::after_{{loop.index0}}();
        {% if not loop.last %}
        if (c.stop_requested) return gpurun::finish_run(info);
        {% endif %}
        {% endfor %}
        {% if trailing %}
        if (!advance) {
            gpurun::all_on_host();
            gpurun::after_all();
            gpurun::all_changed_on_host();
        }
        {% endif %}
        return gpurun::finish_run(info);
    });
    if (status != GPURUN_OK && status != GPURUN_STOPPED) gpurun::finish_run(info);
    c.stop_requested = false;
    c.progress = nullptr;
    return status;
}

GPURUN_EXPORT void gpurun_stop(int32_t request) {
    gpurun::control().stop_requested = request != 0;
}

GPURUN_EXPORT int32_t gpurun_profile(int64_t index, const char** name, double* seconds) {
    static const struct { const char* name; std::chrono::nanoseconds* spent; } entries[] = {
        {% for name in profiled %}
        {"{{name}}", &brian::{{name}}_profiling_info},
        {% endfor %}
        {nullptr, nullptr}
    };
    if (index < 0 || index >= {{profiled|length}}) return GPURUN_BAD_ARGUMENT;
    *name = entries[index].name;
    *seconds = std::chrono::duration<double>(*entries[index].spent).count();
    return GPURUN_OK;
}

// Writes the files that a brian2 standalone program leaves in its results directory.
GPURUN_EXPORT int32_t gpurun_write_results(const char* directory) {
    return gpurun::guarded("write_results", [&] {
        brian::results_dir = directory;
        gpurun::all_on_host();
        _write_arrays();
        return GPURUN_OK;
    });
}

GPURUN_EXPORT void gpurun_close() {
    if (!gpurun::allocated) return;
    {% if cuda %}
    gpurun::baseline.clear();
    gpurun::interrupted.clear();
    gpurun::slots.clear();
    gpurun::cuda::close();
    {% endif %}
    {% for entry in table if entry.kind == "array" or entry.kind == "static" %}
    delete[] brian::{{entry.c_name}};
    brian::{{entry.c_name}} = nullptr;
    {% endfor %}
    gpurun::allocated = false;
}
