"""Describes a recorded script as a `Manifest`: names, shapes, units, what changes."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.clocks import EventClock
from brian2.core.variables import ArrayVariable, Constant, DynamicArrayVariable
from brian2.groups.subgroup import Subgroup
from brian2.input.poissoninput import PoissonInput
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.monitors.ratemonitor import PopulationRateMonitor
from brian2.monitors.spikemonitor import EventMonitor
from brian2.monitors.statemonitor import StateMonitor
from brian2.units.fundamentalunits import DIMENSIONLESS, get_unit

from gpurun.brian import poisson
from gpurun.brian.identity import identity
from gpurun.brian.program import Program
from gpurun.brian.writes import event_driven_variables, variables_written_by
from gpurun.model import Manifest, PathwayInfo, SpikeGeneratorInfo, VariableInfo

_MONITORS = (EventMonitor, StateMonitor, PopulationRateMonitor)
# Written by C++ code outside any code object.
_CLOCK_STATE = ("t", "timestep")
_C_TYPES = {"char": "char", "bool": "char"}


@dataclass(frozen=True)
class TableEntry:
    """A variable as the model.cpp template needs it."""

    name: str
    kind: str
    c_name: str
    c_type: str
    count: int
    initial_size: int = 0


@dataclass
class Description:
    """The manifest and what belongs to it on the Brian side."""

    manifest: Manifest
    table: list[TableEntry]
    #: Brian variable -> name in the manifest.
    names: dict[Any, str]
    #: TimedArray name -> TimedArray.
    timed_arrays: dict[str, Any]
    derived: list[str] = field(default_factory=list)
    derived_of_variable: list[list[int]] = field(default_factory=list)
    #: Names of all pathways, and for each variable the pathways whose spikes alone change it.
    pathways: list[str] = field(default_factory=list)
    pathways_of_variable: list[list[int]] = field(default_factory=list)
    interrupted_ids: list[int] = field(default_factory=list)


def _owner_name(variable: Any) -> str:
    try:
        return str(variable.owner.name)
    except (ReferenceError, AttributeError):
        return ""


def _source_name(source: Any) -> str:
    if isinstance(source, Subgroup):
        return f"{source.source.name}[{source.start}:{source.stop}]"
    return str(source.name)


def _split_c_name(c_name: str) -> str:
    return c_name.removeprefix("_dynamic").removeprefix("_array_")


class _Describer:
    def __init__(self, device: Any, program: Program) -> None:
        self.device = device
        self.program = program
        self.objects: dict[str, Any] = dict(sorted(device.recorded_objects.items()))
        self.infos: list[VariableInfo] = []
        self.table: list[TableEntry] = []
        self.names: dict[Any, str] = {}
        self.used: set[str] = set()
        self.aliases: dict[str, list[str]] = defaultdict(list)

    # -- what runs write --------------------------------------------------------

    def changing(self) -> tuple[set[Any], set[Any]]:
        """Variables that a run can change, and those whose size a run can change."""
        device, program = self.device, self.program
        by_c_name = {name: var for var, name in self._c_names().items()}
        changed: set[Any] = set()
        resized: set[Any] = set()
        for name in program.later_codeobjects:
            codeobj = device.code_objects[name]
            written = variables_written_by(codeobj)
            changed |= written
            if codeobj.template_name in (
                "statemonitor",
                "spikemonitor",
                "ratemonitor",
            ) or codeobj.template_name.startswith("synapses_create"):
                resized |= {v for v in written if isinstance(v, DynamicArrayVariable)}
        for name in program.later_derived:
            changed |= variables_written_by(device.code_objects[name])
        for c_name in program.later_arrays:
            variable = by_c_name.get(c_name)
            if variable is not None:
                changed.add(variable)
                if isinstance(variable, DynamicArrayVariable):
                    resized.add(variable)
        for clock in device.clocks:
            changed |= {clock.variables[name] for name in _CLOCK_STATE}
        if program.opaque_later:
            changed |= set(device.arrays)
            resized |= {v for v in device.arrays if isinstance(v, DynamicArrayVariable)}
        # Spike generators may be given any number of spikes
        for obj in self.objects.values():
            if isinstance(obj, SpikeGeneratorGroup):
                resized |= {
                    v for v in obj.variables.values() if isinstance(v, DynamicArrayVariable)
                }
        return changed, resized

    def _c_names(self) -> dict[Any, str]:
        device = self.device
        names = {}
        for variable, name in device.arrays.items():
            if variable in device.dynamic_arrays:
                names[variable] = device.dynamic_arrays[variable]
            elif variable in device.dynamic_arrays_2d:
                names[variable] = device.dynamic_arrays_2d[variable]
            else:
                names[variable] = name
        return names

    # -- names ------------------------------------------------------------------

    def pathway_delays(self) -> dict[Any, tuple[str, str, str]]:
        """delay variable -> (synapses, pathway object, prepost)."""
        found = {}
        for synapses in self.device.synapses:
            for pathway in synapses._pathways:
                found[pathway.variables["delay"]] = (synapses.name, pathway.name, pathway.prepost)
        return found

    def unique(self, name: str) -> str:
        candidate, number = name, 0
        while candidate in self.used:
            number += 1
            candidate = f"{name}_{number}"
        self.used.add(candidate)
        return candidate

    # -- the table --------------------------------------------------------------

    def describe(self) -> Description:
        changed, resized = self.changing()
        delays = self.pathway_delays()
        c_names = self._c_names()
        for variable in sorted(c_names, key=lambda v: c_names[v]):
            self.add_array(variable, c_names[variable], changed, resized, delays)
        timed_arrays = self.add_static_arrays()
        return self.finish(timed_arrays)

    def add_array(
        self,
        variable: Any,
        c_name: str,
        changed: set[Any],
        resized: set[Any],
        delays: dict[Any, tuple[str, str, str]],
    ) -> None:
        owner = _owner_name(variable)
        plain = f"{owner}.{variable.name}" if owner else _split_c_name(c_name)
        role = "internal" if variable.name.startswith("_") or not owner else "state"
        if variable in delays:
            synapses, pathway, prepost = delays[variable]
            plain, role = f"{pathway}.delay", "delay"
            self.aliases[f"{synapses}.delay"].append(plain)
            self.aliases[f"{synapses}.{prepost}.delay"].append(plain)
        elif isinstance(self.objects.get(owner), _MONITORS):
            role = "monitor"
        elif any(clock.name == owner for clock in self.device.clocks):
            role = "clock"
        name = self.unique(plain)
        if name != plain:
            self.aliases[plain].extend([plain, name])
        self.names[variable] = name
        kind = "array"
        if isinstance(variable, DynamicArrayVariable):
            kind = "dynamic" if variable.ndim == 1 else "dynamic2d"
        size = variable.size
        shape = tuple(int(n) for n in size) if isinstance(size, tuple) else (int(size),)
        self.infos.append(
            VariableInfo(
                name=name,
                c_name=c_name,
                dtype=np.dtype(variable.dtype).name,
                kind=kind,
                shape=shape,
                dimensions=tuple(float(d) for d in variable.dim._dims),
                unit="1" if variable.dim is DIMENSIONLESS else str(get_unit(variable.dim)),
                writable=not variable.read_only and role in ("state", "delay"),
                changes=variable in changed,
                resizes=variable in resized or kind == "dynamic2d",
                scalar=bool(variable.scalar),
                role=role,
            )
        )
        self.table.append(
            TableEntry(
                name=name,
                kind=kind,
                c_name=c_name,
                c_type=c_data_type(variable.dtype),
                count=shape[0] if kind == "array" else 0,
                initial_size=self.initial_size(variable) if kind == "dynamic" else 0,
            )
        )

    def initial_size(self, variable: Any) -> int:
        for known, _ in self.device.zero_arrays:
            if known is variable:
                return int(np.prod(variable.size))
        for known, _, _ in self.device.arange_arrays:
            if known is variable:
                return int(np.prod(variable.size))
        return 0

    def add_static_arrays(self) -> dict[str, Any]:
        device = self.device
        timed = {f"{array.name}_values": array for array in device.timed_arrays}
        dynamic = set(device.arrays.values()) | set(device.dynamic_arrays.values())
        for c_name, array in sorted(device.static_arrays.items()):
            if c_name in dynamic:
                continue
            source = timed.get(c_name)
            name = self.unique(f"{source.name}.values" if source is not None else c_name)
            dimensions = DIMENSIONLESS if source is None else source.dim
            self.infos.append(
                VariableInfo(
                    name=name,
                    c_name=c_name,
                    dtype=np.dtype(array.dtype).name,
                    kind="static",
                    shape=tuple(np.shape(array if source is None else source.values)),
                    dimensions=tuple(float(d) for d in dimensions._dims),
                    unit="1" if dimensions is DIMENSIONLESS else str(get_unit(dimensions)),
                    writable=source is not None,
                    changes=False,
                    resizes=False,
                    scalar=False,
                    role="internal" if source is None else "timed_array",
                )
            )
            self.table.append(
                TableEntry(
                    name=name,
                    kind="static",
                    c_name=c_name,
                    c_type=c_data_type(array.dtype),
                    count=int(array.size),
                )
            )
        return {array.name: array for array in device.timed_arrays}

    # -- the rest ---------------------------------------------------------------

    def finish(self, timed_arrays: dict[str, Any]) -> Description:
        device, program = self.device, self.program
        index = {info.name: number for number, info in enumerate(self.infos)}
        poisson_inputs = {}
        for obj in self.objects.values():
            if not isinstance(obj, PoissonInput):
                continue
            info, weight = poisson.describe(obj)
            if info.parameters in index:
                weight_name = None if weight is None else self.names.get(weight)
                poisson_inputs[obj.name] = replace(info, weight=weight_name)
        monitors = {
            name: tuple(
                self.names[v]
                for v in obj.variables.values()
                if isinstance(v, ArrayVariable)
                and v in self.names
                and _owner_name(v) == name
                and not v.name.startswith("_")
            )
            for name, obj in sorted(self.objects.items())
            if isinstance(obj, _MONITORS)
        }
        description = Description(
            manifest=Manifest(
                backend="cuda" if device.is_cuda else "cpu",
                brian2=metadata.version("brian2"),
                gpurun=metadata.version("gpurun"),
                variables=tuple(self.infos),
                aliases={
                    alias: tuple(dict.fromkeys(names))
                    for alias, names in sorted(self.aliases.items())
                },
                clocks={
                    clock.name: float("nan") if isinstance(clock, EventClock) else float(clock.dt_)
                    for clock in sorted(device.clocks, key=lambda clock: clock.name)
                },
                monitors=monitors,
                timed_arrays={
                    name: f"{name}.values"
                    for name in sorted(timed_arrays)
                    if f"{name}.values" in index
                },
                spike_generators={
                    name: SpikeGeneratorInfo(
                        size=int(obj.variables["N"].get_value()),
                        dt=float("nan")
                        if isinstance(obj.clock, EventClock)
                        else float(obj.clock.dt_),
                        period=_known_float(obj.variables["period"]),
                    )
                    for name, obj in sorted(self.objects.items())
                    if isinstance(obj, SpikeGeneratorGroup)
                },
                poisson_inputs=poisson_inputs,
                constants=self.constants(),
                durations=tuple(part.duration for part in program.parts),
                threads=device.threads,
                setup_random=program.draws_unseeded,
                setup_opaque=program.opaque_head,
                seeded=program.seeded,
                tail_draws=bool(program.tail)
                and any(device.draws_random(name) for name in program.later_codeobjects),
                run_random=program.draws_later,
                static_state=device.static_state(),
            ),
            table=self.table,
            names=self.names,
            timed_arrays=timed_arrays,
        )
        self.add_derived(description, index)
        self.add_pathways(description, index)
        description.manifest = replace(
            description.manifest,
            pathways=tuple(description.pathways),
            pathway_info=self.pathway_info(description),
            trailing=bool(program.trailing),
            monitor_clocks={
                name: obj.clock.name
                for name, obj in sorted(self.objects.items())
                if isinstance(obj, StateMonitor | PopulationRateMonitor)
            },
            monitor_sources={
                name: _source_name(obj.source)
                for name, obj in sorted(self.objects.items())
                if isinstance(obj, _MONITORS)
            },
            rng="philox" if device.philox else "mersenne",
            identity=identity(description.manifest, device.definitions(program)),
        )
        return description

    def add_derived(self, description: Description, index: dict[str, int]) -> None:
        """Code that has to run again when a variable it depends on was overridden."""
        device, program = self.device, self.program
        description.derived = list(dict.fromkeys(program.head_derived))
        of_variable: list[list[int]] = [[] for _ in self.infos]
        for number, name in enumerate(description.derived):
            for variable in device.variables_before_run(name):
                if variable in self.names:
                    of_variable[index[self.names[variable]]].append(number)
        description.derived_of_variable = [sorted(set(numbers)) for numbers in of_variable]
        spaces: set[int] = set()
        for name in program.after_run_codeobjects:
            codeobj = device.code_objects[name]
            for variable in variables_written_by(codeobj):
                if re.fullmatch(r"_\w*space", variable.name) and variable in self.names:
                    spaces.add(index[self.names[variable]])
        if len(program.parts) == 1:
            description.interrupted_ids = sorted(spaces)

    def add_pathways(self, description: Description, index: dict[str, int]) -> None:
        """Synaptic variables that change only where a neuron has spiked."""
        description.pathways = sorted(
            pathway.name for synapses in self.device.synapses for pathway in synapses._pathways
        )
        of_variable: list[list[int]] = [[] for _ in self.infos]
        for variable, names in event_driven_variables(self.device, self.program).items():
            if variable in self.names:
                of_variable[index[self.names[variable]]] = sorted(
                    description.pathways.index(name) for name in names
                )
        description.pathways_of_variable = of_variable

    def pathway_info(self, description: Description) -> dict[str, PathwayInfo]:
        """What a pathway's queue is made of."""
        tracked = {number for numbers in description.pathways_of_variable for number in numbers}
        found = {}
        for synapses in self.device.synapses:
            for pathway in synapses._pathways:
                clock = pathway.source.clock
                found[pathway.name] = PathwayInfo(
                    source=_source_name(pathway.source),
                    sources=self.names[pathway.synapse_sources],
                    delay=self.names[pathway.variables["delay"]],
                    first=int(pathway.spikes_start),
                    size=int(pathway.spikes_stop - pathway.spikes_start),
                    dt=float("nan") if isinstance(clock, EventClock) else float(clock.dt_),
                    tracked=description.pathways.index(pathway.name) in tracked,
                )
        return dict(sorted(found.items()))

    def constants(self) -> dict[str, str]:
        """External constants that were compiled in, with their values."""
        found: dict[str, str] = {}
        for codeobj in self.device.code_objects.values():
            for name, variable in codeobj.variables.items():
                if isinstance(variable, Constant) and variable.owner is None:
                    found[name] = str(variable.value)
        return dict(sorted(found.items()))


def _known_float(variable: Any) -> float:
    try:
        return float(np.asarray(variable.get_value()).reshape(-1)[0])
    except NotImplementedError:
        return 0.0


def describe(device: Any, program: Program) -> Description:
    """Describe what `device` has recorded.

    Parameters
    ----------
    device : gpurun.brian.cpu.CPPStandaloneDevice
    program : Program
    """
    return _Describer(device, program).describe()
