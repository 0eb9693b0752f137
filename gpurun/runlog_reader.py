"""Reads run logs, also those whose writers were killed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from gpurun.errors import ResultsError
from gpurun.runlog_entries import (
    EventEntry,
    LoggedRun,
    MemoryEntry,
    RunLogContents,
    StimulusEntry,
    make_entry,
    refusal,
)

FORMAT = 1

#: How every line begins. A quotation mark inside a text is escaped, so this is nowhere else.
OPENING = b'{"type": "'
#: How the first line begins.
FIRST = b'{"type": "begin", "format": '


def check_begin(path: Path, line: Any, number: int = 1) -> None:
    """Raise ResultsError unless `line`, decoded, begins a log that this version can read."""
    if not isinstance(line, dict) or line.get("type") != "begin" or "format" not in line:
        raise refusal(path, number, 'it is not a "begin" line', "not_results")
    if line["format"] != FORMAT:
        raise ResultsError(
            f"Line {number} of '{path}': the run log has the format {line['format']!r}; this "
            f"version of gpurun knows {FORMAT}. Use the version that wrote it, or a newer one.",
            path=str(path),
            line=number,
            reason="newer_format",
        )


def decode(line: bytes) -> Any:
    """The JSON value of `line`; ValueError if it is none."""
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_cut(data: bytes, opening: bytes = OPENING) -> bool:
    """Whether `data` can be the beginning of a line, or of a hole that a crash has left."""
    data = data.strip(b"\0")
    return data.startswith(opening[: len(data)])


def _lines(path: Path) -> Iterator[tuple[int, Any, bool]]:
    """Number, value and whether something of it is missing; the value is None for a cut line."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text:
                continue
            try:
                yield number, decode(text), False
                continue
            except ValueError as error:
                problem = error
            # The line of a writer that was killed, and then perhaps one of another writer
            position = text.rfind(OPENING)
            rest = text[:position] if position > 0 else text
            if not is_cut(rest, FIRST if number == 1 else OPENING):
                reason = "not_results" if number == 1 else "damaged"
                raise refusal(path, number, f"it is no JSON ({problem})", reason)
            value = None
            if position > 0:
                try:
                    value = decode(text[position:])
                except ValueError:
                    value = None
            yield number, value, True


class _Section:
    """A `LoggedRun` that still grows."""

    def __init__(self, number: int, facts: Mapping[str, Any]) -> None:
        self.number = number
        self.facts = facts
        self.stimuli: list[StimulusEntry] = []
        self.memory: list[MemoryEntry] = []
        self.events: list[EventEntry] = []
        self.end: Mapping[str, Any] | None = None

    def add(self, line: Mapping[str, Any], path: Path, number: int) -> None:
        match line["type"]:
            case "stimulus":
                self.stimuli.append(make_entry(StimulusEntry, line, path, number))
            case "memory":
                self.memory.append(make_entry(MemoryEntry, line, path, number))
            case "event":
                self.events.append(make_entry(EventEntry, line, path, number))
            case "end":
                self.end = _facts(line)
            case _:
                pass  # what a later version says besides

    def closed(self) -> LoggedRun:
        return LoggedRun(
            self.number,
            self.facts,
            tuple(self.stimuli),
            tuple(self.memory),
            tuple(self.events),
            self.end,
        )


def _facts(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "type"}


def read_log(path: str | PathLike[str]) -> RunLogContents:
    """Read a run log, also one that is still being written.

    Lines that were cut off, because their writer was killed or the disk was full, are left out;
    `RunLogContents.cut` has their numbers.

    Parameters
    ----------
    path : path_like

    Returns
    -------
    RunLogContents

    Raises
    ------
    ResultsError
        There is no such file, it is something else, or it has another format. Fields: `path`,
        `reason`, and `line` where the file and not the system is the reason.
    """
    path = Path(path)
    sections: list[_Section] = []
    cut: list[int] = []
    try:
        for number, line, torn in _lines(path):
            if torn:
                cut.append(number)
                if line is None:
                    continue
            if not sections or (isinstance(line, dict) and line.get("type") == "begin"):
                check_begin(path, line, number)
                sections.append(_Section(len(sections) + 1, _facts(line)))
                continue
            if not isinstance(line, dict) or not isinstance(line.get("type"), str):
                raise refusal(path, number, "it is no object with a 'type'", "damaged")
            sections[-1].add(line, path, number)
    except FileNotFoundError as error:
        raise ResultsError(
            f"There is no run log '{path}'.", path=str(path), reason="missing"
        ) from error
    except ResultsError:
        raise
    except OSError as error:
        raise ResultsError(
            f"The run log '{path}' cannot be read ({error.strerror}).",
            path=str(path),
            reason="damaged",
            errno=error.errno,
        ) from error
    return RunLogContents(path, tuple(section.closed() for section in sections), tuple(cut))
