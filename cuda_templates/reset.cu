{# USES_VARIABLES { N } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set _eventspace = get_array_name(eventspace_variable) %}
__global__ void run_kernel()
{
    const int32_t _count = {{_eventspace}}[{{variables['N'].value}}];
    for (int32_t _event = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x); _event < _count;
         _event += (int32_t)(gridDim.x * blockDim.x))
    {
        const int32_t _idx = {{_eventspace}}[_event];
        const int _vectorisation_idx = _idx;
        %STREAM(0xffffffffu)%
        {{scalar_code|autoindent}}
        %STREAM((uint32_t)_idx)%
        {
            {{vector_code|autoindent}}
        }
    }
}
{% endblock %}

{% block launch %}
run_kernel<<<gpurun::cuda::blocks_for({{variables['N'].value}}), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
