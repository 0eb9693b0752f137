"""Many independent stimuli: the Scheduler against loops, a pool over brian2, and Dask.

Parts of the report:

- **independent**: 200 stimuli, with sessions and processes there already.
- **opened**: the same from nothing: sessions are opened, processes started, ``replicas="auto"``
  is still looking for its number of sessions, and everything is given back at the end.
- **one step**: stimuli of a single time step on one session: what a scheduler adds to each.

All of gpurun have the same seeds and have to give the same spikes. brian2's program starts with
one seed for all stimuli; it is compared with what a Scheduler gives with that.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.devices.device import reset_device
from brian2.units import second

import gpurun
from benchmarks import diehl_cook
from benchmarks.brian_pool import BrianPool
from benchmarks.budget import Budget, Part
from benchmarks.dask_way import DASK, dask_ways
from benchmarks.diehl_cook import FULL, SMALL, DiehlCook
from benchmarks.scheduler_ways import (
    BARE,
    COUNT,
    TARGET,
    WALL,
    Bare,
    BareThreads,
    Scheduled,
    Values,
    Way,
    Work,
)
from gpurun import Scheduler
from gpurun.bench.cases import Recording
from gpurun.bench.contenders import Series
from gpurun.scheduler.policy import cores

TITLE = "Many independent stimuli: the scheduler"
STEP = float(diehl_cook.STEP / second)
RUN, MAP = "Scheduler.run", "Scheduler.map, 1 session"
MAP_PROCESS = "Scheduler.map, 1 process"
POOL = "brian2 device.run, Pool"
AUTO, AUTO_PROCESS = "Scheduler.map, auto", "Scheduler.map, auto, processes"
ADDED = "added to each stimulus"
TRIAL_FLAGS = ["-w", "-O0"]


@dataclass(frozen=True)
class Brian:
    """brian2's own standalone program of the network.

    Attributes
    ----------
    device : Device
    network : DiehlCook
    expected : list of ndarray
        What its stimuli have to give.
    """

    device: Any
    network: DiehlCook
    expected: list[Values]


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    started = time.perf_counter()
    quick, limit = recording.quick, recording.seconds
    budget = Budget(quick, None if limit is None else started + limit)
    size, stimuli = (SMALL, 12) if quick else (FULL, 200)
    diehl_cook.exact_arithmetic()
    if quick:
        # Compiling is most of a trial
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = TRIAL_FLAGS
    recording.parameters.update(
        inputs=size.inputs, neurons=size.neurons, synapses=size.synapses, steps=size.steps
    )
    with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
        try:
            recording.say("building the network with brian2 and with gpurun")
            b2.set_device("cpp_standalone", build_on_run=False)
            device: Any = b2.get_device()
            theirs = diehl_cook.create(size)
            device.build(directory=str(Path(folder, "project")), run=False)
            b2.set_device("gpurun", build_on_run=False)
            ours = diehl_cook.create(size)
            model = gpurun.build()
            work = Work(model, "cpu", [diehl_cook.stimulus(n, size) for n in range(stimuli)])
            brian = Brian(device, theirs, with_one_seed(work))
            race(recording, work, budget, cores(), brian)
            del ours
        finally:
            reset_device()


def with_one_seed(work: Work) -> list[Values]:
    """What a Scheduler gives if all stimuli have the seed of brian2's program."""
    with Scheduler(work.model, work.device) as scheduler:
        futures = [
            scheduler.submit({TARGET: rates}, record=[COUNT], seed=diehl_cook.SEED)
            for rates in work.rates
        ]
        return [future.result()[COUNT] for future in futures]


def race(
    recording: Recording, work: Work, budget: Budget, beside: int, brian: Brian | None
) -> None:
    """Measure all parts, on the CPU or a card.

    Parameters
    ----------
    recording : Recording
    work : Work
    budget : Budget
    beside : int
        Sessions or processes that those have who cannot find out by themselves.
    brian : Brian or None
        Without it nobody else takes part.
    """
    recording.parameters["stimuli in a round"] = len(work.rates)
    part = budget.part(10, 0.5)
    independent(recording, "independent", work, part, beside, brian, fresh=False)
    part = budget.part(6, 0.6)
    independent(recording, "opened", work, part, beside, brian, fresh=True)
    # No spikes come of one step
    rates = list(work.rates) * (1 if budget.few else 3)
    read = "excitatory.ge"
    short = replace(work, rates=rates, duration=STEP, read=read)
    one_step(recording, "one step", short, budget.part(20, 0.9))


