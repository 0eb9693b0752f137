"""The code object class of gpurun's CPU device.

It generates the same C++ as brian2's ``CPPStandaloneCodeObject`` from the same
templates, except where ``cpp_templates/`` overrides one by file name, and it
remembers which variables each code object's statements assign to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any

from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.targets import codegen_targets
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject

#: Templates of what runs in every time step.
LOOP_TEMPLATES = frozenset(
    {
        "stateupdate",
        "threshold",
        "reset",
        "synapses",
        "synapses_push_spikes",
        "spikemonitor",
        "statemonitor",
        "ratemonitor",
        "spikegenerator",
        "summed_variable",
        "spatialstateupdate",
    }
)

#: Variables assigned by the statements of a code object, by code object name.
#: The device clears it when it is initialised.
assigned: dict[str, set[Any]] = defaultdict(set)


_GENERATOR = re.compile(r"_random_generators\[|own_stream\(\)")
# brian2's functions for uniform and normal numbers, as its support code defines them, and ours
_DRAWING = re.compile(
    r"(\w+)\s*\([^()]*\)\s*"
    r"\{\s*return (?:brian::_random_generators\[|::gpurun::own_stream\(\))[^;]*;\s*\}"
)


@lru_cache(maxsize=512)  # plain scripts ask again for every run
def draws_random_numbers(code: str) -> bool:
    """Whether generated C++ uses the random number generators (a superset).

    Connections with a generator expression define ``_rand`` whether they call it or not.
    """
    rest = _DRAWING.sub("", code)
    names = _DRAWING.findall(code)
    return bool(_GENERATOR.search(rest)) or any(
        re.search(rf"\b{name}\s*\(", rest) for name in names
    )


def records_writes(codeobj: Any) -> bool:
    """Whether `assigned` tells what the statements of `codeobj` assign to."""
    return bool(getattr(codeobj.generator_class, "records_writes", False))


class RecordingCPPCodeGenerator(CPPCodeGenerator):
    """brian2's C++ generator, taking note of the variables that are written."""

    records_writes = True

    def array_read_write(self, statements: Any) -> Any:
        result = super().array_read_write(statements)
        assigned[self.name].update(
            self.variables[name] for name in result[1] if name in self.variables
        )
        return result


class GpurunCPPCodeObject(CPPStandaloneCodeObject):
    """C++ code object whose templates come from gpurun first, then from brian2."""

    templater = CPPStandaloneCodeObject.templater.derive("gpurun.cpp_templates", templates_dir="")
    generator_class = RecordingCPPCodeGenerator


codegen_targets.add(GpurunCPPCodeObject)


def base_name(name: str) -> str:
    """The name of a code object without the number that each further ``run()`` adds."""
    return re.sub(r"(?<=_codeobject)_\d+$", "", name)
