"""``gpurun report LOG``: a run log as a table and as a picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpurun.cli.arguments import UsageError
from gpurun.cli.report_numbers import TIMES, Report, Spread, summarise
from gpurun.cli.subcommand import SubcommandParser
from gpurun.cli.wording import number, seconds, size
from gpurun.errors import GpurunError, NotSupportedError
from gpurun.runlog import LoggedRun, RunLogContents, read_log

if TYPE_CHECKING:
    from rich.console import Console

_NONE = "–"
_SHOWN = 10  # failures and events that are listed one by one


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun report",
        description="Sum up what a scheduler's run log says: a table, and a picture with -o.",
    )
    parser.add_argument("log", metavar="LOG", help="a run log")
    parser.add_argument(
        "-o", "--output", metavar="PICTURE", help="draw it, to a file such as run.png or run.svg"
    )
    parser.add_argument(
        "--run",
        metavar="N",
        type=int,
        help="the N-th run of the log, if there are several (default: the last)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand.

    Returns
    -------
    int
        The exit status: 1 if the log cannot be read, or a picture was wanted and not made.

    Raises
    ------
    UsageError
        The arguments cannot be understood.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    try:
        log = read_log(options.log)
        chosen = _choose(log, options.run)
        report = None if chosen is None else summarise(chosen)
        if options.json:
            _print_json(log, chosen, report)
        else:
            _show(log, chosen, report)
        if options.output is None:
            return 0
        return _draw(chosen, Path(options.output))
    except UsageError:
        raise
    except GpurunError as error:
        print(f"gpurun: error: {error}", file=sys.stderr)
        return 1


def _choose(log: RunLogContents, wanted: int | None) -> LoggedRun | None:
    if wanted is None:
        return log.runs[-1] if log.runs else None
    if not 1 <= wanted <= len(log.runs):
        raise UsageError(f"--run {wanted}: the log holds {number(len(log.runs), 'run')}.")
    return log.runs[wanted - 1]


def _draw(chosen: LoggedRun | None, path: Path) -> int:
    if chosen is None or not (chosen.stimuli or chosen.memory):
        print("gpurun: there is nothing to draw yet, so no picture was made", file=sys.stderr)
        return 1
    try:
        from gpurun.cli.report_picture import save
    except ImportError as error:
        raise NotSupportedError(
            f"The picture needs matplotlib, which cannot be imported ({error}). Install it with "
            "pip install 'gpurun[images]', or pip install matplotlib.",
            what="matplotlib",
        ) from error
    save(chosen, path)
    return 0


# -- for programs --------------------------------------------------------------------


def _print_json(log: RunLogContents, chosen: LoggedRun | None, report: Report | None) -> None:
    facts: dict[str, Any] = {
        "kind": "run log",
        "path": str(log.path),
        "runs": len(log.runs),
        "cut": list(log.cut),
        "run": None if chosen is None else chosen.number,
        "begin": None if chosen is None else chosen.facts,
        "end": None if chosen is None else chosen.end,
        **({} if report is None else report.as_dict()),
        "events": [] if chosen is None else [asdict(event) for event in chosen.events],
    }
    print(json.dumps(facts, indent=1))


# -- for people ----------------------------------------------------------------------


def _show(log: RunLogContents, chosen: LoggedRun | None, report: Report | None) -> None:
    from rich.console import Console

    # No terminal has a width that a file or a pipe has to keep to.
    width = None if sys.stdout.isatty() else 400
    console = Console(highlight=False, markup=False, soft_wrap=True, width=width)
    facts = [("log", str(log.path))]
    if chosen is None or report is None:
        facts.append(("stimuli", "none: nothing was written yet"))
    else:
        facts += _facts(log, chosen, report)
    if log.cut:
        lines = ", ".join(map(str, log.cut[:_SHOWN])) + (" ..." if log.cut[_SHOWN:] else "")
        facts.append(("cut lines", f"{len(log.cut)}, not written to their end: {lines}"))
    column = max(len(name) for name, _ in facts)
    for name, value in facts:
        console.print(f"{name:{column}}  {value}")
    if chosen is None or report is None:
        return
    if report.seats:
        _show_seats(console, report)
        _show_times(console, report)
    if report.devices:
        _show_devices(console, report)
    _list(
        console,
        "failed",
        [
            f"stimulus {failure.index}, {number(failure.attempts, 'attempt')}: "
            f"{_gist(failure.error) or 'no reason given'}"
            for failure in report.failures
        ],
    )
    _list(
        console,
        "events",
        [
            f"{event.time - _origin(chosen):+.1f} s  {event.what}"
            + (f": {_gist(event.text)}" if event.text else "")
            for event in chosen.events
            if event.what not in ("seat opened", "seat closed")
        ],
    )


def _origin(chosen: LoggedRun) -> float:
    """From where the times of events count: the first stimulus."""
    if chosen.stimuli:
        return min(entry.began for entry in chosen.stimuli)
    return chosen.events[0].time


def _facts(log: RunLogContents, chosen: LoggedRun, report: Report) -> list[tuple[str, str]]:
    facts = []
    if len(log.runs) > 1:
        facts.append(("run", f"{chosen.number} of {len(log.runs)}"))
    facts.append(("began", _moment(chosen.facts.get("time"))))
    ended = "not yet, or it was killed"
    if chosen.end is not None:
        ended = _moment(chosen.end.get("time"))
        if chosen.end.get("error"):
            ended += f", {_gist(str(chosen.end['error']))}"
    facts.append(("ended", ended))
    named = {name: chosen.facts.get(name) for name in ("model", "devices", "script", "gpurun")}
    for name, value in named.items():
        if value:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            facts.append((name, text))
    counts = f"{report.done} done, {len(report.failures)} failed, {report.retried} retried"
    if report.rate is not None:
        counts += f", in {seconds(report.elapsed)}: {report.rate:.3g}/s"
    facts.append(("stimuli", counts))
    return facts


def _moment(time: Any) -> str:
    if not isinstance(time, int | float):
        return "not known"
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _gist(text: str) -> str:
    # The last line of a traceback is the one that says what happened.
    lines = text.strip().splitlines()
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _table(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in titles:
        left = title in ("seat", "device", "ms")
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print()
    console.print(table)


def _show_seats(console: Console, report: Report) -> None:
    titles = ("seat", "device", "stimuli", "failed", "busy", "stimuli/s", "memory peak")
    _table(
        console,
        titles,
        [
            (
                one.seat,
                ", ".join(one.devices),
                str(one.done),
                str(one.failed),
                _NONE if one.busy is None else f"{100 * one.busy:.1f} %",
                _NONE if one.rate is None else f"{one.rate:.3g}",
                _bytes(one.memory),
            )
            for one in report.seats
        ],
    )


def _show_times(console: Console, report: Report) -> None:
    groups = [(one.seat, one.times) for one in report.seats]
    if len(groups) > 1:
        groups.append(("all", report.times))
    rows: list[tuple[str, ...]] = []
    for seat, times in groups:
        for part in ("median", "mean", "p95"):
            cells = (_milliseconds(times[name], part) for name in TIMES)
            rows.append((seat if part == "median" else "", part, *cells))
    _table(console, ("seat", "ms", *TIMES), rows)


def _milliseconds(spread: Spread, part: str) -> str:
    value = getattr(spread, part)
    return _NONE if value is None else f"{1000 * value:.3f}"


def _show_devices(console: Console, report: Report) -> None:
    _table(
        console,
        ("device", "used at most", "of this run", "in all"),
        [(one.device, *map(_bytes, (one.used, one.own, one.total))) for one in report.devices],
    )


def _bytes(count: int | None) -> str:
    return _NONE if count is None else size(count)


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print(f"\n{title}")
    for line in lines[:_SHOWN]:
        console.print(f"  {line}")
    if lines[_SHOWN:]:
        console.print(f"  and {len(lines) - _SHOWN} more (--json has all of them)")
