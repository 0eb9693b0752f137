{# The device's half of a CUDA model: where its variables are, its kernels, its clocks. #}
#include "device.h"
#include "philox.h"

// The seed of the random numbers, and the steps since then.
namespace gpurun {
static __device__ uint64_t philox_seed;
static __device__ uint64_t philox_step;
}  // namespace gpurun
#include "own_stream.h"

// ------------------------------------------------------- where the arrays are
{% for entry in arrays %}
__constant__ {{entry.c_type}}* {{entry.pointer}};
{% endfor %}
{% for name in pathways %}
__constant__ gpurun::cuda::PathwayView _pathway_{{name}};
static gpurun::cuda::Pathway pathway_{{name}};
{% endfor %}

#include "device.cu"

// ------------------------------------------------------------ code objects
namespace brian {
{% for name in profiled %}
extern std::chrono::nanoseconds {{name}}_profiling_info;
{% endfor %}
}

{% for codeobj in code_objects %}
namespace gpurun_unit_{{loop.index0}} {
{{codeobj.kernels}}
}
{% for function in codeobj.functions %}
void {{function.name}}()
{
    using namespace gpurun_unit_{{codeobj.number}};
    {{function.body|autoindent}}
}
{% endfor %}
{{codeobj.undefine}}
{% endfor %}

// ------------------------------------------------------------------- tables
namespace gpurun {
namespace cuda {

template <class T>
static void point_to(T* const& symbol, void* data) {
    GPURUN_CUDA(cudaMemcpyToSymbolAsync(symbol, &data, sizeof data, 0, cudaMemcpyHostToDevice, stream()));
    wait();
}

std::vector<Mirror>& mirrors() {
    static std::vector<Mirror>* all = [] {
        auto* made = new std::vector<Mirror>({{n_variables}});
        std::vector<Mirror>& m = *made;
        (void)m;
        {% for entry in arrays %}
        m[{{entry.id}}].itemsize = sizeof({{entry.c_type}});
        m[{{entry.id}}].point = [](void* data) { point_to({{entry.pointer}}, data); };
        m[{{entry.id}}].written = {{"true" if entry.written else "false"}};
        m[{{entry.id}}].clock = {{"true" if entry.clock else "false"}};
        m[{{entry.id}}].host_reads = {{"true" if entry.host_reads else "false"}};
        m[{{entry.id}}].recorder = {{entry.recorder}};
        m[{{entry.id}}].columns = {{entry.columns}};
        {% endfor %}
        return made;
    }();
    return *all;
}

std::vector<Recorder>& recorders() {
    static std::vector<Recorder>* all = new std::vector<Recorder>{
        {% for recorder in recorders %}
        {{ '{' }}{{recorder.counter}}, { {{recorder.records|join(', ')}} } },
        {% endfor %}
    };
    return *all;
}

std::vector<Pathway*>& pathways() {
    static std::vector<Pathway*>* all = [] {
        {% for name in pathways %}
        pathway_{{name}}.point = [](const PathwayView& view) {
            GPURUN_CUDA(cudaMemcpyToSymbolAsync(_pathway_{{name}}, &view, sizeof view, 0, cudaMemcpyHostToDevice, stream()));
            wait();
        };
        {% endfor %}
        return new std::vector<Pathway*>{ {% for name in pathways %}&pathway_{{name}}, {% endfor %} };
    }();
    return *all;
}

void prepare_model() {}

void release_model() {
    for (Pathway* pathway : pathways()) pathway->release();
    {% for line in releases %}
    {{line}}
    {% endfor %}
}

// -------------------------------------------------------- clocks and the stream
__global__ static void tick(unsigned int due) {
    philox_step++;
    {% for clock in clocks %}
    if (due >> {{loop.index0}} & 1) {
        {{clock.timestep}}[0] += 1;
        {% if clock.times %}
        {{clock.t}}[0] = {{clock.times}}[{{clock.timestep}}[0]];
        {% else %}
        {{clock.t}}[0] = {{clock.timestep}}[0] * {{clock.dt}}[0];
        {% endif %}
    }
    {% endfor %}
}

void clocks_set() {
    for (size_t id = 0; id < mirrors().size(); id++)
        if (mirrors()[id].clock) {
            host_changed(id);
            to_device(id);
        }
    loop_begins();
}

void step_done(unsigned int due) {
    tick<<<1, 1, 0, stream()>>>(due);
    GPURUN_LAUNCHED(tick);
}

void seed(uint64_t value) { set_stream_state({value, 0}); }

void set_stream_state(const StreamState& state) {
    if (!context().is_open) return;
    GPURUN_CUDA(cudaMemcpyToSymbolAsync(philox_seed, &state.seed, sizeof state.seed, 0, cudaMemcpyHostToDevice, stream()));
    GPURUN_CUDA(cudaMemcpyToSymbolAsync(philox_step, &state.step, sizeof state.step, 0, cudaMemcpyHostToDevice, stream()));
    wait();
}

StreamState stream_state() {
    StreamState state{0, 0};
    if (!context().is_open) return state;
    GPURUN_CUDA(cudaMemcpyFromSymbolAsync(&state.seed, philox_seed, sizeof state.seed, 0, cudaMemcpyDeviceToHost, stream()));
    GPURUN_CUDA(cudaMemcpyFromSymbolAsync(&state.step, philox_step, sizeof state.step, 0, cudaMemcpyDeviceToHost, stream()));
    wait();
    return state;
}

}  // namespace cuda
}  // namespace gpurun
