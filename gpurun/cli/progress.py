"""Shows what the script is doing, on stderr, while it is doing it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from gpurun import events
from gpurun.cli.tally import Tally
from gpurun.cli.wording import number, say, seconds

LONG_RUN = 0.5  # seconds after which a run gets a bar of its own


class Display(Protocol):
    """Something that follows the events."""

    def __call__(self, event: events.Event) -> None:
        """Take note of an event that `Tally` has counted already."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Silence:
    """The display of ``--quiet``."""

    def __call__(self, event: events.Event) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def choose_display(tally: Tally, *, quiet: bool) -> Display:
    """Return the display that fits where stderr goes."""
    if quiet:
        return Silence()
    stream = sys.stderr
    # It is None where a process has no stderr at all.
    if stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from gpurun.cli.terminal import BottomLine

        return BottomLine(tally, stream.fileno())
    return PlainLines(tally)


class PlainLines:
    """Occasional plain lines, for logs: builds, and one line every few seconds.

    Parameters
    ----------
    tally : Tally
        The counts to report.
    interval : float, optional
        Seconds of wall time between two lines.
    write : callable, optional
        Takes a line.
    """

    def __init__(
        self, tally: Tally, interval: float = 10.0, write: Callable[[str], None] = say
    ) -> None:
        self._tally = tally
        self._interval = interval
        self._write = write
        self._pid = os.getpid()
        self._last = time.monotonic()

    def __call__(self, event: events.Event) -> None:
        """Write a line if it is time for one."""
        if os.getpid() != self._pid:
            return
        if isinstance(event, events.BuildStarted):
            self._write("building the model")
        elif isinstance(event, events.BuildFinished):
            how = "taken from the cache" if event.cached else "compiled"
            self._write(f"model {how} in {seconds(event.wall_time)}")
            self._last = time.monotonic()
        elif time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            self._write(", ".join(describe(self._tally)))

    def close(self) -> None:
        """Do nothing: every line is complete."""


def describe(tally: Tally) -> list[str]:
    """Return the parts of a progress line: runs done, rate, run under way."""
    parts = [number(tally.runs, "run") + " done"]
    rate = tally.rate()
    if rate is not None:
        parts.append(f"{rate:.3g} stimuli/s")
    active = tally.active()
    long = [run for run in active if time.monotonic() - run.started >= LONG_RUN]
    if len(long) == 1:
        run = long[0]
        parts.append(f"this run {100 * run.completed:.0f} %")
        left = time_left(run.completed, time.monotonic() - run.started)
        if left is not None:
            parts.append(f"{seconds(left)} left")
    elif len(active) > 1:
        parts.append(f"{len(active)} running")
    return parts


def time_left(completed: float, elapsed: float) -> float | None:
    """Estimate the seconds that a run will still take, or None while unknown."""
    if not 0.005 < completed < 1:
        return None
    # Whole seconds below a minute would suggest more than is known.
    return max(elapsed * (1 - completed) / completed, 0.1)
