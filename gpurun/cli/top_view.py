"""One frame of ``gpurun top``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import basename

import psutil
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gpurun.cli.wording import number, seconds, size
from gpurun.nvml_types import Card, MigInstance, Snapshot
from gpurun.status_board import BoardEntry

_NONE = "–"
_BAR = 16
_SILENT = 10.0  # seconds after which a scheduler's words are called old


@dataclass(frozen=True)
class Host:
    """The machine: the part of its cores that is busy in per cent, and its memory in bytes."""

    cpu: float | None
    cores: int
    memory_used: int
    memory_total: int


@dataclass(frozen=True)
class Frame:
    """What is shown at one moment, in seconds since the epoch."""

    time: float
    boards: Sequence[BoardEntry]
    snapshot: Snapshot
    host: Host


def render(frame: Frame) -> Group:
    """The frame as rich draws it."""
    parts: list[RenderableType] = [_headline(frame), Text(), _devices(frame), Text()]
    if frame.boards:
        parts.append(_schedulers(frame))
    else:
        parts.append(Text("no scheduler is running"))
    processes = _processes(frame)
    if processes is not None:
        parts += [Text(), processes]
    return Group(*parts)


def _headline(frame: Frame) -> Text:
    when = datetime.fromtimestamp(frame.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    words = [f"gpurun top  {when}"]
    snapshot = frame.snapshot
    if snapshot.driver_version:
        cuda = "CUDA up to {}.{}".format(*snapshot.cuda_version) if snapshot.cuda_version else ""
        words.append(
            ", ".join(part for part in (f"driver {snapshot.driver_version}", cuda) if part)
        )
    if snapshot.problem:
        words.append(f"no card can be used: {snapshot.problem}")
    return Text("  ".join(words), style="bold")


def _table(*titles: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="left" if title in left else "right", no_wrap=True)
    return table


def _bar(part: float | None, whole: float | None) -> RenderableType:
    if part is None or not whole:
        return Text("")
    return ProgressBar(total=whole, completed=min(part, whole), width=_BAR)


def _figure(value: float | None, unit: str, digits: int = 0) -> Text:
    return Text(_NONE if value is None else f"{value:.{digits}f} {unit}".rstrip())


def _of(part: int | None, whole: int | None) -> Text:
    if part is None and whole is None:
        return Text(_NONE)
    return Text(" / ".join(_NONE if value is None else size(value) for value in (part, whole)))


# -- devices -------------------------------------------------------------------------


def _devices(frame: Frame) -> Table:
    titles = ("device", "name", "", "memory", "busy", "memory busy", "chip", "power", "clock")
    table = _table(*titles, "slowed by", left=("device", "name", "", "slowed by"))
    host = frame.host
    table.add_row(
        "cpu",
        number(host.cores, "core"),
        _bar(host.memory_used, host.memory_total),
        _of(host.memory_used, host.memory_total),
        _figure(host.cpu, "%"),
    )
    for card in frame.snapshot.cards:
        _add_card(table, card)
        for part in card.mig_instances:
            table.add_row(*_beginning(part, f"  slice {part.index}"))
    return table


def _beginning(card: Card | MigInstance, otherwise: str) -> list[RenderableType]:
    device = otherwise if card.cuda_index is None else f"cuda:{card.cuda_index}"
    if isinstance(card, MigInstance):
        device = f"  {device.strip()}"
    return [
        Text(device),
        Text(card.name or "(does not answer)"),
        _bar(card.memory_used, card.memory_total),
        _of(card.memory_used, card.memory_total),
    ]


def _add_card(table: Table, card: Card) -> None:
    reasons = card.throttle_reasons
    power = _NONE if card.power is None else f"{card.power:.0f}"
    limit = "" if card.power_limit is None else f" / {card.power_limit:.0f}"
    known = card.power is not None or card.power_limit is not None
    table.add_row(
        *_beginning(card, f"(card {card.nvml_index})"),
        _figure(card.utilisation_gpu, "%"),
        _figure(card.utilisation_memory, "%"),
        _figure(card.temperature, "°C"),
        Text(f"{power}{limit} W" if known else _NONE),
        _figure(card.clock_sm, "MHz"),
        Text(_NONE if reasons is None else ", ".join(reasons)),
    )


# -- schedulers ----------------------------------------------------------------------


def _schedulers(frame: Frame) -> Table:
    table = _table(
        *("pid", "script", "seats", "", "stimuli", "failed", "stimuli/s", "left", "memory"),
        "state",
        left=("script", "seats", "", "state"),
    )
    for board in frame.boards:
        whole = _NONE if board.total is None else str(board.total)
        left = board.time_left
        table.add_row(
            str(board.pid),
            Text(basename(board.script) or _NONE),
            Text(_seats(board)),
            _bar(board.done + board.failed, board.total),
            f"{board.done} / {whole}",
            str(board.failed),
            _NONE if board.rate is None else f"{board.rate:.3g}",
            _NONE if left is None else seconds(left),
            Text(", ".join(f"{name} {size(used)}" for name, used in board.memory.items()) or _NONE),
            Text(_state(board, frame.time)),
        )
    return table


def _seats(board: BoardEntry) -> str:
    counts = [f"{count} on {device}" for device, count in board.seats.items()]
    # A device without a seat yet
    others = [device for device in board.devices if device not in board.seats]
    return ", ".join(counts + others) or _NONE


def _state(board: BoardEntry, now: float) -> str:
    age = now - board.updated
    return board.state if age < _SILENT else f"{board.state} (said {seconds(age)} ago)"


# -- processes -----------------------------------------------------------------------


def _processes(frame: Frame) -> Table | None:
    """What uses the cards; None if the driver does not tell."""
    schedulers = {board.pid for board in frame.boards}
    table = _table("card", "pid", "memory", "program", left=("card", "program"))
    for card in frame.snapshot.cards:
        for part in (card, *card.mig_instances):
            name = (
                f"card {card.nvml_index}" if part.cuda_index is None else f"cuda:{part.cuda_index}"
            )
            used = part.processes or {}
            for pid, memory in sorted(used.items(), key=lambda one: (-(one[1] or 0), one[0])):
                style = "bold" if pid in schedulers else ""
                program = Text(_program(pid), style=style)
                table.add_row(
                    Text(name), str(pid), _NONE if memory is None else size(memory), program
                )
    return table if table.row_count else None


def _program(pid: int) -> str:
    """The command of a process; a dash where the number means nothing here, or not to us."""
    try:
        process = psutil.Process(pid)
        words = process.cmdline() or [process.name()]
    except psutil.Error:
        return _NONE
    return " ".join([basename(words[0]), *words[1:]])[:60]
