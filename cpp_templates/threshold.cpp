{# USES_VARIABLES { N } #}
{# Replaces brian2's template: conditions first and what follows from them then, block by block.
   The first is a loop without branches, which compilers vectorise. In brian2's, the branch is
   most of the time that a threshold takes, and of some models' time steps. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <cstring>
{% endblock %}

{% block maincode %}
    {# Thresholder asks for what an event sets, and for the space of its events #}
    {% set eventspace = get_array_name(eventspace_variable) %}
    {% set condition = vector_code if vector_code is string else vector_code | join("\n") %}
    {# A condition may look at what the events of other neurons set, through linked variables #}
    {% set seen = namespace(elsewhere=false) %}
    {% if _uses_refractory %}
    {% for array in (not_refractory, lastspike) %}
    {% if condition.count(array ~ "[") != condition.count(array ~ "[_idx]") %}
    {% set seen.elsewhere = true %}
    {% endif %}
    {% endfor %}
    {% endif %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    long _count = 0;
    const size_t _block = {{1 if seen.elsewhere else 1024}}, _word = sizeof(unsigned long long);
    char _events[_block + _word];
    for (size_t _first = 0; _first < N; _first += _block)
    {
        const size_t _length = N - _first < _block ? N - _first : _block;
        char _some = 0;
        for (size_t _element = 0; _element < _length; _element++)
        {
            const size_t _idx = _first + _element;
            const size_t _vectorisation_idx = _idx;
            {{vector_code|autoindent}}
            const char _event = _cond ? 1 : 0;
            _events[_element] = _event;
            _some |= _event;
        }
        if (!_some)
            continue;
        std::memset(_events + _length, 0, _word);
        for (size_t _begin = 0; _begin < _length; _begin += _word)
        {
            unsigned long long _any;
            std::memcpy(&_any, _events + _begin, _word);
            if (!_any)
                continue;
            for (size_t _element = _begin; _element < _begin + _word; _element++)
                if (_events[_element])
                {
                    const size_t _idx = _first + _element;
                    {{eventspace}}[_count++] = _idx;
                    {% if _uses_refractory %}
                    {{not_refractory}}[_idx] = false;
                    {{lastspike}}[_idx] = {{t}};
                    {% endif %}
                }
        }
    }
    {{eventspace}}[N] = _count;
{% endblock %}

{% block after_code %}
{# The array has N + 1 elements; the last one is how many events there are #}
{{get_array_name(eventspace_variable)}}[N] = 0;
{% endblock %}
