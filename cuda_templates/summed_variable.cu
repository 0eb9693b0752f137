{# USES_VARIABLES { N } #}
{% extends 'common.cu' %}
{# A target's synapses are added up by one thread and in the order of their numbers, as on the
   CPU. Names begin with an underscore where the statements of a model must not meet them. #}

{% block kernels %}
{% set _target_array = get_array_name(_target_var) %}
{% set sequential = mentions(scalar_code, _target_array) or mentions(vector_code, _target_array) %}
{% if sequential %}
// The statements see the sums while they grow: one thread does everything.
__global__ void run_kernel(int32_t _n_targets)
{
    for (int32_t _target = 0; _target < _n_targets; _target++)
        {{_target_array}}[_target + {{_target_start}}] = 0;
    int _vectorisation_idx = -1;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    for (int32_t _idx = 0; _idx < {{N}}; _idx++)
    {
        _vectorisation_idx = _idx;
        %STREAM((uint32_t)_idx)%
        {{vector_code|autoindent}}
        {{_target_array}}[{{get_array_name(_index_var)}}[_idx]] += _synaptic_var;
    }
}
{% else %}
__constant__ gpurun::cuda::TargetsView _targets;

__global__ void run_kernel(int32_t _n_targets)
{
    const int32_t _target = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    if (_target >= _n_targets)
        return;
    int _vectorisation_idx = -1;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    {{c_data_type(_target_var.dtype)}} _sum = 0;
    for (int32_t _position = _targets.first[_target]; _position < _targets.first[_target + 1]; _position++)
    {
        const int32_t _idx = _targets.synapses[_position];
        _vectorisation_idx = _idx;
        %STREAM((uint32_t)_idx)%
        {{vector_code|autoindent}}
        _sum += _synaptic_var;
    }
    {{_target_array}}[_target + {{_target_start}}] = _sum;
}

gpurun::cuda::Targets targets;
{% endif %}
{% endblock %}

{% block launch %}
{% set _target_array = get_array_name(_target_var) %}
{% set sequential = mentions(scalar_code, _target_array) or mentions(vector_code, _target_array) %}
const int32_t n_targets = {{ kernel.host_size(_target_size_name) }};
if (n_targets == 0)
    return;
{% if sequential %}
run_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>(n_targets);
{% else %}
run_kernel<<<gpurun::cuda::blocks_for(n_targets), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>(n_targets);
{% endif %}
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}

{% block before_run %}
{% set _target_array = get_array_name(_target_var) %}
{% if not (mentions(scalar_code, _target_array) or mentions(vector_code, _target_array)) %}
if (!gpurun::cuda::context().is_open)
    return;
gpurun::cuda::to_host(%ID({{array_name(_index_var)}})%);
const gpurun_view of_synapse = gpurun::cuda::host_view(%ID({{array_name(_index_var)}})%);
const gpurun::cuda::TargetsView view = targets.prepare(
    (const int32_t*)of_synapse.data, of_synapse.rows, {{_target_start}},
    {{ kernel.host_size(_target_size_name) }});
GPURUN_CUDA(cudaMemcpyToSymbolAsync(_targets, &view, sizeof view, 0, cudaMemcpyHostToDevice, gpurun::cuda::stream()));
gpurun::cuda::wait();
{% endif %}
{% endblock %}
