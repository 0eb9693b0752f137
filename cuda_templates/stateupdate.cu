{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common.cu' %}

{% block kernels %}
{% set sequential = writes_array(scalar_code) %}
{% if sequential %}
// Statements for all elements write something: one thread does them, and then each element.
__global__ void run_kernel(int32_t _N)
{
    const int _vectorisation_idx = -1;
    int32_t _idx = -1;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    for (_idx = 0; _idx < _N; _idx++)
    {
        const int _vectorisation_idx = _idx;
        %STREAM((uint32_t)_idx)%
        {{vector_code|autoindent}}
    }
}
{% else %}
__global__ void run_kernel(int32_t _N)
{
    const int32_t _idx = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    if (_idx >= _N)
        return;
    const int _vectorisation_idx = _idx;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    %STREAM((uint32_t)_idx)%
    {
        {{vector_code|autoindent}}
    }
}
{% endif %}
{% endblock %}

{% block launch %}
{% set sequential = writes_array(scalar_code) %}
const int32_t _N = {{ kernel.host_size('N') }};
if (_N == 0)
    return;
{% if sequential %}
run_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>(_N);
{% else %}
run_kernel<<<gpurun::cuda::blocks_for(_N), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>(_N);
{% endif %}
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
