"""Renders the generated half of the C boundary (``cpp_templates/model.cpp``)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from brian2.core.variables import ArrayVariable

from gpurun.brian.manifest import Description
from gpurun.brian.program import Program


def _with_host_values(lines: list[str], device: Any) -> list[str]:
    """`lines`, with the variables on the host for those that are the host's own code."""
    lines = _with_kernels(lines, device)
    own = {f"{name}();" for name in device_function_names(device)}
    host = [n for n, line in enumerate(lines) if line.strip() not in own]
    if not host:
        return lines
    first, last = host[0], host[-1]
    return [
        *lines[:first],
        "gpurun::cuda::all_to_host();",
        *lines[first : last + 1],
        "gpurun::cuda::all_host_changed();",
        *lines[last + 1 :],
    ]


def _with_kernels(lines: list[str], device: Any) -> list[str]:
    """`lines` of host code, with what the card does among them (recording a single step)."""
    kernels = {f"{name}();" for name in device_function_names(device) if name.startswith("_run_")}
    return [
        f"gpurun::cuda::run_once({line.strip().removesuffix('();')});"
        if line.strip() in kernels
        else line
        for line in lines
    ]


def _arrays_of(device: Any, description: Description, name: str) -> list[int]:
    """Numbers of the arrays that host code before a run may use."""
    if not device.is_cuda or f"_before_run_{name}" in device_function_names(device):
        return []
    index = {info.name: number for number, info in enumerate(description.manifest.variables)}
    return sorted(
        {
            index[description.names[variable]]
            for variable in device.code_objects[name].variables.values()
            if isinstance(variable, ArrayVariable) and variable in description.names
        }
    )


def device_function_names(device: Any) -> list[str]:
    """Functions that run on the card."""
    return re.findall(r"^void (\w+)\(\);$", device.device_declarations(), re.MULTILINE)


def render_model(device: Any, program: Program, description: Description) -> str:
    """Text of the model.cpp template for what `device` has recorded."""
    clocks = []
    for clock in sorted(device.clocks, key=lambda clock: clock.name):
        names = {
            key: device.arrays[clock.variables[key]]
            for key in ("timestep", "t", "dt", "times")
            if key in clock.variables
        }
        times = names.get("times")
        clocks.append(
            {
                "name": clock.name,
                "timestep": names["timestep"],
                "t": names["t"],
                "dt": names.get("dt"),
                "times": times,
                "n_times": clock.variables["times"].size if times else 0,
            }
        )
    parts = [
        {
            "network": part.network,
            "duration": f"gpurun::control().duration_or({part.duration!r})"
            if len(program.parts) == 1
            else repr(part.duration),
            "report": part.report,
            "report_period": repr(part.report_period),
            "enter": part.enter,
            "leave": part.leave,
            "after": part.after,
        }
        for part in program.parts
    ]
    trailing = program.trailing
    if device.is_cuda:
        for part in parts:
            part["after"] = _with_host_values(part["after"], device)
        trailing = _with_kernels(trailing, device)
    finalise = [
        codeobj.code.main_finalise
        for codeobj in device.code_objects.values()
        if hasattr(codeobj.code, "main_finalise")
    ]
    return str(
        device.code_object_class().templater.model(
            None,
            None,
            cuda=device.is_cuda,
            philox=device.philox,
            report_func=device.report_func,
            table=description.table,
            aranges=[
                (name, start, int(np.prod(variable.size)))
                for variable, name, start in sorted(device.arange_arrays, key=lambda a: a[1])
            ],
            clocks=clocks,
            # On the card a pathway keeps its own spikes
            pathways=[] if device.is_cuda else description.pathways,
            pathways_of_variable=[[] for _ in description.table]
            if device.is_cuda
            else description.pathways_of_variable,
            networks=sorted(net.name for net in device.networks),
            profiled=sorted(set(device.profiled_codeobjects)),
            run_functions=sorted(program.functions.items()),
            setup_head=[*device.code_lines["after_start"], *program.head],
            setup_tail=program.tail,
            parts=parts,
            trailing=[
                *trailing,
                *finalise,
                *device.code_lines["before_end"],
                *device.code_lines["after_end"],
            ],
            total_duration=repr(program.duration),
            derived=description.derived,
            derived_of_variable=description.derived_of_variable,
            derived_reads=[_arrays_of(device, description, name) for name in description.derived],
            derived_writes=[_arrays_of(device, description, name) for name in description.derived],
            derived_can_change=bool(program.later_derived),
            interrupted_ids=description.interrupted_ids,
            code_before_start=device.code_lines["before_start"],
        )
    )
