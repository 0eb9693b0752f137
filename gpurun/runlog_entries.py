"""The lines of a run log as objects. Format: ``docs/run_log.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import Any

from gpurun.errors import ResultsError


@dataclass(frozen=True, slots=True)
class StimulusEntry:
    """One attempt at one stimulus.

    Attributes
    ----------
    index : int
        Number of the stimulus.
    attempt : int
        1 for the first.
    seat : int or str
        The session that worked on it.
    device : str
        Such as ``"cpu"`` or ``"cuda:1"``.
    began : float
        When the seat took it, seconds since the epoch.
    queue_time : float
        Seconds that it waited before.
    upload_time, reset_time, loop_time, read_time : float
        As in `RunResult`, in seconds.
    wall_time : float
        Seconds for which it occupied the seat. A time that is not known is nan.
    memory : int or None
        Bytes in use on the device, by whomever, when it was last looked at.
    seed : int or None
    ok : bool
        Whether it succeeded.
    error : str or None
        Why not.
    """

    index: int
    attempt: int
    seat: int | str
    device: str
    began: float
    queue_time: float
    upload_time: float
    reset_time: float
    loop_time: float
    read_time: float
    wall_time: float
    memory: int | None
    seed: int | None
    ok: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """Memory of one device at one moment, in bytes: all of it, and the part of this process."""

    time: float
    device: str
    used: int | None
    own: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Something that happened, such as ``"seat opened"`` or ``"worker lost"``."""

    time: float
    what: str
    text: str


@dataclass(frozen=True)
class LoggedRun:
    """What one scheduler has written: all lines from a ``begin`` to the next.

    Attributes
    ----------
    number : int
        1 for the first in the file.
    facts : mapping
        What the ``begin`` line says.
    stimuli : tuple of StimulusEntry
        In the order in which they ended.
    memory : tuple of MemoryEntry
    events : tuple of EventEntry
    end : mapping or None
        What the ``end`` line says. None: the scheduler still runs, or was killed.
    """

    number: int
    facts: Mapping[str, Any]
    stimuli: tuple[StimulusEntry, ...]
    memory: tuple[MemoryEntry, ...]
    events: tuple[EventEntry, ...]
    end: Mapping[str, Any] | None


@dataclass(frozen=True)
class RunLogContents:
    """What a run log holds.

    Attributes
    ----------
    path : Path
    runs : tuple of LoggedRun
        Empty if the log ends before its first line does.
    cut : tuple of int
        Numbers of lines, from 1, that were not written to their end.
    """

    path: Path
    runs: tuple[LoggedRun, ...]
    cut: tuple[int, ...]

    @property
    def stimuli(self) -> tuple[StimulusEntry, ...]:
        """Those of all runs."""
        return tuple(entry for run in self.runs for entry in run.stimuli)


_Check = Callable[[Any], bool]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_int(value)


# By annotation of the field: what is expected, in words, and whether a value is that.
_CHECKS: dict[str, tuple[str, _Check]] = {
    "int": ("an integer", _is_int),
    "int | None": ("an integer or null", lambda value: value is None or _is_int(value)),
    "int | str": ("an integer or a text", lambda value: isinstance(value, str) or _is_int(value)),
    "float": ("a number or null", lambda value: value is None or _is_number(value)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "str | None": ("a text or null", lambda value: value is None or isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
}
_NEEDED = {"began", "time"}


def _plan(kind: type) -> list[tuple[str, str, str, _Check]]:
    """Name, annotation, expectation and check of each field."""
    plan: list[tuple[str, str, str, _Check]] = []
    for field in fields(kind):
        words, check = _CHECKS[str(field.type)]
        if field.name in _NEEDED:
            words, check = "a number", _is_number
        plan.append((field.name, str(field.type), words, check))
    return plan


_PLANS = {kind: _plan(kind) for kind in (StimulusEntry, MemoryEntry, EventEntry)}


def make_entry(kind: type, line: Mapping[str, Any], path: Path, number: int) -> Any:
    """The entry of `kind` that a decoded line stands for; ResultsError if it lacks something."""
    values: list[Any] = []
    for name, annotation, words, check in _PLANS[kind]:
        value = line.get(name)
        if not check(value):
            raise refusal(path, number, f"its {name!r} is {value!r}, not {words}", "damaged")
        if annotation == "float":
            value = nan if value is None else float(value)
        values.append(value)
    return kind(*values)


def refusal(path: Path, number: int, what: str, reason: str) -> ResultsError:
    """The error for a line that is none of a run log."""
    return ResultsError(
        f"Line {number} of '{path}' is not of a run log of gpurun: {what}.",
        path=str(path),
        line=number,
        reason=reason,
    )
