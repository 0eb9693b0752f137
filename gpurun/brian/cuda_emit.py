"""The device's half of a CUDA model: ``model.cu`` and the headers that belong to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.clocks import EventClock
from brian2.core.variables import ArrayVariable, Constant, DynamicArrayVariable
from brian2.parsing.rendering import CPPNodeRenderer

from gpurun.brian.cuda_codeobject import GpurunCUDACodeObject, pointer_name
from gpurun.brian.manifest import Description
from gpurun.brian.philox_codeobject import loop_numbers
from gpurun.brian.writes import owned_by, variables_written_by
from gpurun.model import CardInfo

#: Files of ``cuda_templates/`` that are part of every model as they are.
HEADERS = ("mirrors.h", "device.h", "device.cu", "philox.h", "own_stream.h")

_ID = re.compile(r"%ID\((\w+)\)%")
_RECORDER = re.compile(r"%RECORDER\((\w+)\)%")
# What a code object keeps in device memory beyond variables
_OWNED = re.compile(r"^gpurun::cuda::\w+ (\w+);$", re.MULTILINE)
_SUMS = re.compile(r"^gpurun::cuda::Targets \w+;$", re.MULTILINE)
_STREAM = re.compile(r"%STREAM\((.*?)\)%(?=\s)")
_DRAWS = "own_stream"
_MONITORS = ("spikemonitor", "statemonitor", "ratemonitor")


@dataclass
class Array:
    """A variable with a mirror in device memory."""

    id: int
    pointer: str
    c_type: str
    written: bool = False
    clock: bool = False
    host_reads: bool = False
    recorder: int = -1
    columns: int = 0


@dataclass
class Unit:
    """The text of one code object."""

    number: int
    name: str
    kernels: str
    functions: list[dict[str, str]] = field(default_factory=list)
    undefine: str = ""


def named_arrays(text: str) -> set[str]:
    """Names of the arrays whose numbers a template's `text` asks for."""
    return set(_ID.findall(text))


def array_name(c_name: str) -> str:
    """Name of the array of a variable that is called `c_name` in the table."""
    return c_name.removeprefix("_dynamic")


