{# USES_VARIABLES { _synaptic_pre } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set sequential = depends_on_order(vector_code) or writes_array(scalar_code) %}
__global__ void run_kernel(bool _of_earlier_delays)
{
    const auto _effect = [&](int32_t _idx)
    {
        const int _vectorisation_idx = _idx;
        %STREAM(0xffffffffu)%
        {{scalar_code|autoindent}}
        %STREAM((uint32_t)_idx)%
        {
            {{vector_code|autoindent}}
        }
    };
    if (_of_earlier_delays)
        gpurun::cuda::for_each_waiting(_pathway_{{pathway.name}}, _effect);
    else
    {% if sequential %}
        // Synapses depend on each other in a way that atomic operations cannot express
        gpurun::cuda::for_each_arrival_in_order(_pathway_{{pathway.name}}, _effect);
    {% else %}
        gpurun::cuda::for_each_arrival(_pathway_{{pathway.name}}, _effect);
    {% endif %}
}
{% endblock %}

{% block launch %}
{% set sequential = depends_on_order(vector_code) or writes_array(scalar_code) %}
const gpurun::cuda::PathwayView& view = pathway_{{pathway.name}}.view;
if (view.n_delays == 0)
    return;
if (view.n_waiting)
{
    // A synapse may be among them twice, or once more behind them
    run_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>(true);
    GPURUN_LAUNCHED({{codeobj_name}});
}
{% if sequential %}
run_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>(false);
{% else %}
// As many blocks as may have work; those without a spike end at once
const dim3 grid((unsigned int)std::min((view.n_sources + 7) / 8, 256), (unsigned int)std::min(view.n_delays, 256));
run_kernel<<<grid, 128, 0, gpurun::cuda::stream()>>>(false);
{% endif %}
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
