"""Follows a plain script without simulating: what would be run, and what could not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brian2.core.clocks import EventClock
from brian2.devices.device import Device
from brian2.groups.group import Group
from brian2.synapses.synapses import Synapses

from gpurun.brian.plain.checks import called_at, problems
from gpurun.brian.plain.device import ResidentRuntimeDevice
from gpurun.brian.plain.recorder import Recording
from gpurun.brian.plain.reports import RunReport
from gpurun.brian.plain.sync import values_of
from gpurun.errors import PlainScriptError
from gpurun.estimate_card import card_parts
from gpurun.estimate_facts import ASSUMED_RATE, Facts
from gpurun.estimate_host import host_parts
from gpurun.model import Data


@dataclass(frozen=True)
class PlannedRun:
    """One ``run()`` that the script would make.

    Attributes
    ----------
    line : str or None
        Where it is called, such as ``"figure.py, line 12"``.
    start, duration : float
        Model time in seconds.
    model : str
        Digest of the code; the same for runs that need one build. Empty if there is none.
    objects : tuple of str
        What the network is made of.
    problems : tuple of str
        Why it cannot be run.
    host_memory, card_memory : int
        Bytes that it is going to take.
    """

    line: str | None
    start: float
    duration: float
    model: str
    objects: tuple[str, ...]
    problems: tuple[str, ...]
    host_memory: int
    card_memory: int


class StandaloneChosenError(SystemExit):
    """The script has activated a standalone device, with which it is no plain script."""


class StandaloneMarker(Device):
    """Stands in for a standalone device while a script is followed."""

    def activate(self, build_on_run: bool = True, **kwargs: Any) -> None:
        raise StandaloneChosenError(0)


class FollowingDevice(ResidentRuntimeDevice):
    """The runtime device of a script that is followed: a run changes nothing but the time."""

    def __init__(self, backend: str, device: str) -> None:
        super().__init__(backend, device)
        self.planned: list[PlannedRun] = []

    def network_run(self, net: Any, duration: Any, *args: Any, **kwds: Any) -> None:
        # See `ResidentRuntimeDevice.network_run`: one more frame to the script's own
        kwds["level"] = kwds.get("level", 0) + 1
        start = float(net.t)
        objects = net.sorted_objects
        found = [str(problem) for problem in problems(objects)]
        try:
            super().network_run(net, duration, *args, **kwds)
        except PlainScriptError as error:
            self._plan(start, float(duration), objects, found or [str(error)], None, set())
            pass_time(net, start + float(duration))

    def _compute(
        self,
        net: Any,
        objects: list[Any],
        recording: Recording,
        recorded: set[Any],
        report: RunReport,
        start: float,
        end: float,
        duration: float,
    ) -> None:
        self._plan(start, duration, objects, [], recording, recorded)
        pass_time(net, end)
        self._last_run_time = 0.0

    def _plan(
        self,
        start: float,
        duration: float,
        objects: list[Any],
        found: list[str],
        recording: Recording | None,
        recorded: set[Any],
    ) -> None:
        host = card = 0
        if recording is not None:
            data = Data(recording.static, values_of(recording, recorded))
            facts = Facts(recording.manifest, data, duration, {}, ASSUMED_RATE)
            host, card = host_parts(facts, 0, 0).total, card_parts(facts, 0).total
        self.planned.append(
            PlannedRun(
                line=called_at(),
                start=start,
                duration=duration,
                model="" if recording is None else recording.code.digest(),
                objects=described(objects),
                problems=tuple(found),
                host_memory=host,
                card_memory=card,
            )
        )


def pass_time(net: Any, end: float) -> None:
    """Let it be `end` (s), as after a run."""
    for clock in net._clocks:
        clock.variables["timestep"].set_value(clock._i_end)
        t = (
            clock._times[clock._i_end]
            if isinstance(clock, EventClock)
            else clock._i_end * clock.dt_
        )
        clock.variables["t"].set_value(t)
    net.t_ = end


def described(objects: list[Any]) -> tuple[str, ...]:
    """Words for the objects that the script has made, but not for the parts of these."""
    parts = {part.id for obj in objects for part in obj.contained_objects}
    found = []
    for obj in sorted(objects, key=lambda obj: obj.name):
        if obj.id in parts:
            continue
        size = ""
        if isinstance(obj, Synapses):
            size = f", {len(obj)} synapses"
        elif isinstance(obj, Group) and "N" in obj.variables and "_indices" not in obj.variables:
            size = f", {int(obj.variables['N'].get_value())}" if not _is_monitor(obj) else ""
        found.append(f"{obj.name} ({type(obj).__name__}{size})")
    return tuple(found)


def _is_monitor(obj: Any) -> bool:
    return type(obj).__name__.endswith("Monitor")
