{# The frame of every code object of the time loop: its support code, its kernels, and the
   function that launches them. Blocks:
     kernels       the kernels (macros of kernel.cu help)
     launch        how _run_... launches them
     before_run    host code before a run, if any; after_run likewise #}
{% import 'kernel.cu' as kernel with context %}
{% macro cu_file() %}
{{support_code_lines|autoindent}}
{{hashdefine_lines|autoindent}}
{% block kernels %}
{% endblock %}
{% endmacro %}

{% macro run_file() %}
{% block launch %}
{% endblock %}
{% endmacro %}

{% macro before_run_cu_file() %}
{% block before_run %}
{% endblock %}
{% endmacro %}

{% macro after_run_cu_file() %}
{% block after_run %}
{% endblock %}
{% endmacro %}
