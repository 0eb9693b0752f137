"""The runtime device, with a time loop that a session computes."""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np
from brian2.core.base import BrianObjectException
from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network
from brian2.devices.device import RuntimeDevice
from brian2.groups.group import Group
from brian2.units import second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch

from gpurun.brian.plain.checks import called_at, check_objects, explained
from gpurun.brian.plain.monitors import allow_single_steps, recorded_variables
from gpurun.brian.plain.recorder import Recording, load_backend, record
from gpurun.brian.plain.reports import RunReport
from gpurun.brian.plain.residents import Residents
from gpurun.errors import PlainScriptError
from gpurun.library import RunInfo


class ResidentRuntimeDevice(RuntimeDevice):
    """Brian's runtime device whose runs are computed by a resident session.

    Everything but the time loop is Brian's own: set-up, reading, store and restore.

    Parameters
    ----------
    backend : {"cpu", "cuda"}
    device : str
        Where sessions are opened, as in :func:`gpurun.config.parse_device`.
    """

    def __init__(self, backend: str, device: str) -> None:
        super().__init__()
        self.backend = backend
        # brian2cuda adds the card's code to TimedArrays that are made from now on
        load_backend(backend)
        self.residents = Residents(device)
        #: Variables that a run under way is changing.
        self._in_use: frozenset[Any] = frozenset()
        #: Wall time in seconds of building and of the time loops, and model time.
        self.build_time = 0.0
        self.loop_time = 0.0
        self.runs = 0

    def __getstate__(self) -> dict[str, Any]:
        # Sessions stay in this process
        return {**super().__getstate__(), "residents": self.residents.device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "residents": Residents(state["residents"])})

    def reinit(self) -> None:
        super().reinit()
        self.residents.close()

    def get_value(self, var: Any, access_data: bool = True) -> Any:
        if var in self._in_use:
            raise PlainScriptError(
                f"'{var.name}' cannot be read while the run is under way, because it is computed "
                "elsewhere. Read it after run(), or run the script with '--device runtime'.",
                what=var.name,
                line=called_at(),
            )
        return super().get_value(var, access_data)

    # -- running ----------------------------------------------------------------

    def network_run(
        self,
        net: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = 10 * second,
        namespace: Any = None,
        profile: bool | None = None,
        level: int = 0,
    ) -> None:
        """See `brian2.Network.run`.

        Raises
        ------
        PlainScriptError
            Compiled code cannot do what the network does.
        """
        for name, value in (("duration", duration), ("report_period", report_period)):
            fail_for_dimension_mismatch(
                value, second, f"Function 'run' expects a time for argument '{name}'."
            )
        if duration < 0:
            raise ValueError(
                f"Function 'run' expected a non-negative duration but got '{duration}'"
            )
        # Warns of objects that are in no network
        gc.collect()
        if profile is None:
            profile = bool(self.build_options.get("profile", False))
        objects = net.sorted_objects
        start, end = net.t, net.t + duration
        net._clocks = {obj.clock for obj in objects}
        for clock in net._clocks:
            clock.set_interval(start, end)
        if namespace is None:
            namespace = get_local_namespace(level=level + 2)
        if not objects:
            net.before_run(namespace)
            return
        run_report = RunReport(report, float(report_period), start, duration)
        recording, recorded = self._prepare(net, objects, namespace, profile=profile)
        self._compute(
            net, objects, recording, recorded, run_report, float(start), float(end), float(duration)
        )
        # As Brian computes it, with its error of rounding
        self._last_run_completed_fraction = (
            (net.t_ - float(start)) / float(duration) if duration > 0 else 1.0
        )
        for obj in objects:
            if isinstance(obj, Group):
                obj._check_for_invalid_states()
        run_report.end(self._last_run_completed_fraction, self._last_run_time)
        net.after_run()
        allow_single_steps(objects, namespace)
        if not profile:
            net._profiling_info = None

    def _prepare(
        self, net: Any, objects: list[Any], namespace: Any, *, profile: bool
    ) -> tuple[Recording, set[Any]]:
        check_objects(objects)
        try:
            recording = record(net, objects, namespace, backend=self.backend, profile=profile)
        except BrianObjectException as error:
            better = explained(error)
            if better is None:
                raise
            # Of what happened inside Brian it says all there is to say
            raise better from None
        return recording, recorded_variables(objects)

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
        began = time.perf_counter()
        session = self.residents.session(recording, recorded)
        self.build_time += time.perf_counter() - began
        limit = None if self._maximum_run_time is None else float(self._maximum_run_time)

        changing = frozenset(
            variable
            for info in recording.manifest.variables
            if info.changes and (variable := recording.variables.get(info.name)) is not None
        )

        def progress(completed: float, elapsed: float) -> bool:
            # A report function may look at anything, but the values are elsewhere
            self._in_use = changing
            try:
                report.tell(completed, elapsed)
            finally:
                self._in_use = frozenset()
            return bool(net._stopped or Network._globally_stopped)

        report.begin()
        info: RunInfo | None = None
        try:
            info, spent = session.compute(
                recording,
                recorded,
                start=start,
                duration=duration,
                seed=_draw_seed,
                progress=progress,
                maximum_run_time=limit,
            )
        finally:
            net.t_ = end if info is not None and info.completed >= 1 else session.t
        self.runs += 1
        self.loop_time += info.loop_time
        self._last_run_time = info.loop_time
        if spent:
            net._profiling_info = _by_object(spent, recording.owners, objects)


def _draw_seed() -> int:
    """The start of a run's random stream: NumPy's generator, which ``seed(n)`` seeds, gives it."""
    return int(np.random.randint(0, 2**32, dtype=np.uint32))  # noqa: NPY002


def _by_object(
    spent: list[tuple[str, float]], owners: dict[str, str], objects: list[Any]
) -> list[tuple[str, Any]]:
    """Profiling information as Brian keeps it: for all objects, also those without code."""
    total = {obj.name: 0.0 for obj in objects if obj.active}
    for codeobject, seconds in spent:
        total[owners[codeobject]] += seconds
    return [(name, seconds * second) for name, seconds in total.items()]
