"""What is done today for many stimuli: ``device.run`` in a ``multiprocessing.Pool``.

Each process has a folder of its own for results, as Brian2's documentation advises.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from typing import Any

from gpurun.bench.clocks import Stopwatch
from gpurun.bench.machine import cores
from gpurun.bench.suite.case import Stimulus
from gpurun.bench.suite.contender import HOST_PEAK, LOAD, LOOP, OUTSIDE, WALL, Absent

from .common import Measures, Values
from .standalone import Standalone

#: For the processes, which are forked from this one.
_shared: list[Pool] = []


class Pool(Standalone):
    """`Standalone` in as many processes as there are cores, or in as many as are asked for."""

    _processes = 0
    _pool: Any = None

    def create(self) -> None:
        super().create()
        if self.network.carry:
            raise Absent("stimuli of this case follow on each other, so that none run side by side")

    def setup(self) -> Mapping[str, float]:
        taken = super().setup()
        with Stopwatch() as opening:
            self._open(cores())
        return {**taken, LOAD: opening.seconds}

    def _open(self, processes: int) -> Any:
        """The pool, made anew if it has another number of processes."""
        if processes != self._processes:
            self.close()
            _shared[:] = [self]
            self._pool = multiprocessing.get_context("fork").Pool(processes)
            self._processes = processes
            # Started, each with a folder for its results
            self._pool.map(_present, self._work(processes), chunksize=1)
        return self._pool

    def _work(self, count: int) -> list[tuple[int, Stimulus]]:
        return [(number, self.stimulus(number)) for number in range(count)]

    def present(self, number: int) -> Mapping[str, float]:
        """One stimulus in a pool of one process for each core."""
        pool, stimulus = self._open(cores()), self.stimulus(number)
        with Stopwatch() as wall:
            measured, _ = pool.apply(_present, ((number, stimulus),))
        return {**measured, WALL: wall.seconds, OUTSIDE: wall.seconds - measured[LOOP]}

    def throughput(self, replicas: int, count: int) -> float | None:
        pool, work = self._open(replicas), self._work(count)
        with Stopwatch() as watch:
            for _ in pool.imap(_present, work):
                pass
        return watch.seconds

    def facts(self) -> Mapping[str, int | float | str | bool]:
        return {
            **super().facts(),
            "processes": cores(),
            "memory": "of this process, and of a program for each process of the pool; what those "
            "processes take themselves is not counted, as most of it is shared",
        }

    def memory(self) -> Mapping[str, float]:
        return {HOST_PEAK: float(self.peak() + cores() * self.peak_of_program())}

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool.join()
        self._processes, self._pool = 0, None


def _present(work: tuple[int, Stimulus]) -> tuple[Measures, Values]:
    """Present one stimulus, in a process of the pool."""
    [contender] = _shared
    return contender.show(
        *work, contender.network.reads, results_directory=f"results_{os.getpid()}"
    )


CONTENDERS = {"brian2-cpp-pool": Pool}
