"""The numbers of ``gpurun report``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gpurun.runlog import LoggedRun, StimulusEntry

#: What is summed up of each seat; the middle four are the phases of a stimulus, in their order.
TIMES = ("queue", "reset", "upload", "loop", "read", "wall")


@dataclass(frozen=True)
class Spread:
    """Median, mean and 95th percentile of a time in seconds; None if there is none."""

    median: float | None
    mean: float | None
    p95: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up `values`; nan stands for what is not known."""
        array = np.asarray(list(values), dtype=float)
        array = array[np.isfinite(array)]
        if not array.size:
            return cls(None, None, None)
        # Linear between the two nearest
        median, p95 = np.percentile(array, (50, 95))
        return cls(float(median), float(array.mean()), float(p95))


@dataclass(frozen=True)
class SeatNumbers:
    """What one seat did.

    Attributes
    ----------
    seat : str
    devices : tuple of str
        More than one if the seat was opened again elsewhere.
    done, failed : int
        Attempts that succeeded, and that did not.
    busy : float or None
        Wall time of all its attempts as a part of the time from the first stimulus's beginning to
        the last one's end, on any seat.
    rate : float or None
        Attempts that succeeded per second of that time.
    times : dict of str to Spread
        By the names in `TIMES`, of the attempts that succeeded.
    memory : int or None
        Largest figure, in bytes.
    """

    seat: str
    devices: tuple[str, ...]
    done: int
    failed: int
    busy: float | None
    rate: float | None
    times: dict[str, Spread]
    memory: int | None


@dataclass(frozen=True)
class DeviceNumbers:
    """Largest figures of one device's memory, in bytes."""

    device: str
    used: int | None
    own: int | None
    total: int | None


@dataclass(frozen=True)
class Failure:
    """A stimulus that never succeeded, and why its last attempt did not."""

    index: int
    attempts: int
    error: str


@dataclass(frozen=True)
class Report:
    """What one run of a log comes down to.

    Attributes
    ----------
    done, retried : int
        Stimuli that succeeded in some attempt, and that had more than one.
    failures : tuple of Failure
        The others, by index.
    elapsed : float
        Seconds from the first stimulus's beginning to the last one's end.
    rate : float or None
        `done` per second of that time.
    times : dict of str to Spread
        Of all seats.
    seats : tuple of SeatNumbers
    devices : tuple of DeviceNumbers
    """

    done: int
    retried: int
    failures: tuple[Failure, ...]
    elapsed: float
    rate: float | None
    times: dict[str, Spread]
    seats: tuple[SeatNumbers, ...]
    devices: tuple[DeviceNumbers, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"failed": len(self.failures), **asdict(self)}


def window(stimuli: Sequence[StimulusEntry]) -> tuple[float, float]:
    """When the first of `stimuli` began, and when the last one ended; (0, 0) if there is none."""
    if not stimuli:
        return 0.0, 0.0
    ends = [entry.began + known(entry.wall_time) for entry in stimuli]
    return min(entry.began for entry in stimuli), max(ends)


def known(seconds: float) -> float:
    """`seconds`, or 0 where they are not known."""
    return max(seconds, 0.0) if np.isfinite(seconds) else 0.0


def seat_order(seat: int | str) -> tuple[bool, int, str]:
    """What seats are sorted by: numbers first."""
    number = isinstance(seat, int)
    return (not number, seat if number else 0, str(seat))


def summarise(run: LoggedRun) -> Report:
    """Sum a run of a log up."""
    began, ended = window(run.stimuli)
    elapsed = ended - began
    attempts: dict[int, list[StimulusEntry]] = {}
    by_seat: dict[int | str, list[StimulusEntry]] = {}
    for entry in run.stimuli:
        attempts.setdefault(entry.index, []).append(entry)
        by_seat.setdefault(entry.seat, []).append(entry)
    failures = tuple(
        Failure(index, len(tried), max(tried, key=lambda entry: entry.attempt).error or "")
        for index, tried in sorted(attempts.items())
        if not any(entry.ok for entry in tried)
    )
    done = len(attempts) - len(failures)
    return Report(
        done=done,
        retried=sum(len(tried) > 1 for tried in attempts.values()),
        failures=failures,
        elapsed=elapsed,
        rate=done / elapsed if elapsed > 0 else None,
        times=_times(run.stimuli),
        seats=tuple(
            _seat(seat, by_seat[seat], elapsed) for seat in sorted(by_seat, key=seat_order)
        ),
        devices=_devices(run),
    )


def _times(stimuli: Iterable[StimulusEntry]) -> dict[str, Spread]:
    good = [entry for entry in stimuli if entry.ok]
    return {name: Spread.of(getattr(entry, f"{name}_time") for entry in good) for name in TIMES}


def _seat(seat: int | str, stimuli: Sequence[StimulusEntry], elapsed: float) -> SeatNumbers:
    done = sum(entry.ok for entry in stimuli)
    busy = sum(known(entry.wall_time) for entry in stimuli)
    return SeatNumbers(
        seat=str(seat),
        devices=tuple(dict.fromkeys(entry.device for entry in stimuli)),
        done=done,
        failed=len(stimuli) - done,
        busy=busy / elapsed if elapsed > 0 else None,
        rate=done / elapsed if elapsed > 0 else None,
        times=_times(stimuli),
        memory=_largest(entry.memory for entry in stimuli),
    )


def _devices(run: LoggedRun) -> tuple[DeviceNumbers, ...]:
    names = dict.fromkeys(sorted(entry.device for entry in run.memory))
    return tuple(
        DeviceNumbers(
            name,
            *(
                _largest(getattr(entry, part) for entry in run.memory if entry.device == name)
                for part in ("used", "own", "total")
            ),
        )
        for name in names
    )


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
