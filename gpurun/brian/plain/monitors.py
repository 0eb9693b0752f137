"""Which variables monitors append to."""

from __future__ import annotations

from typing import Any

from brian2.core.variables import DynamicArrayVariable
from brian2.monitors.ratemonitor import PopulationRateMonitor
from brian2.monitors.spikemonitor import EventMonitor
from brian2.monitors.statemonitor import StateMonitor

_MONITORS = (EventMonitor, StateMonitor, PopulationRateMonitor)


def recorded_variables(objects: list[Any]) -> set[Any]:
    """What the monitors among `objects` append to, and their counters.

    A session starts each run with these empty, and what a run has recorded is appended.
    """
    found = set()
    for obj in objects:
        if isinstance(obj, _MONITORS):
            found |= {
                variable
                for name, variable in obj.variables.items()
                if (isinstance(variable, DynamicArrayVariable) or name == "N")
                and getattr(variable.owner, "name", None) == obj.name
            }
    return found
