"""Renders the generated half of the C boundary (``cpp_templates/model.cpp``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpurun.brian.manifest import Description
from gpurun.brian.program import Program


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
    finalise = [
        codeobj.code.main_finalise
        for codeobj in device.code_objects.values()
        if hasattr(codeobj.code, "main_finalise")
    ]
    return str(
        device.code_object_class().templater.model(
            None,
            None,
            report_func=device.report_func,
            table=description.table,
            aranges=[
                (name, start, int(np.prod(variable.size)))
                for variable, name, start in sorted(device.arange_arrays, key=lambda a: a[1])
            ],
            clocks=clocks,
            pathways=description.pathways,
            pathways_of_variable=description.pathways_of_variable,
            networks=sorted(net.name for net in device.networks),
            profiled=sorted(set(device.profiled_codeobjects)),
            run_functions=sorted(program.functions.items()),
            setup_head=[*device.code_lines["after_start"], *program.head],
            setup_tail=program.tail,
            parts=parts,
            trailing=[
                *program.trailing,
                *finalise,
                *device.code_lines["before_end"],
                *device.code_lines["after_end"],
            ],
            total_duration=repr(program.duration),
            derived=description.derived,
            derived_of_variable=description.derived_of_variable,
            derived_can_change=bool(program.later_derived),
            interrupted_ids=description.interrupted_ids,
            code_before_start=device.code_lines["before_start"],
        )
    )