class _Emitter:
    def __init__(self, device: Any, description: Description) -> None:
        self.device = device
        self.description = description
        self.codeobjs = [
            codeobj
            for _, codeobj in sorted(device.code_objects.items())
            if isinstance(codeobj, GpurunCUDACodeObject)
        ]
        self.ids = {
            array_name(entry.c_name): number for number, entry in enumerate(description.table)
        }
        self.arrays: dict[int, Array] = {}
        #: What monitors record, by the counters that say how much.
        self.recorders: dict[int, list[Any]] = {}
        for codeobj in self.codeobjs:
            if codeobj.template_name in _MONITORS:
                counter = self.number(codeobj.variables["N"])
                recorded = self.recorders.setdefault(counter, [])
                recorded += [v for v in _recorded(codeobj) if v not in recorded]

    # -- arrays -----------------------------------------------------------------

    def number(self, variable: Any) -> int:
        return self.ids[self.device.get_array_name(variable)]

    def add(self, name: str) -> Array:
        number = self.ids[name]
        if number not in self.arrays:
            entry = self.description.table[number]
            self.arrays[number] = Array(number, pointer_name(name), entry.c_type)
        return self.arrays[number]

    def add_arrays(self, units: list[Unit]) -> None:
        clocks = {
            self.number(clock.variables[name]): clock
            for clock in self.device.clocks
            for name in ("t", "timestep")
        }
        for codeobj in self.codeobjs:
            for variable in codeobj.variables.values():
                if isinstance(variable, ArrayVariable):
                    self.add(self.device.get_array_name(variable))
            for variable in variables_written_by(codeobj):
                self.add(self.device.get_array_name(variable)).written = True
        for clock in self.device.clocks:
            for name in ("t", "timestep", "dt", "times"):
                if name in clock.variables:
                    array = self.add(self.device.get_array_name(clock.variables[name]))
                    array.host_reads = True
        text = "\n".join(unit.kernels for unit in units)
        for name in self.ids:
            if re.search(rf"\b{pointer_name(name)}\b", text):
                self.add(name)
        for number in clocks:
            self.arrays[number].clock = True
            self.arrays[number].written = False

    def add_recorders(self) -> list[dict[str, Any]]:
        """Let what monitors record know its counter."""
        found = []
        for counter, variables in self.recorders.items():
            numbers = sorted(self.number(variable) for variable in variables)
            for variable in variables:
                array = self.arrays[self.number(variable)]
                array.recorder = len(found)
                if variable.ndim == 2:
                    array.columns = int(variable.size[1])
            found.append({"counter": counter, "records": numbers})
        return found

    # -- code -------------------------------------------------------------------

    def fill(self, text: str, number: int) -> str:
        draws = _DRAWS in text
        text = _STREAM.sub(
            lambda match: (
                f"gpurun::own_stream() = gpurun::Stream(gpurun::philox_seed, {number}u, "
                f"gpurun::philox_step, {match[1]});"
                if draws
                else ""
            ),
            text,
        )
        recorders = list(self.recorders)
        text = _RECORDER.sub(lambda match: str(recorders.index(self.ids[match[1]])), text)
        return _ID.sub(lambda match: str(self.ids[match[1]]), text)

    def units(self) -> list[Unit]:
        units = []
        streams = loop_numbers(self.device.code_objects)
        for number, codeobj in enumerate(self.codeobjs):
            code = codeobj.code
            stream = streams[codeobj.name]
            kernels = self.device.with_constants(codeobj, self.fill(code.cu_file, stream))
            body = self.fill(code.run_file, stream)
            if codeobj.name in self.device.profiled_codeobjects:
                total = f"brian::{codeobj.name}_profiling_info"
                body = f"gpurun::cuda::ProfiledScope _profiled({total});\n{body}"
            functions = [{"name": f"_run_{codeobj.name}", "body": body}]
            functions += [
                {
                    "name": f"_{block}_{codeobj.name}",
                    "body": self.fill(getattr(code, f"{block}_cu_file"), stream),
                }
                for block in ("before_run", "after_run")
                if block in codeobj.before_after_blocks
            ]
            macros = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", kernels, re.MULTILINE)
            undefine = "\n".join(f"#undef {macro}" for macro in dict.fromkeys(macros))
            units.append(Unit(number, codeobj.name, kernels, functions, undefine))
        return units

    def emit(self) -> str:
        units = self.units()
        self.add_arrays(units)
        recorders = self.add_recorders()
        arrays = [self.arrays[number] for number in sorted(self.arrays)]
        clocks = []
        for clock in sorted(self.device.clocks, key=lambda clock: clock.name):
            names = {
                name: f"_ptr{self.device.get_array_name(clock.variables[name])}"
                for name in ("timestep", "t", "dt", "times")
                if name in clock.variables
            }
            clocks.append(
                {
                    "timestep": names["timestep"],
                    "t": names["t"],
                    "dt": names.get("dt"),
                    "times": names.get("times") if isinstance(clock, EventClock) else None,
                }
            )
        pathways = sorted(
            pathway.name for synapses in self.device.synapses for pathway in synapses._pathways
        )
        return str(
            GpurunCUDACodeObject.templater.model(
                None,
                None,
                arrays=arrays,
                n_variables=len(self.description.table),
                pathways=pathways,
                code_objects=units,
                profiled=[
                    codeobj.name
                    for codeobj in self.codeobjs
                    if codeobj.name in self.device.profiled_codeobjects
                ],
                recorders=recorders,
                clocks=clocks,
                releases=[
                    f"gpurun_unit_{unit.number}::{name}.release();"
                    for unit in units
                    for name in _OWNED.findall(unit.kernels)
                ],
            )
        )

    def card_info(self) -> CardInfo:
        """What `emit` has put into the card's memory."""
        table = self.description.table
        sums = []
        for codeobj in self.codeobjs:
            if _SUMS.search(codeobj.code.cu_file):
                named = {self.ids[name] for name in named_arrays(codeobj.code.before_run_cu_file)}
                sums += [table[number].name for number in named if table[number].kind == "dynamic"]
        return CardInfo(
            mirrored=tuple(table[number].name for number in sorted(self.arrays)),
            events=tuple(
                int(codeobj.variables["N"].get_value())
                for codeobj in self.codeobjs
                if codeobj.template_name == "threshold"
            ),
            sums=tuple(sums),
        )


def _recorded(codeobj: Any) -> list[Any]:
    """The variables of a monitor that grow."""
    return [
        variable
        for _, variable in sorted(codeobj.variables.items())
        if isinstance(variable, DynamicArrayVariable) and owned_by(variable, codeobj.owner)
    ]


def constant_definitions(constants: Mapping[str, Constant]) -> str:
    """Definitions of constants, by their names in the code."""
    renderer = CPPNodeRenderer()
    return "".join(
        f"constexpr {c_data_type(constant.dtype)} {name} = "
        f"{renderer.render_expr(repr(constant.value))};\n"
        for name, constant in sorted(constants.items())
    )


def constants_of(codeobj: Any) -> dict[str, Constant]:
    """The constants that the code of `codeobj` names."""
    return {
        name: variable
        for name, variable in codeobj.variables.items()
        if isinstance(variable, Constant)
    }


def device_sources(device: Any, description: Description) -> dict[str, str]:
    """Files of the device's half, by name; the manifest learns what they put on the card.

    Parameters
    ----------
    device : gpurun.brian.cuda.CUDAStandaloneDevice
    description : Description
    """
    emitter = _Emitter(device, description)
    files = {"model.cu": emitter.emit()}
    description.manifest = replace(description.manifest, card=emitter.card_info())
    for name in HEADERS:
        header = resources.files("gpurun.cuda_templates").joinpath(name)
        files[name] = header.read_text(encoding="utf-8")
    return files


def device_functions(device: Any) -> list[str]:
    """Names of the functions that the host's half calls in the device's."""
    names = []
    for _, codeobj in sorted(device.code_objects.items()):
        if isinstance(codeobj, GpurunCUDACodeObject):
            names.append(f"_run_{codeobj.name}")
            names += [f"_{block}_{codeobj.name}" for block in codeobj.before_after_blocks]
    return names
