"""Faults injected at random into runs of a scheduler: every result once, or reported.

``python -m tests.scheduler_faults --stimuli 1000 --rounds 20`` prints the table of
``docs/scheduler.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, SpikeMonitor, Synapses, ms

import gpurun
from gpurun import Scheduler, worker_call
from gpurun.errors import DeviceMemoryError, ResultsError
from gpurun.meter import MemorySample
from gpurun.scheduler import Failed, admission
from gpurun.scheduler.jobs import seed_of
from tests import models

SEED = 5
RECORD = ["cells.v", "fired.count"]
#: Errors that a session survives, what ends its process, what hangs within and between steps.
ERRORS = tuple(models.TRIPS)
DEATHS = {
    21: "*(volatile int*)8 = 1;",
    22: "raise(SIGABRT);",
    23: "syscall(SYS_exit_group, 3);",
    24: "raise(SIGTERM);",
}
SPIN, SLOW = 31, 32


def faulty() -> None:
    """Record a noisy script whose C++ function does what `mode` says."""
    models.new_script()
    actions = {
        **models.TRIPS,
        **DEATHS,
        SPIN: "for (volatile double x = 1; x > 0;) {}",
        SLOW: "usleep(50000);",
    }
    cases = "\n".join(f"case {mode}: {{ {text} }} break;" for mode, text in actions.items())
    code = f"""
    double fate(const int mode, const double t, const double after)
    {{
        if (t > after)
            switch (mode) {{ {cases} default: break; }}
        return 0.001;
    }}
    """
    fate = models.cpp_function("", "fate", 1, 1, 1)
    headers = ["<csignal>", "<unistd.h>", "<sys/syscall.h>", "<stdexcept>", "<vector>", "<new>"]
    fate.implementations.add_implementation(
        "cpp", code, name="fate", compiler_kwds={"headers": headers}
    )
    cells = NeuronGroup(
        4,
        "dv/dt = -v/(5*ms) + 0.1*xi/sqrt(ms) : 1\nmode : integer\nafter : 1",
        threshold="v > 0.2",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.namespace["fate"] = fate
    cells.run_regularly("v += fate(mode, t/ms, after)", dt=models.DT * b2.second)
    links = Synapses(cells, cells, on_pre="v_post += 0.1", delay=1 * ms, name="links")
    links.connect()
    fired = SpikeMonitor(cells, name="fired")
    b2.Network(cells, links, fired).run(5 * ms)


@functools.cache
def model() -> gpurun.Model:
    """The model of `faulty`."""
    faulty()
    made = gpurun.build()
    assert not made.manifest.static_state
    return made


def stimuli(count: int) -> list[dict[str, Any]]:
    """The same stimuli every time."""
    values = np.random.default_rng(1).uniform(0, 0.19, (count, 4))
    return [{"cells.v": value} for value in values]


def finished(path: Path) -> int:
    """Runs that are finished in a results file, which may be about to be made."""
    try:
        return sum(run.finished for run in gpurun.open_results(path))
    except ResultsError:
        return 0


def _values(result: Any) -> list[bytes]:
    return [np.asarray(result[name]).tobytes() for name in RECORD]


@functools.cache
def fault_free(count: int) -> list[list[bytes]]:
    """What each stimulus gives, on a session that nothing happens to."""
    with model().session() as session:
        return [
            _values(session.run(one, record=RECORD, seed=seed_of(SEED, number)))
            for number, one in enumerate(stimuli(count))
        ]


def in_line(count: int, left_out: set[int]) -> list[list[bytes] | None]:
    """Likewise for consecutive stimuli, some of which leave no trace."""
    with model().session() as session:
        return [
            None
            if number in left_out
            else _values(
                session.run(
                    one, carry=[CARRIED], record=RECORD,
                    seed=seed_of(SEED, number),
                )
            )
            for number, one in enumerate(consecutive(count))
        ]  # fmt: skip


#: What consecutive stimuli carry: a stimulus says nothing of it.
CARRIED = "cells.v"


def consecutive(count: int) -> list[dict[str, Any]]:
    """Stimuli that differ in nothing but what they carry and in their seeds."""
    return [{"cells.after": 0.5} for _ in range(count)]


@dataclass
class Trial:
    """One run with faults: what is injected, and what came out.

    Attributes
    ----------
    hit : set of int
        Stimuli that are faulty for good, and have to be reported. All others are given.
    """

    count: int
    rng: np.random.Generator
    how: str = "map"
    hit: set[int] = field(default_factory=set)
    results: int = 0
    reported: int = 0
    lost: int = 0

    def pick(self, number: int) -> list[int]:
        """Stimuli drawn at random."""
        drawn = self.rng.choice(self.count, min(number, self.count), replace=False)
        return [int(index) for index in drawn]

    def check(self, found: list[tuple[int, Any]]) -> None:
        """Fail unless every result is there once, and right, or reported."""
        indices = [index for index, _ in found]
        assert sorted(indices) == list(range(self.count)), "not every result once"
        expected: list[Any] = (
            fault_free(self.count) if self.how == "map" else in_line(self.count, self.hit)
        )
        for index, result in found:
            if isinstance(result, Failed):
                assert result.index == index
                assert index in self.hit, (index, result.error)
                self.reported += 1
            else:
                assert index not in self.hit, index
                assert _values(result) == expected[index], index
                self.results += 1


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes
    ----------
    name : str
    inject : callable
        Given the trial, its stimuli (which it may change) and a function that returns the
        scheduler, the context in which it happens.
    options : dict
        Of the scheduler.
    how : tuple of str
        Methods of the scheduler that it is tried with.
    """

    name: str
    inject: Callable[
        [Trial, list[dict[str, Any]], Callable[[], Scheduler]], AbstractContextManager[None]
    ]
    options: dict[str, Any]
    how: tuple[str, ...] = ("map", "run")

    def trial(self, count: int, seed: int, how: str = "map") -> Trial:
        """Inject it into one run, and check every result."""
        trial = Trial(count, np.random.default_rng(seed), how)
        given = stimuli(count) if how == "map" else consecutive(count)
        made: list[Scheduler] = []
        options = {"replicas": 2, "on_error": "skip", **self.options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with self.inject(trial, given, lambda: made[0]):
                with Scheduler(model(), seed=SEED, **options) as scheduler:
                    made.append(scheduler)
                    if how == "map":
                        found = list(scheduler.map(given, record=RECORD, ordered=False))
                    else:
                        results = scheduler.run(given, carry=[CARRIED], record=RECORD)
                        found = list(enumerate(results))
                trial.lost = scheduler.record.lost
        trial.check(found)
        return trial


# -- in the stimulus -----------------------------------------------------------------------------


def _faulty_stimuli(modes: Iterable[int], number: int) -> Callable[..., Any]:
    @contextlib.contextmanager
    def inject(trial: Trial, given: list[dict[str, Any]], _: Any) -> Iterator[None]:
        drawn = trial.pick(number)
        trial.hit |= set(drawn)
        for index in drawn:
            mode = int(trial.rng.choice(list(modes)))
            given[index] = {
                **given[index], "cells.mode": mode, "cells.after": float(trial.rng.uniform(0, 4)),
            }  # fmt: skip
        yield

    return inject


def _hanging(mode: int, number: int) -> Callable[..., Any]:
    faulty_stimuli = _faulty_stimuli([mode], number)

    @contextlib.contextmanager
    def inject(trial: Trial, given: list[dict[str, Any]], scheduler: Any) -> Iterator[None]:
        # What cannot be stopped is killed soon
        before, worker_call.STOP_SECONDS = worker_call.STOP_SECONDS, 0.2
        try:
            with faulty_stimuli(trial, given, scheduler):
                for index in trial.hit:
                    given[index]["cells.after"] = 0.0
                yield
        finally:
            worker_call.STOP_SECONDS = before

    return inject


# -- from outside --------------------------------------------------------------------------------


def _pids(scheduler: Scheduler) -> list[int]:
    seats = [] if scheduler._engine is None else list(scheduler._engine._seats.values())
    if scheduler._line is not None:
        seats.append(scheduler._line.seat)
    return [seat.session.pid for seat in seats if seat is not None and seat.alive]  # type: ignore[attr-defined]


def _killer(kills: int) -> Callable[..., Any]:
    @contextlib.contextmanager
    def inject(trial: Trial, given: list[dict[str, Any]], scheduler: Any) -> Iterator[None]:
        after = sorted(trial.pick(kills))
        over = threading.Event()

        def kill() -> None:
            # When so many results are there, and a random moment later
            for number in after:
                while not over.is_set():
                    with contextlib.suppress(IndexError, OSError):
                        if scheduler().record.done >= number and (pids := _pids(scheduler())):
                            over.wait(float(trial.rng.uniform(0, 0.003)))
                            os.kill(int(trial.rng.choice(pids)), signal.SIGKILL)
                            break
                    over.wait(0.0005)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    return inject


# -- memory --------------------------------------------------------------------------------------


def _no_memory(index: object) -> DeviceMemoryError:
    return DeviceMemoryError(f"No memory left ({index}).", needed=1, free=0)


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _out_of_memory(trial: Trial, given: list[dict[str, Any]], _: Any) -> Iterator[None]:
    """Two of three sessions find no memory for a stimulus."""
    seeds = {seed_of(SEED, index): index for index in trial.pick(2)}
    run, lock = gpurun.Session.run, threading.Lock()

    def without(self: gpurun.Session, overrides: Any = None, **options: Any) -> Any:
        with lock:
            index = seeds.pop(options["seed"], None)
        if index is not None:
            raise _no_memory(index)
        return run(self, overrides, **options)

    with _replaced(gpurun.Session, "run", without):
        yield


@contextlib.contextmanager
def _not_opened(trial: Trial, given: list[dict[str, Any]], _: Any) -> Iterator[None]:
    """A session that is not the first cannot be opened."""
    bad = int(trial.rng.integers(2, 5))
    numbers, begin = itertools.count(1), gpurun.Session.__init__

    def broken(self: gpurun.Session, *arguments: Any, **options: Any) -> None:
        if next(numbers) == bad:
            raise _no_memory("opening")
        begin(self, *arguments, **options)

    with _replaced(gpurun.Session, "__init__", broken):
        yield


class Crowded:
    """A meter of a device of which others take more and less, at random."""

    device = "cpu"

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def sample(self) -> MemorySample:
        """More than the limit half of the time."""
        return MemorySample(time.time(), 100, int(self._rng.integers(60, 100)), None, 10)

    def close(self) -> None:
        """Nothing is held."""


@contextlib.contextmanager
def _crowded(trial: Trial, given: list[dict[str, Any]], _: Any) -> Iterator[None]:
    meter = Crowded(np.random.default_rng(int(trial.rng.integers(1 << 30))))
    with (
        _replaced(admission, "meter_for", lambda device: meter),
        _replaced(admission, "_SECONDS", 0.01),
    ):
        yield


PROCESS: dict[str, Any] = {"isolation": "process"}
FAULTS = [
    Fault("stimulus raises, thread", _faulty_stimuli(ERRORS, 10), {}),
    Fault("stimulus raises, process", _faulty_stimuli(ERRORS, 10), PROCESS),
    Fault("SIGKILL of a worker", _killer(4), PROCESS),
    Fault("stimulus crashes its process", _faulty_stimuli(DEATHS, 2), PROCESS),
    Fault("hangs between steps, thread", _hanging(SLOW, 3), {"timeout": 0.2}),
    Fault("hangs between steps, process", _hanging(SLOW, 3), {**PROCESS, "timeout": 0.2}),
    Fault("hangs within a step, process", _hanging(SPIN, 2), {**PROCESS, "timeout": 0.5}),
    Fault("device out of memory", _out_of_memory, {"replicas": 3}, ("map",)),
    Fault("a session cannot be opened", _not_opened, {"replicas": 4}, ("map",)),
    *(
        Fault(
            f"memory taken by others, {policy}", _crowded,
            {"replicas": 3, "when_full": policy}, ("map",),
        )
        for policy in ("shrink", "wait", "go_on")
    ),
]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(
        "| fault | call | results, equal | reported | sessions lost | s |\n"
        "|---|---|---|---|---|---|",
        flush=True,
    )
    for fault in FAULTS:
        for how in fault.how:
            began = time.perf_counter()
            trials = [fault.trial(options.stimuli, seed, how) for seed in range(options.rounds)]
            took = time.perf_counter() - began
            sums = [
                sum(getattr(t, name) for t in trials) for name in ("results", "reported", "lost")
            ]
            print(f"| {fault.name} | `{how}` | {' | '.join(f'{n:,}' for n in sums)} | {took:.0f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
