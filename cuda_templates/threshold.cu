{# USES_VARIABLES { N } #}
{% extends 'common.cu' %}
{# not_refractory and lastspike are needed variables of the thresholder; the event space depends
   on the kind of event. #}

{% block kernels %}
{% set _eventspace = get_array_name(eventspace_variable) %}
__global__ void run_kernel(int32_t _N, int32_t* _parts, int32_t* _counts)
{
    const int32_t _idx = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    const int _vectorisation_idx = _idx;
    bool _event = false;
    if (_idx < _N)
    {
        %STREAM(0xffffffffu)%
        {{scalar_code|autoindent}}
        %STREAM((uint32_t)_idx)%
        {
            {{vector_code|autoindent}}
            _event = _cond;
        }
        {% if _uses_refractory %}
        if (_event)
        {
            {{not_refractory}}[_idx] = false;
            {{lastspike}}[_idx] = {{t}};
        }
        {% endif %}
    }
    int32_t _total;
    const int32_t _rank = gpurun::cuda::rank_in_block(_event, &_total);
    if (_event)
        _parts[blockIdx.x * gpurun::cuda::block_size + _rank] = _idx;
    if (threadIdx.x == 0)
        _counts[blockIdx.x] = _total;
}

__global__ void clear_kernel()
{
    {{_eventspace}}[{{variables['N'].value}}] = 0;
}

gpurun::cuda::Events events;
{% endblock %}

{% block launch %}
const int32_t _N = {{variables['N'].value}};
int32_t* const parts = events.parts_for(_N);
int32_t* const counts = events.counts_for(_N);
run_kernel<<<gpurun::cuda::blocks_for(_N), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>(_N, parts, counts);
GPURUN_LAUNCHED({{codeobj_name}});
gpurun::cuda::gather_events<<<gpurun::cuda::blocks_for(_N), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>(
    parts, counts, (int32_t*)gpurun::cuda::mirrors()[%ID({{array_name(eventspace_variable)}})%].memory.data(), _N);
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}

{# Brian clears the event space when a run ends: what is scheduled before the thresholds must not
   see the events of the last step in the next run. #}
{% block after_run %}
gpurun::cuda::to_device(%ID({{array_name(eventspace_variable)}})%);
clear_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
