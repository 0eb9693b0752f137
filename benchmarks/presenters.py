"""The ways to present stimuli to the benchmark network, as contenders, and their comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from brian2.units import Hz, volt
from numpy.typing import NDArray

import gpurun
from benchmarks import diehl_cook
from benchmarks.diehl_cook import FULL, DiehlCook, Size
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch

OUTSIDE = "outside the time loop"
MOVED = "upload + reset + read"
DROP_IN = "gpurun device.run"
SESSION = "gpurun session.run"
#: What goes on from one presentation to the next in training.
CARRIED = ("plastic.w", "excitatory.theta")

#: The rates in Hz of a presentation's number, for a network of this size.
Stimulus = Callable[[int, Size], NDArray[np.float64]]


class DeviceRuns:
    """Brian's way, ``device.run(run_args=...)``, on any of its devices or on gpurun's.

    On Brian's own it means a new process per presentation, and results through files.

    Parameters
    ----------
    name : str
    model : DiehlCook
        Built on `device`.
    device : Device
    carry : bool
        Whether weights and thresholds go on from one presentation to the next.
    size : Size
    stimulus : callable
    """

    def __init__(
        self,
        name: str,
        model: DiehlCook,
        device: Any,
        *,
        carry: bool,
        size: Size = FULL,
        stimulus: Stimulus = diehl_cook.stimulus,
    ) -> None:
        self.name, self.model, self.device, self.carry = name, model, device, carry
        self.size, self.stimulus = size, stimulus
        self.counts: list[NDArray[np.int32]] = []
        self.weights = diehl_cook.first_weights(size)
        self.theta = np.full(size.neurons, 0.02)

    def present(self, number: int) -> Mapping[str, float]:
        """One presentation."""
        model = self.model
        rates = self.stimulus(number, self.size)
        with Stopwatch() as watch:
            arguments: dict[Any, Any] = {model.inputs.rates: rates * Hz}
            if self.carry:
                arguments[model.synapses.w] = self.weights
                arguments[model.excitatory.theta] = self.theta * volt
            self.device.run(run_args=arguments, with_output=False)
            count: Any = model.spikes.count
            counts = np.array(count[:])
            if self.carry:
                self.weights = np.array(model.synapses.w[:])
                self.theta = np.array(model.excitatory.theta_[:])
        if not self.carry:
            self.weights = np.array(model.synapses.w[:])
        self.counts.append(counts)
        loop = self.device._last_run_time
        return {"wall": watch.seconds, "time loop": loop, OUTSIDE: watch.seconds - loop}


class SessionRuns:
    """gpurun's way: one resident session. The parameters are those of `DeviceRuns`."""

    name = SESSION

    def __init__(
        self,
        model: DiehlCook,
        session: Any,
        *,
        carry: bool,
        size: Size = FULL,
        stimulus: Stimulus = diehl_cook.stimulus,
    ) -> None:
        self.model, self.session, self.carry = model, session, carry
        self.size, self.stimulus = size, stimulus
        self.counts: list[NDArray[np.int32]] = []

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights as they are now."""
        return np.array(self.session.read("plastic.w"))

    def present(self, number: int) -> Mapping[str, float]:
        """One presentation."""
        model = self.model
        rates = self.stimulus(number, self.size)
        carry = [model.synapses.w, model.excitatory.theta] if self.carry else []
        with Stopwatch() as watch:
            result = self.session.run(
                {model.inputs.rates: rates * Hz},
                carry=carry,
                record=[model.spikes.count],
                seed=diehl_cook.SEED,
            )
            counts = np.array(result[model.spikes.count])
        self.counts.append(counts)
        return {
            "wall": watch.seconds,
            "time loop": result.loop_time,
            OUTSIDE: watch.seconds - result.loop_time,
            "upload": result.upload_time,
            "reset": result.reset_time,
            "read": result.read_time,
            MOVED: result.upload_time + result.reset_time + result.read_time,
        }


def moved_bytes(model: gpurun.Model, carry: tuple[str, ...]) -> int:
    """How many bytes a presentation has to move: new rates, everything reset, counts read."""
    reset = sum(
        model.data.frozen[info.name].nbytes
        for info in model.manifest.variables
        if info.changes and info.name not in carry
    )
    frozen = model.data.frozen
    return frozen["inputs.rates"].nbytes + reset + frozen["spikes.count"].nbytes


def check_same(
    recording: Recording,
    group: str,
    theirs: DeviceRuns,
    other: DeviceRuns | SessionRuns,
    whose: str = "brian2",
) -> None:
    """Check that a contender got what another engine (`whose`) got, bit by bit."""
    equal = sum(np.array_equal(a, b) for a, b in zip(theirs.counts, other.counts, strict=True))
    spikes = int(sum(counts.sum() for counts in theirs.counts))
    recording.check(
        f"{group}: the spike counts of all presentations by {other.name} are {whose}'s",
        equal == len(theirs.counts) and spikes > 0,
        f"{equal} of {len(theirs.counts)} presentations, {spikes} spikes",
    )
    weights = other.weights
    differ = int(np.count_nonzero(theirs.weights != weights))
    learned = int(np.count_nonzero(theirs.weights != diehl_cook.first_weights(theirs.size)))
    recording.check(
        f"{group}: the weights after the last presentation by {other.name} are {whose}'s",
        differ == 0 and learned > 0,
        f"{weights.size - differ} of {weights.size} weights, {learned} changed by learning",
    )
