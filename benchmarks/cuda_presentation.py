"""One network on a card, many stimuli: brian2cuda's ``device.run(run_args=...)`` against gpurun.

brian2cuda is 1.0b1 as released, but for the C++ standard in its makefile (`upstream_cuda`).

Parts of the report:

- **presented**: each presentation starts from the same state; only the input's rates
  differ, and the spike counts are read.
- **trained**: weights and thresholds go on from one presentation to the next.
- **override of ...**: what a new value of a variable costs, against a bare copy of as many
  bytes from pinned memory to the card.

Noise differs between the two, so that results are compared where it does not matter: with
stimuli that are saturated (`diehl_cook.saturated`), not timed.

Goals: a hundred times less wall time per stimulus than brian2cuda, and overrides for at most
1.5 times the bare copy.

Where the card is an emulated one the network is small, and times mean nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.devices.device import reset_device

import gpurun
from benchmarks import diehl_cook, upstream_cuda
from benchmarks.diehl_cook import FULL, SMALL, DiehlCook, Size
from benchmarks.pinned_copy import PinnedCopy
from benchmarks.presenters import (
    DROP_IN,
    OUTSIDE,
    SESSION,
    DeviceRuns,
    SessionRuns,
    check_same,
)
from gpurun.bench import card
from gpurun.bench.card import BenchmarkCard
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.bench.contenders import Contender, interleave, rounds_within
from gpurun.errors import ConfigError

TITLE = "One network, many stimuli, on a card"
UPSTREAM = "brian2cuda device.run"
GROUPS = (("presented", False), ("trained", True))
GOALS = {"wall": " (goal: at least 100)"}
DEVICE = "cuda:0"
#: What a session says that an override costs, and what a call with it takes longer.
UPLOAD, ADDED = "upload", "added to the call"
#: Presentations of each kind that are compared and not timed.
COMPARED = 3


@dataclass(frozen=True)
class Plan:
    """How much is done: presentations at most, overrides, how many in a row, and until when."""

    rounds: int
    overrides: int
    in_a_row: int
    deadline: float | None

    def rounds_for(self, contenders: Sequence[Contender], share: float) -> int:
        """Rounds that fit into this share of the time left, by what one round takes."""
        if self.deadline is None:
            return self.rounds
        with Stopwatch() as watch:
            for contender in contenders:
                contender.present(-1)
        left = share * (self.deadline - time.perf_counter())
        return rounds_within(left, watch.seconds, self.rounds, in_a_row=self.in_a_row)


@dataclass(frozen=True)
class Networks:
    """The network on brian2cuda's device and on gpurun's, built."""

    theirs: DiehlCook
    their_device: Any
    ours: DiehlCook
    our_device: Any
    model: gpurun.Model
    size: Size

    def devices(self, **options: Any) -> list[DeviceRuns]:
        """Contenders with ``device.run``, brian2cuda's first."""
        options["size"] = self.size
        return [
            DeviceRuns(UPSTREAM, self.theirs, self.their_device, **options),
            DeviceRuns(DROP_IN, self.ours, self.our_device, **options),
        ]


class OverrideRuns:
    """What it costs that a run of one step has another value of a variable.

    Parameters
    ----------
    session : Session
    key : str
        Of the variable.
    elements : int
    """

    name = SESSION

    def __init__(self, session: Any, key: str, elements: int) -> None:
        self.session, self.key, self.elements = session, key, elements

    def present(self, number: int) -> Mapping[str, float]:
        """One run without the override and one with it."""
        values = np.random.default_rng(number + 10).uniform(0, 0.1, self.elements)
        with Stopwatch() as without:
            self.session.run(duration=diehl_cook.STEP)
        with Stopwatch() as together:
            result = self.session.run({self.key: values}, duration=diehl_cook.STEP)
        return {
            UPLOAD: result.upload_time,
            ADDED: together.seconds - without.seconds,
        }


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    started = time.perf_counter()
    where = card.describe()
    if where.emulated and not recording.quick:
        raise ConfigError("Times of an emulated card mean nothing: only a trial (--quick) is run.")
    size = SMALL if where.emulated else FULL
    rounds, in_a_row = (2, 2) if where.emulated else (10, 5) if recording.quick else (100, 5)
    overrides = rounds if where.emulated else 500
    limit = recording.seconds
    plan = Plan(rounds, overrides, in_a_row, None if limit is None else started + limit)
    recording.parameters.update(
        **where.parameters(),
        inputs=size.inputs,
        neurons=size.neurons,
        synapses=size.synapses,
        steps=size.steps,
    )
    if where.emulated:
        recording.parameters["speed"] = "meaningless, because the card is emulated"
    with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
        recording.say("building the network with brian2cuda and with gpurun")
        networks = _build(where, Path(folder, "project"), size)
        recording.say(f"comparing {COMPARED} saturated stimuli")
        for group, carry in GROUPS:
            _compare(recording, group, networks, carry=carry)
        for (group, carry), share in zip(GROUPS, (0.45, 0.9), strict=True):
            _race(recording, group, networks, plan, share, carry=carry)
        for what, key in (("the rates", "inputs.rates"), ("the weights", "plastic.w")):
            _override(recording, what, key, networks.model, plan, where)
        reset_device()


