{# USES_VARIABLES { Cm, dt, v, N, Ic, Ri,
                    _ab_star0, _ab_star1, _ab_star2, _b_plus, _b_minus,
                    _v_star, _u_plus, _u_minus, _v_previous, _gtot_all, _I0_all, _c,
                    _P_diag, _P_parent, _P_children, _B,
                    _morph_parent_i, _starts, _ends,
                    _morph_children, _morph_children_num, _morph_idxchild,
                    _invr0, _invrn, _invr, r_length_1, r_length_2, area } #}
{% extends 'common.cu' %}
{# A branched neuron. Every section is a tridiagonal system with three right-hand sides: with its
   ends held at zero (v_star), and with one of them held at one (u_plus, u_minus). The potentials
   of the points where sections meet follow from a system with the structure of the tree. What
   depends on the morphology alone is prepared on the host by brian2's own code (gpurun.brian.cuda
   makes a second code object for it). The order of operations is brian2's, so that results are
   those of the CPU. #}

{% block kernels %}
{% set _n_sections = variables['_starts'].size %}
{% set _real = c_data_type(variables['_v_star'].dtype) %}
{% set _row = variables['_morph_children'].size // variables['_morph_children_num'].size %}
// Conductance and current of each compartment
__global__ void membrane_kernel()
{
    const int32_t _idx = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    if (_idx >= N)
        return;
    const int _vectorisation_idx = _idx;
    %STREAM(0xffffffffu)%
    {{scalar_code|autoindent}}
    %STREAM((uint32_t)_idx)%
    {
        {{vector_code|autoindent}}
        {{_gtot_all}}[_idx] = _gtot;
        {{_I0_all}}[_idx] = _I0;
        {{_v_previous}}[_idx] = {{v}}[_idx];
    }
}

// The three systems of a section: elimination downwards, substitution upwards
__global__ void section_kernel()
{
    const int32_t section = (int32_t)(blockIdx.x * blockDim.x + threadIdx.x);
    if (section >= {{_n_sections}})
        return;
    const int32_t start = {{_starts}}[section], end = {{_ends}}[section];
    {{_real}} upper = 0, star = 0, plus = 0, minus = 0;
    for (int32_t j = start; j < end; j++)
    {
        const double diagonal = {{_ab_star1}}[j] - {{_gtot_all}}[j];
        const {{_real}} above = j < N - 1 ? {{_ab_star0}}[j + 1] : {{_c}}[j];
        const {{_real}} rhs = -({{Cm}}[j] / {{dt}} * {{v}}[j]) - {{_I0_all}}[j];
        if (j == 0)
        {
            upper = above / diagonal;
            star = rhs / diagonal;
            plus = {{_b_plus}}[j] / diagonal;
            minus = {{_b_minus}}[j] / diagonal;
        }
        else
        {
            // Nothing connects a section's first compartment with the one before it
            const double below = j > start ? {{_ab_star2}}[j - 1] : 0.0;
            const double factor = 1.0 / (diagonal - below * upper);
            upper = above * factor;
            star = (rhs - below * star) * factor;
            plus = ({{_b_plus}}[j] - below * plus) * factor;
            minus = ({{_b_minus}}[j] - below * minus) * factor;
        }
        {{_c}}[j] = upper;
        {{_v_star}}[j] = star;
        {{_u_plus}}[j] = plus;
        {{_u_minus}}[j] = minus;
    }
    for (int32_t j = end - 2; j >= start; j--)
    {
        upper = {{_c}}[j];
        star = {{_v_star}}[j] - upper * star;
        plus = {{_u_plus}}[j] - upper * plus;
        minus = {{_u_minus}}[j] - upper * minus;
        {{_v_star}}[j] = star;
        {{_u_plus}}[j] = plus;
        {{_u_minus}}[j] = minus;
    }
}

// The potentials where sections meet (number 0: where the first begins; then each section's end).
// P_diag, P_parent and P_children are the elements of the matrix in the diagonal, in the column
// of the parent and in those of the children. One thread: children come after their parents.
__global__ void branching_kernel()
{
    for (int32_t i = 0; i < {{_n_sections}}; i++)
    {
        const int32_t parent = {{_morph_parent_i}}[i], first = {{_starts}}[i], last = {{_ends}}[i] - 1;
        const int32_t place = {{_row}} * parent + {{_morph_idxchild}}[i];
        if (i == 0)
        {
            // The first section begins with a sealed end
            {{_P_diag}}[0] = {{_u_minus}}[first] - 1;
            {{_P_children}}[0] = {{_u_plus}}[first];
            {{_B}}[0] = -{{_v_star}}[first];
        }
        else
        {
            const double r = {{_invr0}}[i];
            {{_P_diag}}[parent] += (1 - {{_u_minus}}[first]) * r;
            {{_P_children}}[place] = -{{_u_plus}}[first] * r;
            {{_B}}[parent] += {{_v_star}}[first] * r;
        }
        const double r = {{_invrn}}[i];
        {{_P_diag}}[i + 1] = (1 - {{_u_plus}}[last]) * r;
        {{_P_parent}}[i] = -{{_u_minus}}[last] * r;
        {{_B}}[i + 1] = {{_v_star}}[last] * r;
    }
    // From the leaves to the root, what is above the diagonal disappears
    for (int32_t i = {{_n_sections}}; i >= 0; i--)
        for (int32_t k = 0; k < {{_morph_children_num}}[i]; k++)
        {
            const int32_t child = {{_morph_children}}[{{_row}} * i + k];
            const double factor = {{_P_children}}[{{_row}} * i + k] / {{_P_diag}}[child];
            {{_P_diag}}[i] = {{_P_diag}}[i] - factor * {{_P_parent}}[child - 1];
            {{_B}}[i] = {{_B}}[i] - factor * {{_B}}[child];
        }
    // From the root to the leaves
    {{_B}}[0] = {{_B}}[0] / {{_P_diag}}[0];
    for (int32_t i = 1; i <= {{_n_sections}}; i++)
        {{_B}}[i] = ({{_B}}[i] - {{_P_parent}}[i - 1] * {{_B}}[{{_morph_parent_i}}[i - 1]]) / {{_P_diag}}[i];
}

// Each section's compartments, by a block
__global__ void combine_kernel()
{
    for (int32_t section = (int32_t)blockIdx.x; section < {{_n_sections}}; section += (int32_t)gridDim.x)
    {
        const {{_real}} at_start = {{_B}}[{{_morph_parent_i}}[section]], at_end = {{_B}}[section + 1];
        for (int32_t j = {{_starts}}[section] + (int32_t)threadIdx.x; j < {{_ends}}[section];
             j += (int32_t)blockDim.x)
        {
            {{v}}[j] = {{_v_star}}[j] + at_start * {{_u_minus}}[j] + at_end * {{_u_plus}}[j];
            {{Ic}}[j] = {{Cm}}[j] * ({{v}}[j] - {{_v_previous}}[j]) / {{dt}};
        }
    }
}
{% endblock %}

{% block launch %}
{% set _n_sections = variables['_starts'].size %}
membrane_kernel<<<gpurun::cuda::blocks_for(N), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
section_kernel<<<gpurun::cuda::blocks_for({{_n_sections}}), gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
branching_kernel<<<1, 1, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
combine_kernel<<<{{[_n_sections, 65535]|min}}, gpurun::cuda::block_size, 0, gpurun::cuda::stream()>>>();
GPURUN_LAUNCHED({{codeobj_name}});
{% endblock %}
