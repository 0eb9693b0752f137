"""Loops over stimuli: what preparing costs them, and what `gpurun.present` adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpurun
from benchmarks.budget import Part
from benchmarks.encoding import SEED
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.bench.contenders import Series
from gpurun.stimulus import Stimulus, StimulusBatch, StimulusStream

STAGED = "present, prepared in the background"
SYNCHRONOUS = "present, each batch prepared first"
READY = "present, all prepared before"
IMAGES = "present, a stream of arrays"
BARE = "session.run in a loop"
WAITED, LATER = "waited for stimuli", "waited, first batch left out"
ADDED = "added to each presentation"


@dataclass(frozen=True)
class Task:
    """What is shown to which network, and how.

    Attributes
    ----------
    model : gpurun.Model
    device : str
        Of sessions.
    images : ndarray, shape (n, ...)
    encode : Encoder
    target, read : str
        What is given the stimuli, and what is read after each presentation.
    batch : int
        Stimuli that are prepared at once.
    options : dict
        Further arguments of `gpurun.present`.
    first : dict
        Variables that are written before the first presentation of a round.
    tolerance : float
        By which what is read may differ, relative.
    """

    model: gpurun.Model
    device: str
    images: NDArray[Any]
    encode: Any
    target: str
    read: str
    batch: int
    options: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0

    def staged(self) -> StimulusStream:
        """Batches that a thread prepares."""
        return StimulusStream(self.images, self.encode, batch=self.batch)

    def synchronous(self, device: str) -> Iterator[Stimulus]:
        """The same batches, each prepared when it is asked for."""
        for start in range(0, len(self.images), self.batch):
            images = StimulusBatch.of(self.images[start : start + self.batch], device=device)
            values = self.encode(images.values, first=start)
            yield from StimulusBatch.of(values, device=device)

    def alike(self, one: NDArray[Any], other: NDArray[Any]) -> bool:
        """Whether two presentations gave the same."""
        return np.allclose(one, other, rtol=self.tolerance, atol=0.0)

    def ready(self, device: str) -> StimulusBatch:
        """All of them."""
        images = StimulusBatch.of(self.images, device=device)
        return StimulusBatch.of(self.encode(images.values, first=0), device=device)


class Loop:
    """A contender that presents all stimuli of a task, in a session of its own.

    Attributes
    ----------
    values : list of ndarray
        What was read after each presentation of the last round.
    """

    def __init__(self, name: str, session: Any, task: Task, stimuli: Callable[[], Any]) -> None:
        self.name, self.session, self.task, self.stimuli = name, session, task, stimuli
        self.values: list[NDArray[Any]] = []

    def present(self, number: int) -> Mapping[str, float]:
        """All of them, once."""
        task = self.task
        if task.first:
            self.session.write(task.first)
        values = []
        with Stopwatch() as watch:
            shown = gpurun.present(
                self.session,
                self.stimuli(),
                target=task.target,
                record=[task.read],
                seed=SEED,
                **task.options,
            )
            for one in shown:
                values.append(one.result[task.read])
        self.values = values
        return {
            "wall": watch.seconds,
            WAITED: shown.waited,
            LATER: shown.waited - shown.waited_first,
        }


class Bare(Loop):
    """The same with `Session.run`, and nothing else."""

    def present(self, number: int) -> Mapping[str, float]:
        """All of them, once."""
        task, session, seed = self.task, self.session, SEED
        values = []
        with Stopwatch() as watch:
            for stimulus in self.stimuli():
                result = session.run(
                    {task.target: stimulus.value}, record=[task.read], seed=seed, **task.options
                )
                seed = None
                values.append(result[task.read])
        self.values = values
        return {"wall": watch.seconds}


def streamed(recording: Recording, group: str, task: Task, part: Part) -> None:
    """Compare stimuli prepared in the background, batch by batch, and all of them before."""
    found = _race(recording, group, task, part, [STAGED, SYNCHRONOUS, READY])
    wall = found[STAGED]["wall"]
    recording.compare(f"{group}, wall: {SYNCHRONOUS} / {STAGED}", found[SYNCHRONOUS]["wall"], wall)
    recording.compare(f"{group}, wall: {STAGED} / {READY}", wall, found[READY]["wall"])


def trained(recording: Recording, group: str, task: Task, part: Part) -> None:
    """See for which share of the time a training run waits for its stimuli."""
    found = _race(recording, group, task, part, [STAGED, READY])
    wall = found[STAGED]["wall"]
    for measured in (WAITED, LATER):
        recording.compare(
            f"{group}, {STAGED}: {measured} / wall (goal: below 0.02)",
            found[STAGED][measured],
            wall,
        )
    recording.compare(f"{group}, wall: {STAGED} / {READY}", wall, found[READY]["wall"])


def overhead(recording: Recording, group: str, task: Task, part: Part) -> None:
    """Compare `gpurun.present` with a bare loop, where a presentation is one time step."""
    found = _race(recording, group, task, part, [BARE, READY, IMAGES])
    shown = len(task.images)
    for name in (READY, IMAGES):
        both = zip(found[name]["wall"], found[BARE]["wall"], strict=True)
        recording.add(group, name, ADDED, [(ours - bare) / shown for ours, bare in both])
        recording.compare(f"{group}, wall: {name} / {BARE}", found[name]["wall"],
                          found[BARE]["wall"])  # fmt: skip


def _race(recording: Recording, group: str, task: Task, part: Part, names: list[str]) -> Series:
    """Let loops take turns, and check that the network did the same in all of them."""
    recording.parameters[f"presentations in a round, {group}"] = len(task.images)
    recording.parameters[f"stimuli in a batch, {group}"] = task.batch
    sessions = [task.model.session(device=task.device) for _ in names]
    try:
        device = task.staged().near(sessions[0]).device
        ready = task.ready(str(device))
        arrays = StimulusStream(ready.values, batch=task.batch) if IMAGES in names else None
        stimuli: dict[str, Callable[[], Any]] = {
            STAGED: task.staged,
            SYNCHRONOUS: lambda: task.synchronous(str(device)),
            READY: lambda: ready,
            IMAGES: lambda: arrays,
            BARE: lambda: ready,
        }
        loops = [
            (Bare if name == BARE else Loop)(name, session, task, stimuli[name])
            for name, session in zip(names, sessions, strict=True)
        ]
        found = part.take_turns(recording, group, loops)
    finally:
        for session in sessions:
            session.close()
    first = loops[0].values
    same = sum(
        all(task.alike(one, other) for one, other in zip(first, loop.values, strict=True))
        for loop in loops[1:]
    )
    nonzero = int(sum(np.count_nonzero(values) for values in first))
    recording.check(
        f"{group}: all get the same from the network ('{task.read}' of each presentation)",
        same == len(names) - 1 and nonzero > 0,
        f"{same} of {len(names) - 1} others, {nonzero:,} values that are not 0",
    )
    return found