def _build(where: BenchmarkCard, directory: Path, size: Size) -> Networks:
    diehl_cook.exact_arithmetic()
    if where.emulated:
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = ["-w", "-O0", "-ffp-contract=off"]
    their_device = upstream_cuda.select(where.toolkit, where.capability)
    theirs = diehl_cook.create(size)
    upstream_cuda.build(their_device, directory, where.toolkit)
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    our_device: Any = b2.get_device()
    ours = diehl_cook.create(size)
    return Networks(theirs, their_device, ours, our_device, gpurun.build(), size)


def _compare(recording: Recording, group: str, networks: Networks, *, carry: bool) -> None:
    """Check results where random numbers do not matter, bit by bit."""
    options: dict[str, Any] = {"carry": carry, "stimulus": diehl_cook.saturated}
    theirs, drop_in = networks.devices(**options)
    with networks.model.session(device=DEVICE) as session:
        resident = SessionRuns(networks.ours, session, size=networks.size, **options)
        for contender in (theirs, drop_in, resident):
            for number in range(COMPARED):
                contender.present(number)
            if contender is not theirs:
                check_same(recording, f"{group}, saturated", theirs, contender, "brian2cuda")


def _race(
    recording: Recording,
    group: str,
    networks: Networks,
    plan: Plan,
    share: float,
    *,
    carry: bool,
) -> None:
    """Let the devices and a session take turns, and compare times."""
    theirs, drop_in = networks.devices(carry=carry)
    with networks.model.session(device=DEVICE) as session:
        resident = SessionRuns(networks.ours, session, carry=carry, size=networks.size)
        contenders: list[DeviceRuns | SessionRuns] = [theirs, drop_in, resident]
        rounds = plan.rounds_for(contenders, share)
        recording.parameters[f"presentations, {group}"] = rounds
        recording.say(f"{group}: {rounds} presentations in turns")
        found = interleave(contenders, rounds, in_a_row=plan.in_a_row)
    recording.add_all(group, found)
    for contender in contenders:
        total = sum(int(counts.sum()) for counts in contender.counts[-rounds:])
        recording.parameters[f"spikes per presentation, {group}, {contender.name}"] = round(
            total / rounds, 2
        )
    for name in (SESSION, DROP_IN):
        for measured in ("wall", OUTSIDE):
            recording.compare(
                f"{group}, {measured}: {UPSTREAM} / {name}{GOALS.get(measured, '')}",
                found[UPSTREAM][measured],
                found[name][measured],
            )


def _override(
    recording: Recording,
    what: str,
    key: str,
    model: gpurun.Model,
    plan: Plan,
    where: BenchmarkCard,
) -> None:
    """Compare an override with a bare copy of as many bytes."""
    values = model.data.frozen[key]
    group = f"override of {what}"
    recording.say(group)
    recording.parameters[f"bytes, {group}"] = values.nbytes
    with model.session(device=DEVICE) as session:
        bare = PinnedCopy(values.nbytes, UPLOAD, where.toolkit)
        contender = OverrideRuns(session, key, values.size)
        found = interleave([contender, bare], plan.overrides, in_a_row=plan.in_a_row)
        bare.close()
    recording.add_all(group, found)
    for measured in (UPLOAD, ADDED):
        recording.compare(
            f"{group}, {measured}: {SESSION} / {bare.name} (goal: at most 1.5)",
            found[SESSION][measured],
            found[bare.name][UPLOAD],
        )
