"""Counts what was built and run, in this process and in its children."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from gpurun import events

_WINDOW = 10.0  # seconds of the past that the displayed rate is taken from


@dataclass
class ActiveRun:
    """A run that is under way; `started` is a ``time.monotonic()``."""

    started: float
    completed: float = 0.0


class Tally:
    """An observer of :mod:`gpurun.events` that adds up runs and builds.

    Children of this process (a ``multiprocessing.Pool`` over ``device.run``) append
    what they did to a file, which :meth:`collect` reads.

    Attributes
    ----------
    runs, stopped : int
        Runs that ended, and those of them that ended early.
    model_time, run_time : float
        Sums over the runs, in seconds of model time and of wall time.
    builds, cached : int
        Builds that ended, and those of them that compiled nothing.
    build_time : float
        Sum over the builds, wall time in seconds.
    building : float or None
        ``time.monotonic()`` when the build that is under way began.
    """

    def __init__(self, relay: Path | None = None) -> None:
        # The name cannot be guessed, and the file appears only if a child writes to it.
        name = f"gpurun-{os.getpid()}-{secrets.token_hex(8)}"
        self.relay = relay or Path(tempfile.gettempdir(), name)
        self.runs = 0
        self.stopped = 0
        self.model_time = 0.0
        self.run_time = 0.0
        self.builds = 0
        self.cached = 0
        self.build_time = 0.0
        self.building: float | None = None
        self._active: dict[int, ActiveRun] = {}
        self._history: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._position = 0

    def __call__(self, event: events.Event) -> None:
        """Take note of an event; called in the thread that does the work."""
        if os.getpid() != self._pid:
            # A forked child inherits this object, and perhaps a lock that is held for ever.
            append(self.relay, event)
            return
        with self._lock:
            self._count(event)

    def _count(self, event: events.Event) -> None:
        now = time.monotonic()
        thread = threading.get_ident()
        match event:
            case events.BuildStarted():
                self.building = now
            case events.BuildFinished():
                self.building = None
                self.builds += 1
                self.cached += event.cached
                self.build_time += event.wall_time
            case events.RunStarted():
                self.building = None  # a build that failed does not say so
                self._active[thread] = ActiveRun(now)
                if not self._history:
                    self._history.append((now, self.runs))
            case events.RunProgress():
                if thread in self._active:
                    self._active[thread].completed = event.completed
            case events.RunFinished():
                self._active.pop(thread, None)
                self._add_run(event.duration, event.wall_time, event.completed)
                self._remember(now)

    def _add_run(self, model_time: float, wall_time: float, completed: float) -> None:
        self.runs += 1
        self.stopped += completed < 1
        self.model_time += model_time
        self.run_time += wall_time

    def _remember(self, now: float) -> None:
        # One entry per 1/20 of the window keeps the history short at any rate of runs.
        if not self._history or now - self._history[-1][0] >= _WINDOW / 20:
            self._history.append((now, self.runs))
        while len(self._history) > 2 and now - self._history[1][0] > _WINDOW:
            self._history.popleft()

    def rate(self) -> float | None:
        """Return runs per second over the last seconds, or None while unknown."""
        with self._lock:
            if not self._history:
                return None
            since, runs = self._history[0]
            elapsed = time.monotonic() - since
            done = self.runs - runs
            return done / elapsed if done and elapsed > 0 else None

    def active(self) -> list[ActiveRun]:
        """Return the runs under way, in all threads of this process."""
        with self._lock:
            return list(self._active.values())

    def collect(self) -> None:
        """Add what children have done since the last call."""
        try:
            with self.relay.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except OSError:
            return
        # A child may be in the middle of a line.
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        with self._lock:
            for line in whole.decode("ascii").splitlines():
                kind, first, second, third = line.split()
                if kind == "run":
                    self._add_run(float(first), float(second), float(third))
                else:
                    self.builds += 1
                    self.cached += third == "1"
                    self.build_time += float(first)
            if whole:
                self._remember(time.monotonic())

    def close(self) -> None:
        """Collect for the last time and remove the file."""
        self.collect()
        with contextlib.suppress(OSError):
            self.relay.unlink()


class ChildTally:
    """The observer of a child that was started afresh (``spawn``)."""

    def __init__(self, relay: Path) -> None:
        self._relay = relay

    def __call__(self, event: events.Event) -> None:
        """Pass the event on to the parent."""
        append(self._relay, event)


def append(path: Path, event: events.Event) -> None:
    """Append a finished run or build to `path`, as one line in one write."""
    match event:
        case events.RunFinished():
            # float(): the repr of a NumPy number is not a number.
            times = f"{float(event.duration)!r} {float(event.wall_time)!r}"
            line = f"run {times} {float(event.completed)!r}\n"
        case events.BuildFinished():
            line = (
                f"build {float(event.wall_time)!r} {float(event.compile_time)!r} {event.cached:d}\n"
            )
        case _:
            return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    # Counting must not be what makes a run fail.
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)
