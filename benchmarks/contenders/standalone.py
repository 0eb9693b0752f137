"""Brian2's C++ standalone mode: one program, started anew for each stimulus.

``device.run(run_args={...})`` hands the stimulus over in files and arguments, and results come
back in files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.codegen.cpp_prefs import get_compiler_and_args
from brian2.input.timedarray import TimedArray
from numpy.typing import NDArray

from gpurun.bench.clocks import CpuStopwatch, Stopwatch
from gpurun.bench.machine import cores
from gpurun.bench.suite.case import Stimulus
from gpurun.bench.suite.contender import (
    COMPILE,
    COMPILE_CPU,
    GENERATION,
    HOST_PEAK,
    LOOP,
    OUTSIDE,
    READ,
    WALL,
    Absent,
)

from . import memory
from .common import BrianContender, Measures, Values, bare, choose_flags

_COMMAND = "devices.cpp_standalone.run_cmd_unix"
_THREADS = "devices.cpp_standalone.openmp_threads"


class Standalone(BrianContender):
    """``cpp_standalone``; `threads` are OpenMP's, and 0 is a program without OpenMP."""

    threads = 0

    def setup(self) -> Mapping[str, float]:
        self.device = self.activate()
        with Stopwatch() as generation:
            self.create()
            self.unseed()
            self.run(self.network.duration)
            self.write(self.folder / "project")
        with Stopwatch() as compiling, CpuStopwatch() as processor:
            self.compile(self.folder / "project")
        self.carried = dict.fromkeys(self.network.carry)
        memory.reset_peak()
        return {
            GENERATION: generation.seconds,
            COMPILE: compiling.seconds,
            COMPILE_CPU: processor.own + processor.children,
        }

    def activate(self) -> Any:
        """Make the device active, set its flags, and return it."""
        choose_flags()
        b2.prefs[_THREADS] = self.threads
        b2.set_device("cpp_standalone", build_on_run=False)
        return b2.get_device()

    def unseed(self) -> None:
        """Have other noise in each process, whatever the script says."""
        b2.seed()

    def write(self, project: Path) -> None:
        """Write the sources."""
        self.device.build(directory=str(project), compile=False, run=False, with_output=False)

    def compile(self, project: Path) -> None:
        """Compile them, as ``device.build`` does."""
        self.device.compile_source(str(project), get_compiler_and_args()[0], False, False)

    def arguments(self, stimulus: Stimulus) -> dict[Any, Any]:
        """``run_args`` for a stimulus, and for what is carried."""
        carried = {name: value for name, value in self.carried.items() if value is not None}
        return dict(self._argument(*entry) for entry in {**carried, **stimulus}.items())

    def _argument(self, name: str, value: NDArray[Any] | float) -> tuple[Any, Any]:
        owner, attribute = self.network.of(name)
        key = getattr(owner, attribute) if attribute else owner
        if not attribute and not isinstance(owner, TimedArray):
            raise Absent(f"brian2 cannot set '{name}' through run_args")
        return key, b2.Quantity(np.ascontiguousarray(value), dim=key.dim)

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str], **options: Any
    ) -> tuple[Measures, Values]:
        with Stopwatch() as wall:
            arguments = self.arguments(stimulus)
            self.device.run(run_args=arguments, with_output=False, **options)
            with Stopwatch() as read:
                values = bare(self.network, names)
                if self.carried:
                    self.carried = dict(bare(self.network, self.carried))
        loop = float(self.device._last_run_time)
        measured = {
            WALL: wall.seconds,
            LOOP: loop,
            OUTSIDE: wall.seconds - loop,
            READ: read.seconds,
        }
        return measured, values

    def facts(self) -> Mapping[str, int | float | str | bool]:
        return {
            **super().facts(),
            "threads": max(1, self.threads),
            "noise": "seeded by the system in each process",
            "memory": "of this process, and of the program that it starts",
        }

    def memory(self) -> Mapping[str, float]:
        """Peaks of this process and of the program, for which it is started once more."""
        return {HOST_PEAK: float(self.peak() + self.peak_of_program())}

    def peak_of_program(self) -> int:
        """Peak of the program alone, in bytes."""
        file = self.folder / "peak"
        before, carried = b2.prefs[_COMMAND], self.carried
        self.keep_peak()
        b2.prefs[_COMMAND] = memory.measured(["./main"], file)
        try:
            self.show(0, self.stimulus(0), self.network.reads)
        finally:
            b2.prefs[_COMMAND], self.carried = before, carried
        return int(file.read_text(encoding="ascii"))


class Threads(Standalone):
    """With one OpenMP thread for each core."""

    threads = cores()

    def setup(self) -> Mapping[str, float]:
        if self.threads < 2:
            raise Absent("there is one core only, for which brian2-cpp is the same")
        return super().setup()


CONTENDERS = {"brian2-cpp": Standalone, "brian2-cpp-threads": Threads}
