"""Wall time, processor time and resident memory of this process."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_STATM = Path("/proc/self/statm")


class Stopwatch:
    """Measures the wall time of a ``with`` block.

    Attributes
    ----------
    seconds : float
        Time between entering and leaving the block; 0 before that.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._start


class CpuStopwatch:
    """Measures the processor time of a ``with`` block, user and system, of all cores.

    Attributes
    ----------
    own, children : float
        Seconds of this process, and of those that it started and that ended in the block,
        with theirs; 0 before that.
    """

    def __init__(self) -> None:
        self.own = 0.0
        self.children = 0.0
        self._start = (0.0, 0.0)

    @staticmethod
    def _now() -> tuple[float, float]:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own, children = (used.ru_utime + used.ru_stime for used in both)
        return own, children

    def __enter__(self) -> Self:
        self._start = self._now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        own, children = self._now()
        self.own, self.children = own - self._start[0], children - self._start[1]


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM now, in bytes.

    Returns
    -------
    int or None
        None where the system does not say (anything but Linux).
    """
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
