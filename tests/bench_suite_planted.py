"""A case and contenders with planted properties, for tests of ``gpurun bench``.

Both are named by this file: ``PATH.py`` and ``PATH.py:NAME``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import brian2 as b2
from brian2.units import ms, second

from gpurun.bench.suite.case import CaseNetwork, Stimulus
from gpurun.bench.suite.contender import WALL

# By its installed name: a contender's process does not look into the checkout
Runtime: Any = import_module("gpurun.bench_contenders.runtime").Runtime
Measures = dict[str, float]
Values = dict[str, Any]

TITLE = "Neurons that count"
SOURCE = "nowhere"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {name: {"neurons": 5} for name in ("tiny", "quick", "full")}

#: Seconds that the fast contender sleeps, and how many times longer the slow one does.
NAP, FACTOR = 0.02, 3


def create(neurons: int) -> CaseNetwork:
    """Neuron `i` fires every `i + 2` steps."""
    b2.defaultclock.dt = 1 * ms
    group = b2.NeuronGroup(
        neurons, "steps : 1", threshold="steps > i", reset="steps = 0", name="group"
    )
    group.run_regularly("steps += 1", when="start")
    spikes = b2.SpikeMonitor(group, name="spikes")
    network = b2.Network(group, spikes)
    assert (20 * ms) / second == 0.02
    return CaseNetwork(
        network,
        {"group": group, "spikes": spikes},
        0.02,
        1e-3,
        spikes=("spikes",),
        reads=("spikes.count",),
        neurons=neurons,
    )


class Fast(Runtime):
    """Sleeps for a moment in every presentation."""

    nap = NAP

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        _, values = super().show(number, stimulus, names)
        started = time.perf_counter()
        time.sleep(self.nap)
        # Of the sleep alone: Brian's own time is that of this machine
        return {WALL: time.perf_counter() - started}, values


class Slow(Fast):
    """Sleeps longer."""

    nap = NAP * FACTOR


class Wrong(Fast):
    """Loses a spike."""

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        measures, values = super().show(number, stimulus, names)
        return measures, {name: value[:-1] for name, value in values.items()}


class Dies(Fast):
    """Takes its process with it."""

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        import os

        os._exit(3)


CONTENDERS = {"fast": Fast, "slow": Slow, "wrong": Wrong, "dies": Dies}
