"""What a contender does, and the names of what it measures.

Every contender lives in a process of its own (`gpurun.bench_contenders.worker`) for as long as its
case is measured: Brian keeps its devices in globals, and memory is that of a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

#: The package that ``benchmarks/contenders`` is installed as.
PACKAGE = "gpurun.bench_contenders"

# Measures of `setup`, in seconds.
GENERATION = "code generation"
COMPILE = "compilation, wall"
COMPILE_CPU = "compilation, processor time"
LOAD = "load"
# Measures of a presentation, in seconds; the first is kept apart from the following.
WALL = "wall"
OUTSIDE = "outside the time loop"
LOOP = "time loop"
UPLOAD, RESET, READ = "upload", "reset", "read"
# On a card, by its own clock (CUDA events).
DEVICE = "time loop, device"
# Measures of `memory`, in bytes.
HOST_PEAK, DEVICE_PEAK = "peak host memory", "peak device memory"
# Of `energy`, in joules a stimulus: of the whole card, idle or not.
ENERGY = "energy"


class Absent(Exception):  # noqa: N818 -- no error: something is not there
    """The contender cannot take part, and why; from its constructor or `setup`."""


class Contender(Protocol):
    """One way to do a case, in its own process.

    A module of the package has ``CONTENDERS``, a dict of name to a callable that takes the case,
    the name of a size and an empty folder to work in, and returns one of these.
    """

    def setup(self) -> Mapping[str, float]:
        """Make everything ready for presentations; returns what it took, by measure.

        Raises
        ------
        Absent
            Something that this needs is not installed, or the case does not have it.
        """
        ...

    def present(self, number: int) -> Mapping[str, float]:
        """Present stimulus `number` and read the case's `reads`.

        Returns
        -------
        mapping
            At least :data:`WALL`, from the call to the values; :data:`LOOP` and the other parts
            where they are known.
        """
        ...

    def result(self, number: int) -> Mapping[str, NDArray[Any]]:
        """Present stimulus `number` and return what it is judged by.

        Returns
        -------
        mapping
            ``"NAME.i"`` and ``"NAME.t"`` (seconds) of every monitor in `spikes`, ``"NAME"`` of
            every variable in `reads` and `distributions`.
        """
        ...

    def steps(self, count: int) -> float | None:
        """Seconds of the time loop of a run of `count` steps; None where it cannot be told."""
        ...

    def throughput(self, replicas: int, count: int) -> float | None:
        """Seconds for stimuli 0 to `count` - 1, up to `replicas` at a time; None if it cannot."""
        ...

    def facts(self) -> Mapping[str, int | float | str | bool]:
        """What the report should say: flags, threads, versions, fixes that were needed.

        ``"bytes moved"``, where known, is what a presentation has to move at least (upload, reset,
        read).
        """
        ...

    def memory(self) -> Mapping[str, float]:
        """Peak memory so far, in bytes, of this process and its children; and of the card."""
        ...

    def energy(self, count: int) -> float | None:
        """Joules of the card for stimuli 0 to `count` - 1, one at a time; None if nobody counts."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
