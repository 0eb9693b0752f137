{# USES_VARIABLES { _n_sources, _n_targets, delay, _source_dt, _synaptic_pre } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set _eventspace = get_array_name(eventspace_variable) %}
__global__ void run_kernel()
{
    gpurun::cuda::push_spikes(_pathway_{{owner.name}}, {{_eventspace}},
                              {{_eventspace}}[{{eventspace_variable.size - 1}}]);
}
{% endblock %}

{% block launch %}
run_kernel<<<1, gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}

{% block before_run %}
if (!gpurun::cuda::context().is_open)
    return;
gpurun::cuda::to_host(%ID({{array_name(owner.synapse_sources)}})%);
gpurun::cuda::to_host(%ID({{array_name(variables['delay'])}})%);
gpurun::cuda::to_host(%ID({{array_name(variables['_source_dt'])}})%);
const gpurun_view sources = gpurun::cuda::host_view(%ID({{array_name(owner.synapse_sources)}})%);
const gpurun_view delays = gpurun::cuda::host_view(%ID({{array_name(variables['delay'])}})%);
const gpurun_view dt = gpurun::cuda::host_view(%ID({{array_name(variables['_source_dt'])}})%);
pathway_{{owner.name}}.prepare(
    (const int32_t*)sources.data, sources.rows,
    (const {{c_data_type(variables['delay'].dtype)}}*)delays.data, delays.rows,
    *(const {{c_data_type(variables['_source_dt'].dtype)}}*)dt.data,
    {{first_source}}, {{n_sources}});
{% endblock %}