def independent(
    recording: Recording,
    group: str,
    work: Work,
    part: Part,
    beside: int,
    brian: Brian | None,
    *,
    fresh: bool,
) -> None:
    """Let all ways to present independent stimuli take turns."""
    threads = f"session.run in {beside} threads"
    auto = Scheduled(AUTO, work, fresh=fresh)
    processes = Scheduled(AUTO_PROCESS, work, fresh=fresh, isolation="process")
    others: list[Way] = []
    if brian is not None:
        others, recording.parameters[DASK] = dask_ways(work, beside, fresh=fresh)
        pool = f"{POOL}({beside})"
        others.insert(0, BrianPool(pool, work, brian.device, brian.network, beside,
                                   brian.expected, fresh=fresh))  # fmt: skip
    ways = [
        # A pool is forked before there is anything else
        *others,
        Bare(BARE, work, fresh=fresh),
        BareThreads(threads, work, beside, fresh=fresh),
        Scheduled(RUN, work, "run", fresh=fresh, replicas=1),
        Scheduled(MAP, work, fresh=fresh, replicas=1),
        auto,
        processes,
    ]
    found = take_turns(recording, group, ways, part)
    for way in (auto, processes):
        settled = " ".join(map(str, way.sessions))
        recording.parameters[f"sessions in each round, {group}, {way.name}"] = settled
    goal = " (goal on 2 cores: 1.8)" if work.device == "cpu" and not fresh else ""
    ratios = [(MAP, AUTO, goal), (MAP, AUTO_PROCESS, goal), (BARE, threads, "")]
    ratios += [(way.name, AUTO, "") for way in others]
    for slow, fast, said in [*ratios, (RUN, BARE, ""), (MAP, BARE, "")]:
        name = f"{group}, wall: {slow} / {fast}{said}"
        recording.compare(name, found[slow][WALL], found[fast][WALL])
    added(recording, group, work, found, [RUN, MAP])


def one_step(recording: Recording, group: str, work: Work, part: Part) -> None:
    """See what a scheduler with one session adds to each stimulus."""
    recording.parameters[f"stimuli in a round, {group}"] = len(work.rates)
    names = [RUN, MAP, MAP_PROCESS]
    ways: list[Way] = [
        Bare(BARE, work),
        Scheduled(RUN, work, "run", replicas=1),
        Scheduled(MAP, work, replicas=1),
        Scheduled(MAP_PROCESS, work, replicas=1, isolation="process"),
    ]
    found = take_turns(recording, group, ways, part)
    added(recording, group, work, found, names)
    for name in names:
        recording.compare(f"{group}, wall: {name} / {BARE}", found[name][WALL], found[BARE][WALL])


def take_turns(recording: Recording, group: str, ways: Sequence[Way], part: Part) -> Series:
    """Let ways take turns, and check that all got the same in every round."""
    _ = ways[0].work.expected
    recording.parameters[f"load at the start, {group}"] = _load()
    with ExitStack() as opened:
        for way in ways:
            if not way.fresh:
                opened.callback(way.close)
                way.open()
        found = part.take_turns(recording, group, ways)
    recording.parameters[f"load at the end, {group}"] = _load()
    for way in ways:
        whose = (
            "what a Scheduler gets with the same seed" if isinstance(way, BrianPool) else "the same"
        )
        nonzero = int(sum(np.count_nonzero(values) for values in way.expected))
        recording.check(
            f"{group}: '{way.work.read}' of all stimuli by {way.name} is {whose}, bit by bit",
            way.right == way.rounds > 0 and nonzero > 0,
            f"{way.right} of {way.rounds} rounds, {nonzero:,} values that are not 0",
        )
    return found


def added(
    recording: Recording, group: str, work: Work, found: Series, names: Sequence[str]
) -> None:
    """How much longer a stimulus takes than in the bare loop of the same round."""
    for name in names:
        both = zip(found[name][WALL], found[BARE][WALL], strict=True)
        each = [(ours - bare) / len(work.rates) for ours, bare in both]
        recording.add(group, name, ADDED, each)


def _load() -> float:
    """Of the whole machine, in the last minute."""
    return round(os.getloadavg()[0], 2)
