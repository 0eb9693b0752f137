"""Which variables monitors append to."""

from __future__ import annotations

import weakref
from typing import Any

from brian2.core.variables import DynamicArrayVariable
from brian2.monitors.ratemonitor import PopulationRateMonitor
from brian2.monitors.spikemonitor import EventMonitor
from brian2.monitors.statemonitor import StateMonitor

_MONITORS = (EventMonitor, StateMonitor, PopulationRateMonitor)


class SingleStep:
    """What ``record_single_timestep`` calls: Brian's own code, generated when it is wanted.

    Parameters
    ----------
    monitor : StateMonitor
    namespace : mapping
        Of the run before.
    """

    def __init__(self, monitor: Any, namespace: Any) -> None:
        self._monitor = weakref.proxy(monitor)
        self._namespace = namespace

    def __call__(self) -> None:
        codeobj = self._monitor.create_default_code_object(self._namespace)
        codeobj.before_run()
        codeobj()


def allow_single_steps(objects: list[Any], namespace: Any) -> None:
    """Let StateMonitors record single time steps, as they can after a run."""
    for obj in objects:
        if isinstance(obj, StateMonitor) and obj.active:
            obj.codeobj = SingleStep(obj, namespace)


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
