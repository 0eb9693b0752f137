{# USES_VARIABLES { t, _clock_t, _indices, N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { t, N } #}
{% extends 'common.cu' %}

{% block kernels %}
{% set _n_indices = variables['_indices'].size %}
__global__ void run_kernel()
{
    const int32_t _i = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    if (_i >= {{_n_indices}})
        return;
    const int32_t _idx = {{_indices}}[_i];
    const int _vectorisation_idx = _idx;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    %STREAM((uint32_t)_idx)%
    {
        {{vector_code|autoindent}}
        {% for varname, var in _recorded_variables | dictsort %}
        {{get_array_name(var)}}[(int64_t){{N}} * {{_n_indices}} + _i] = _to_record_{{varname}};
        {% endfor %}
    }
}

// When all blocks have written their part of the row
__global__ void count_kernel()
{
    {{t}}[{{N}}] = {{_clock_t}};
    {{N}} += 1;
}
{% endblock %}

{% block launch %}
{% set _n_indices = variables['_indices'].size %}
gpurun::cuda::recorders()[%RECORDER({{array_name(variables['N'])}})%].reserve(1);
{% if _n_indices %}
run_kernel<<<gpurun::cuda::blocks_for({{_n_indices}}), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endif %}
count_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
