"""``run(report=...)`` as in runtime mode: the same callbacks with the same arguments."""

from __future__ import annotations

import sys
from typing import Any

from brian2.core.network import TextReport
from brian2.units import second

_STREAMS = {"text": "stdout", "stdout": "stdout", "stderr": "stderr"}


def report_function(report: Any) -> Any:
    """Brian's callback for the argument `report` of ``run``; None for None.

    Raises
    ------
    ValueError, TypeError
        As runtime mode does.
    """
    if report is None or callable(report):
        return report
    if isinstance(report, str):
        if report not in _STREAMS:
            raise ValueError(f"report={report!r} is not known; expected 'text', 'stdout', 'stderr'")
        return TextReport(getattr(sys, _STREAMS[report]))
    raise TypeError(f"report is a name or a function, not {type(report)}")


class RunReport:
    """Calls a report function at the start, now and then, and at the end.

    Parameters
    ----------
    report : see `report_function`
    period : float
        Wall time in seconds.
    start, duration : Quantity
        Of the run.
    """

    def __init__(self, report: Any, period: float, start: Any, duration: Any) -> None:
        self._function = report_function(report)
        self._period = period
        self._next = period
        self._span = (start, duration)

    def begin(self) -> None:
        """Report the start."""
        if self._function is not None:
            self._function(0 * second, 0.0, *self._span)

    def tell(self, completed: float, elapsed: float) -> None:
        """Report, if it is time."""
        if self._function is not None and elapsed > self._next:
            self._function(elapsed * second, completed, *self._span)
            self._next = elapsed + self._period

    def end(self, completed: float, elapsed: float) -> None:
        """Report the end."""
        if self._function is not None:
            self._function(elapsed * second, completed, *self._span)
