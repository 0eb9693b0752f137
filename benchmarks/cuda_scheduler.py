"""The scheduler on a card: the parts of `benchmarks.scheduler` with sessions there.

Stimuli are saturated, so that the order in which a card adds does not matter and results have to
be the same bit by bit. Where the card is an emulated one everything is small and times mean
nothing.
"""

from __future__ import annotations

import time

import brian2 as b2
from brian2.devices.device import reset_device

import gpurun
from benchmarks import diehl_cook, scheduler
from benchmarks.budget import Budget
from benchmarks.diehl_cook import FULL, SMALL
from benchmarks.scheduler_ways import Work
from gpurun.bench import card
from gpurun.bench.cases import Recording
from gpurun.errors import ConfigError

TITLE = "Many independent stimuli: the scheduler, on a card"
DEVICE = "cuda:0"
#: Sessions in threads without a scheduler.
BESIDE = 4


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    started = time.perf_counter()
    where = card.describe()
    if where.emulated and not recording.quick:
        raise ConfigError("Times of an emulated card mean nothing: only a trial (--quick) is run.")
    limit = recording.seconds
    budget = Budget(recording.quick, None if limit is None else started + limit)
    recording.parameters.update(where.parameters())
    if where.emulated:
        recording.parameters["speed"] = "meaningless, because the card is emulated"
    size, stimuli, beside = (SMALL, 6, 2) if where.emulated else (FULL, 40, BESIDE)
    recording.parameters.update(neurons=size.neurons, synapses=size.synapses, steps=size.steps)
    diehl_cook.exact_arithmetic()
    if where.emulated:
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = ["-w", "-O0", "-ffp-contract=off"]
    try:
        recording.say("building the network")
        b2.set_device("gpurun", backend="cuda", build_on_run=False)
        network = diehl_cook.create(size)
        work = Work(gpurun.build(), DEVICE, [diehl_cook.saturated(n, size) for n in range(stimuli)])
        scheduler.race(recording, work, budget, beside, None)
        del network
    finally:
        reset_device()
