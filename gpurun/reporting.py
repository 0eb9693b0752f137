"""Reports on a run while it is under way, as Brian's ``run(report=...)`` gives them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from gpurun.errors import ConfigError
from gpurun.values import check_dimensions

Progress = Callable[[float, float], Any]
#: Called with wall seconds, completed fraction, model time at the start and duration (s).
Report = Callable[[float, float, float, float], Any]

_SECOND = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
_STREAMS = {"text": "stdout", "stdout": "stdout", "stderr": "stderr"}


def seconds_text(seconds: float) -> str:
    """A duration in words: "45 s", "3 min 20 s", "2 h 5 min", "1 d 4 h"."""
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"),
                                      (60, "min", 1, "s")):  # fmt: skip
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def wall_seconds(name: str, value: Any) -> float:
    """`value`, a positive number of seconds.

    Raises
    ------
    ConfigError, UnitMismatchError
    """
    check_dimensions(name, value, _SECOND, "second", require_unit=False)
    try:
        seconds = float(np.asarray(value))
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds > 0:
        raise ConfigError(
            f"{name} is a positive number of seconds, not {value!r}.", name=name, value=value
        )
    return seconds


class _TextReport:
    def __init__(self, stream: str) -> None:
        self.stream = stream

    def __call__(self, elapsed: float, completed: float, start: float, duration: float) -> None:
        if completed <= 0:
            text = f"Starting at t = {start:g} s, for {duration:g} s"
        else:
            text = f"{completed * duration:g} s ({completed:.0%}) in {seconds_text(elapsed)}"
            if completed < 1:
                left = elapsed * (1 - completed) / completed
                text += f", about {seconds_text(left)} left"
        # Looked up now, because it may be another one by now
        print(text, file=getattr(sys, self.stream), flush=True)


def as_report(report: Any) -> Report | None:
    """The function that `report` stands for.

    Parameters
    ----------
    report : None, {"text", "stdout", "stderr"} or callable

    Raises
    ------
    ConfigError
        It is something else.
    """
    if report is None or callable(report):
        return report
    if report not in _STREAMS:
        raise ConfigError(
            f"report={report!r} is not known: expected 'text', 'stdout', 'stderr' or a function of "
            "(elapsed, completed, start, duration).",
            name="report",
            value=report,
        )
    return _TextReport(_STREAMS[report])


class Reporter:
    """Calls a report at the start, about every `period` wall seconds, and at the end.

    Parameters
    ----------
    report : callable or None
    period : float
        Wall seconds.
    start, duration : float
        Of the run, in seconds of model time.
    progress : callable, optional
        Called more often; a true result stops the run.
    """

    def __init__(
        self,
        report: Report | None,
        period: float,
        start: float,
        duration: float,
        progress: Progress | None = None,
    ) -> None:
        self._report = report
        self._period = period
        self._span = (start, duration)
        self._progress = progress
        self._next = period
        self._elapsed = 0.0

    @classmethod
    def of(
        cls, report: Any, period: Any, start: float, duration: float, progress: Progress | None
    ) -> Reporter:
        """From a user's arguments; see `as_report`.

        Raises
        ------
        ConfigError
        """
        return cls(as_report(report), wall_seconds("report_period", period), start, duration,
                   progress)  # fmt: skip

    @property
    def progress(self) -> Progress | None:
        """What to hand to the time loop."""
        return self._progress if self._report is None else self._tell

    def begin(self) -> None:
        """Report that it starts."""
        if self._report is not None:
            self._report(0.0, 0.0, *self._span)

    def _tell(self, completed: float, elapsed: float) -> bool:
        self._elapsed = elapsed
        if self._report is not None and elapsed >= self._next:
            self._next = elapsed + self._period
            self._report(elapsed, completed, *self._span)
        return bool(self._progress is not None and self._progress(completed, elapsed))

    def end(self, completed: float, elapsed: float) -> None:
        """Report how far it came."""
        if self._report is not None:
            self._report(elapsed, completed, *self._span)
