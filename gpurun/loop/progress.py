"""Says how far a loop over stimuli has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpurun.errors import ConfigError
from gpurun.reporting import seconds_text, wall_seconds

_STREAMS = {"text": "stdout", "stdout": "stdout", "stderr": "stderr"}


@dataclass(frozen=True)
class LoopProgress:
    """How far a loop over stimuli has come.

    Attributes
    ----------
    done : int
        Stimuli presented so far, those of an earlier process that was resumed included.
    total : int or None
        None if there is no end, or it is not known.
    elapsed : float
        Wall seconds.
    rate : float
        Stimuli per wall second.
    left : float or None
        Wall seconds to the end, at this rate.
    waited : float
        Wall seconds in which the session has waited for stimuli.
    """

    done: int
    total: int | None
    elapsed: float
    rate: float
    left: float | None
    waited: float

    def __str__(self) -> str:
        of = "" if not self.total else f" of {self.total} ({self.done / self.total:.0%})"
        text = f"stimulus {self.done}{of}, {self.rate:.1f} per second"
        if self.left:
            text += f", about {seconds_text(self.left)} left"
        return text


class LoopReporter:
    """Calls a report at the end and about every `period` wall seconds before it.

    Parameters
    ----------
    report : None, {"text", "stdout", "stderr"} or callable
        A function gets a `LoopProgress`.
    period : Quantity or float (s)
    total : int or None
    already : int
        Stimuli presented before this loop began.

    Raises
    ------
    ConfigError, UnitMismatchError
    """

    def __init__(self, report: Any, period: Any, total: int | None, already: int = 0) -> None:
        if report is not None and not callable(report) and report not in _STREAMS:
            raise ConfigError(
                f"report={report!r} is not known: expected 'text', 'stdout', 'stderr' or a "
                "function of a LoopProgress.",
                name="report",
                value=report,
            )
        self._report: Callable[[LoopProgress], Any] | None = (
            report if report is None or callable(report) else _Printer(_STREAMS[report])
        )
        self._period = wall_seconds("report_period", period)
        self._total, self._already = total, already
        self._told = -1
        self.begin()

    def begin(self) -> None:
        """Time is counted from now on."""
        self._began = self._last = time.monotonic()

    def tell(self, done: int, waited: float, *, over: bool = False) -> None:
        """`done` stimuli were presented by this loop."""
        if self._report is None or done == self._told:
            return
        now = time.monotonic()
        if not over and now - self._last < self._period:
            return
        self._last, self._told = now, done
        elapsed = now - self._began
        rate = done / elapsed if elapsed else 0.0
        shown = self._already + done
        left = (self._total - shown) / rate if self._total is not None and rate else None
        self._report(LoopProgress(shown, self._total, elapsed, rate, left, waited))


class _Printer:
    def __init__(self, stream: str) -> None:
        self._stream = stream

    def __call__(self, progress: LoopProgress) -> None:
        # Looked up now, because it may be another one by now
        print(progress, file=getattr(sys, self._stream), flush=True)
