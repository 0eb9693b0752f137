"""Brian2's runtime mode: the time loop is Python, each step calls compiled or NumPy functions.

The network is stored once, and restored before each presentation, as Brian2's documentation shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import brian2 as b2
import numpy as np

from gpurun.bench.clocks import CpuStopwatch, Stopwatch
from gpurun.bench.suite.case import Stimulus
from gpurun.bench.suite.contender import (
    COMPILE,
    COMPILE_CPU,
    GENERATION,
    LOAD,
    LOOP,
    OUTSIDE,
    READ,
    RESET,
    UPLOAD,
    WALL,
    Absent,
)

from . import memory
from .common import BrianContender, Measures, Values, bare, choose_flags, seed_of

#: Name of the snapshot.
STORED = "before the first step"


class Runtime(BrianContender):
    """Runtime mode with one of Brian2's two targets; `target` says which."""

    target = "numpy"

    def setup(self) -> Mapping[str, float]:
        b2.set_device("runtime")
        choose_flags()
        b2.prefs["codegen.target"] = self.target
        b2.prefs["codegen.runtime.cython.cache_dir"] = str(self.folder / "cython")
        with compilations() as spent, Stopwatch() as all_of_it:
            self.create()
            with Stopwatch() as storing:
                self.network.network.store(STORED)
            # Functions of the time loop are made when it begins
            self.run(self.network.dt)
            with Stopwatch() as restoring:
                self.network.network.restore(STORED)
        memory.reset_peak()
        load = storing.seconds + restoring.seconds
        generation = all_of_it.seconds - load
        if self.target == "numpy":
            return {GENERATION: generation, LOAD: load}
        return {GENERATION: generation - spent[COMPILE], **spent, LOAD: load}

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        with Stopwatch() as wall:
            carried = bare(self.network, self.network.carry)
            with Stopwatch() as reset:
                self.network.network.restore(STORED)
            with Stopwatch() as upload:
                self._set(carried)
                self._set(stimulus)
                b2.seed(seed_of(number))
            self.run(self.network.duration)
            with Stopwatch() as read:
                values = bare(self.network, names)
        device: Any = b2.get_device()
        loop = float(device._last_run_time)
        parts = {UPLOAD: upload.seconds, RESET: reset.seconds, READ: read.seconds}
        return {WALL: wall.seconds, LOOP: loop, OUTSIDE: wall.seconds - loop, **parts}, values

    def _set(self, values: Stimulus) -> None:
        for name, value in values.items():
            owner, attribute = self.network.of(name)
            if attribute:
                setattr(owner, f"{attribute}_", value)
            else:  # a TimedArray, which compiled functions are given anew when a run begins
                owner.values[...] = np.asarray(value)

    def steps(self, count: int) -> float | None:
        """Of the whole call of Brian2's ``run``."""
        self.network.network.restore(STORED)
        self._set(self.stimulus(0))
        with Stopwatch() as watch:
            self.run(count * self.network.dt)
        return watch.seconds

    def facts(self) -> Mapping[str, int | float | str | bool]:
        found = {**super().facts(), "noise": "seeded by the number of the stimulus"}
        if self.target == "numpy":
            return {**found, "flags": "none: NumPy's functions"}
        return {**found, "cython": version("cython")}


class Cython(Runtime):
    """Runtime mode with functions that Cython makes."""

    target = "cython"

    def setup(self) -> Mapping[str, float]:
        if find_spec("Cython") is None:
            raise Absent("Cython is not installed: pip install cython")
        return super().setup()


@contextmanager
def compilations() -> Iterator[dict[str, float]]:
    """Add up what Cython and the compiler take in the block; filled while it runs."""
    from brian2.codegen.runtime.cython_rt import cython_rt

    manager: Any = cython_rt.cython_extension_manager
    original = manager.create_extension
    spent = {COMPILE: 0.0, COMPILE_CPU: 0.0}

    def create_extension(*arguments: Any, **options: Any) -> Any:
        with Stopwatch() as wall, CpuStopwatch() as processor:
            made = original(*arguments, **options)
        spent[COMPILE] += wall.seconds
        spent[COMPILE_CPU] += processor.own + processor.children
        return made

    manager.create_extension = create_extension
    try:
        yield spent
    finally:
        del manager.create_extension


CONTENDERS = {"brian2-numpy": Runtime, "brian2-cython": Cython}
