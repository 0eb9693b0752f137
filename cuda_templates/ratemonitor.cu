{# USES_VARIABLES { N, rate, t, _spikespace, _clock_t, _clock_dt,
                    _num_source_neurons, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set _n_elements = variables['_spikespace'].size - 1 %}
__global__ void run_kernel()
{
    const gpurun::cuda::EventRange range = gpurun::cuda::events_within(
        {{_spikespace}}, {{_spikespace}}[{{_n_elements}}], _source_start, _source_stop, {{_n_elements}});
    {{rate}}[{{N}}] = 1.0 * (range.last - range.first) / {{_clock_dt}} / _num_source_neurons;
    {{t}}[{{N}}] = {{_clock_t}};
    {{N}} += 1;
}
{% endblock %}

{% block launch %}
gpurun::cuda::recorders()[%RECORDER({{array_name(variables['N'])}})%].reserve(1);
run_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
