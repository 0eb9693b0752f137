"""One long run that switches its stimulus by itself, instead of a run for each stimulus.

For cases whose module has ``create_long(count, how, **size)`` and ``counts_of``. How many stimuli
there are is built in, so that all of them are presented at a time; what is measured is the share
of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.bench.suite.case import CaseNetwork, Stimulus
from gpurun.bench.suite.contender import WALL, Absent
from gpurun.errors import ConfigError

from .common import Measures, Values
from .resident import Resident
from .standalone import Standalone

#: Stimuli of a long run.
COUNT = 20


class LongRun:
    """Comes before the class of an engine; `how` is an argument of ``create_long``."""

    how: str
    case: Any
    size: str
    network: CaseNetwork
    _spikes: Values | None = None

    def create(self) -> None:
        """Define the network for all stimuli."""
        module = self.case.module
        if not hasattr(module, "create_long"):
            raise Absent("this case has no form in which one run switches its stimulus")
        self.network = module.create_long(COUNT, self.how, **self.case.sizes[self.size])

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str], **options: Any
    ) -> tuple[Measures, Values]:
        """Run it all; measures are those of one stimulus."""
        engine: Any = super()
        measured, values = engine.show(0, stimulus, names, **options)
        return {name: value / COUNT for name, value in measured.items()}, values

    def result(self, number: int) -> Mapping[str, NDArray[Any]]:
        """What stimulus `number` gave in the long run."""
        if not 0 <= number < COUNT:
            raise ConfigError(f"A long run has stimuli 0 to {COUNT - 1}, and not {number}.")
        [monitor] = self.network.spikes
        if self._spikes is None:
            self._spikes = self.show(0, {}, [f"{monitor}.i", f"{monitor}.t"])[1]
        i, t = (self._spikes[f"{monitor}.{part}"] for part in "it")
        dt, steps = self.network.dt, self.network.steps // COUNT
        step = np.round(t / dt).astype(np.int64) - number * steps
        mine = (step >= 0) & (step < steps)
        counts = self.case.module.counts_of(self.network, COUNT, i, t)
        return {
            f"{monitor}.i": i[mine],
            f"{monitor}.t": step[mine] * dt,
            f"{monitor}.count": counts[number],
        }

    def throughput(self, replicas: int, count: int) -> float | None:
        """The time of one long run, as if it had `count` stimuli."""
        if replicas != 1:
            return None
        measured, _ = self.show(0, {}, self.network.reads)
        return measured[WALL] * count

    def facts(self) -> Mapping[str, int | float | str | bool]:
        """Without the bytes that are moved, which are for all stimuli together."""
        engine: Any = super()
        found = {name: value for name, value in engine.facts().items() if name != "bytes moved"}
        found["a presentation"] = f"one of {COUNT} in a run: its measures divided by {COUNT}"
        return found


class StandaloneTimedArray(LongRun, Standalone):
    """The program reads the stimulus from a TimedArray in every step."""

    how = "timed_array"


class StandaloneRunRegularly(LongRun, Standalone):
    """The program reads the stimulus when it changes."""

    how = "run_regularly"


class ResidentTimedArray(LongRun, Resident):
    """The same on gpurun."""

    how = "timed_array"


class ResidentRunRegularly(LongRun, Resident):
    """The same on gpurun."""

    how = "run_regularly"


CONTENDERS = {
    "brian2-cpp-timed-array": StandaloneTimedArray,
    "brian2-cpp-run-regularly": StandaloneRunRegularly,
    "gpurun-timed-array": ResidentTimedArray,
    "gpurun-run-regularly": ResidentRunRegularly,
}
