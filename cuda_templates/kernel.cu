{# Helpers for templates. #}
{# The number of elements as the host knows it: a constant, or a variable of Synapses. #}
{% macro host_size(name) -%}
{% if variables[name].__class__.__name__ == 'Constant' -%}
{{ variables[name].value }}
{%- else -%}
(int32_t)gpurun::cuda::host_integer(%ID({{ array_name(variables[name]) }})%)
{%- endif %}
{%- endmacro %}
