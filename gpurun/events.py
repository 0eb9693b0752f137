"""What happens while models are built and run, for whoever wants to watch.

The command line shows progress from these events; benchmarks and notebooks can
do the same. Observers are called in the thread that does the work, so they have
to be quick, and an exception they raise is not swallowed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class BuildStarted:
    """A build began. `name` is the code key, or ``""`` while it is not known."""

    name: str = ""


@dataclass(frozen=True)
class BuildFinished:
    """A build ended. Times in seconds; `cached` is true when nothing was compiled."""

    name: str
    wall_time: float
    compile_time: float
    cached: bool


@dataclass(frozen=True)
class RunStarted:
    """A run began. `duration` is its model time in seconds."""

    duration: float


@dataclass(frozen=True)
class RunProgress:
    """A run is under way: `completed` in [0, 1], wall time `elapsed` in seconds."""

    completed: float
    elapsed: float


@dataclass(frozen=True)
class RunFinished:
    """A run ended. Model time `duration` and wall time in seconds.

    `completed` is the fraction of the requested duration that was simulated.
    """

    duration: float
    wall_time: float
    completed: float


Event = BuildStarted | BuildFinished | RunStarted | RunProgress | RunFinished
Observer = Callable[[Event], None]

_observers: list[Observer] = []


def subscribe(observer: Observer) -> Callable[[], None]:
    """Call `observer` for every event; returns a function that ends it."""
    _observers.append(observer)

    def unsubscribe() -> None:
        if observer in _observers:
            _observers.remove(observer)

    return unsubscribe


def observed() -> bool:
    """Whether anybody is watching."""
    return bool(_observers)


def emit(event: Event) -> None:
    """Tell all observers about `event`."""
    whole: Joined | None = getattr(_here, "joined", None)
    if whole is not None:
        whole.take(event)
        return
    _tell(event)


def _tell(event: Event) -> None:
    for observer in tuple(_observers):
        observer(event)


# -- runs in pieces ------------------------------------------------------------------

_here = threading.local()
# A sum of pieces is not exactly the whole
_WHOLE = 1 - 1e-9


class Joined:
    """Runs of one thread that are one run to whoever watches; see `joined`."""

    def __init__(self) -> None:
        self._duration: float | None = None
        self._began = 0.0
        self._piece = 0.0
        self._done = 0.0
        self._finished = False

    def begin(self, duration: float) -> None:
        """The pieces begin now, and `duration` (s) is the model time of all of them."""
        self._duration = duration
        self._began = time.perf_counter()
        _tell(RunStarted(duration))

    def _fraction(self, done: float) -> float:
        fraction = done / self._duration if self._duration else 1.0
        return 1.0 if fraction > _WHOLE else fraction

    def take(self, event: Event) -> None:
        """Pass on what `event` means for the whole."""
        if not isinstance(event, RunStarted | RunProgress | RunFinished):
            _tell(event)
        elif self._duration is None:
            pass
        elif isinstance(event, RunStarted):
            self._piece = event.duration
        elif isinstance(event, RunProgress):
            done = self._done + event.completed * self._piece
            _tell(RunProgress(self._fraction(done), time.perf_counter() - self._began))
        else:
            self._done += event.duration
            self._finished = True

    def end(self) -> None:
        """There are no more pieces."""
        if self._finished:
            wall_time = time.perf_counter() - self._began
            _tell(RunFinished(self._done, wall_time, self._fraction(self._done)))


@contextmanager
def joined() -> Iterator[Joined]:
    """Let the runs of this thread be one run to observers; not to be nested.

    Runs before the call of `Joined.begin` are not shown at all.
    """
    whole = _here.joined = Joined()
    try:
        yield whole
    finally:
        _here.joined = None
        whole.end()
