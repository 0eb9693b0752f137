{# USES_VARIABLES { N } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set _eventspace = get_array_name(eventspace_variable) %}
__global__ void run_kernel()
{
    const int32_t count = {{_eventspace}}[{{variables['N'].value}}];
    for (int32_t event = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x); event < count;
         event += (int32_t)(gridDim.x * blockDim.x))
    {
        const int32_t _idx = {{_eventspace}}[event];
        const int _vectorisation_idx = _idx;
        %STREAM((uint32_t)_idx)%
        {{scalar_code|autoindent}}
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
