{# USES_VARIABLES { N, _clock_t, count, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N, count } #}
{% extends 'common.cu' %}
{# Names begin with an underscore where the statements of a model must not meet them. #}

{% block kernels %}
{% set _eventspace = get_array_name(eventspace_variable) %}
{% set _n_elements = eventspace_variable.size - 1 %}
__global__ void run_kernel()
{
    const gpurun::cuda::EventRange _range = gpurun::cuda::events_within(
        {{_eventspace}}, {{_eventspace}}[{{_n_elements}}], _source_start, _source_stop, {{_n_elements}});
    for (int32_t _event = _range.first + (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
         _event < _range.last; _event += (int32_t)(gridDim.x * blockDim.x))
    {
        const int32_t _idx = {{_eventspace}}[_event];
        const int _vectorisation_idx = _idx;
        %STREAM(0xffffffffu)%
        {{scalar_code|autoindent}}
        %STREAM((uint32_t)_idx)%
        {
            {{vector_code|autoindent}}
            {% for varname, var in record_variables | dictsort %}
            {{get_array_name(var)}}[{{N}} + _event - _range.first] = _to_record_{{varname}};
            {% endfor %}
        }
        // A spike generator that catches up may name a neuron twice
        atomicAdd(&{{count}}[_idx - _source_start], 1);
    }
}

// When all blocks have seen how many there were
__global__ void count_kernel()
{
    const gpurun::cuda::EventRange _range = gpurun::cuda::events_within(
        {{_eventspace}}, {{_eventspace}}[{{_n_elements}}], _source_start, _source_stop, {{_n_elements}});
    {{N}} += _range.last - _range.first;
}
{% endblock %}

{% block launch %}
{% set _n_sources = variables['_source_stop'].value - variables['_source_start'].value %}
{% if record_variables %}
gpurun::cuda::recorders()[%RECORDER({{array_name(variables['N'])}})%].reserve({{_n_sources}});
{% endif %}
run_kernel<<<gpurun::cuda::blocks_for({{_n_sources}}), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
count_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
