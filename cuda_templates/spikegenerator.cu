{# USES_VARIABLES { _spikespace, neuron_index, _timebins, _period_bins, _lastindex, t_in_timesteps, N } #}
{% extends 'common.cu' %}

{% block kernels %}
__global__ void run_kernel(int32_t n_spikes)
{
    __shared__ int32_t first, last;
    if (threadIdx.x == 0)
    {
        int32_t bin = (int32_t){{t_in_timesteps}};
        int32_t next = {{_lastindex}};
        if ({{_period_bins}} > 0)
        {
            bin %= {{_period_bins}};
            // A new period has begun
            if (next > 0 && {{_timebins}}[next - 1] >= bin)
                next = 0;
        }
        first = next;
        // Spikes are sorted by time
        last = max(next, gpurun::cuda::first_not_below({{_timebins}}, n_spikes, bin + 1));
        {{_spikespace}}[N] = last - first;
        {{_lastindex}} = last;
    }
    __syncthreads();
    for (int32_t i = (int32_t)threadIdx.x; i < last - first; i += (int32_t)blockDim.x)
        {{_spikespace}}[i] = {{neuron_index}}[first + i];
}
{% endblock %}

{% block launch %}
const int32_t n_spikes = (int32_t)gpurun::cuda::host_view(%ID({{array_name(variables['_timebins'])}})%).rows;
run_kernel<<<1, gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>(n_spikes);
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
