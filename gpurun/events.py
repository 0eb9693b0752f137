"""What happens while models are built and run, for whoever wants to watch.

The command line shows progress from these events; benchmarks and notebooks can
do the same. Observers are called in the thread that does the work, so they have
to be quick, and an exception they raise is not swallowed.
"""

from __future__ import annotations

from collections.abc import Callable
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
    for observer in tuple(_observers):
        observer(event)
