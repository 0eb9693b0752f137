"""``gpurun inspect FILE``: what a file that gpurun has written holds."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpurun.cli.subcommand import SubcommandParser
from gpurun.cli.wording import number, size
from gpurun.errors import GpurunError

if TYPE_CHECKING:
    from rich.console import Console

    from gpurun.checkpoint_header import CheckpointHeader


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun inspect",
        description="Show what a checkpoint (after checking that it is intact) or a results "
        "file holds.",
    )
    parser.add_argument("file", metavar="FILE", help="a checkpoint or a results file")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand; returns the exit status, 1 for a file that is not intact.

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
        path = Path(options.file)
        show = _results if path.is_dir() else _checkpoint
        show(path, as_json=options.json)
    except GpurunError as error:
        print(f"gpurun: error: {error}", file=sys.stderr)
        return 1
    return 0


def _print_json(facts: dict[str, Any]) -> None:
    print(json.dumps(_plain(facts), indent=1))


def _plain(value: Any) -> Any:
    """`value` with null for what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def _facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        console.print(f"{name:{width}}  {value}")


# -- checkpoints ---------------------------------------------------------------------


def _checkpoint(path: Path, *, as_json: bool) -> None:
    from gpurun.checkpoint import read_header

    header = read_header(path)
    if as_json:
        _print_json(
            {
                "kind": "checkpoint",
                **asdict(header),
                "created": header.created.isoformat(),
                "variables": {
                    name: {**asdict(stored), "bytes": stored.bytes}
                    for name, stored in header.variables.items()
                },
            }
        )
    else:
        _show_checkpoint(header)


def _show_checkpoint(header: CheckpointHeader) -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    saved = header.created.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    facts = [
        ("file", f"{header.path}, a checkpoint, {size(header.size)}, intact"),
        ("saved", f"{saved}, by gpurun {header.gpurun} with numpy {header.numpy}"),
        ("model", f"{header.model_digest}, for {header.backend}, of brian2 {header.brian2}"),
        ("identity", header.identity or "not known"),
        ("model time", f"{header.t:.12g} s"),
        ("random numbers", header.random_kind),
    ]
    changed = [*header.overridden, *(f"TimedArray {name}" for name in header.timed_arrays)]
    if changed:
        facts.append(("overridden", ", ".join(changed)))
    if header.extra:
        facts.append(("notes", json.dumps(dict(header.extra))))
    _facts(console, facts)
    console.print()

    table = Table(box=None, pad_edge=False)
    for title in ("variable", "type", "shape", "unit", "size", "role"):
        table.add_column(title, justify="right" if title == "size" else "left", no_wrap=True)
    for name, stored in sorted(header.variables.items()):
        cells = (name, stored.dtype, "x".join(map(str, stored.shape)) or "one", stored.unit)
        table.add_row(*map(Text, (*cells, size(stored.bytes), stored.role)))
    console.print(table)
    total = sum(stored.bytes for stored in header.variables.values())
    console.print(f"{number(len(header.variables), 'variable')}, {size(total)}")
    if not header.spikes_in_flight:
        return
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("pathway", no_wrap=True)
    table.add_column("spikes in flight", justify="right", no_wrap=True)
    for name, count in sorted(header.spikes_in_flight.items()):
        table.add_row(Text(name), str(count))
    console.print(table)


# -- results -------------------------------------------------------------------------


def _results(path: Path, *, as_json: bool) -> None:
    from gpurun.results_reader import describe_results

    facts = describe_results(path)
    if as_json:
        _print_json({"kind": "results", **facts})
    else:
        _show_results(facts)


def _show_results(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    unfinished = facts["runs"] - facts["finished"]
    runs = number(facts["runs"], "run") + (f", {unfinished} not finished" if unfinished else "")
    lines = [
        ("file", f"{facts['path']}, results, {size(facts['bytes'])}"),
        ("runs", runs),
        ("begun", facts["began"] or "never"),
        ("ended", facts["ended"] or "not yet"),
        ("models", ", ".join(facts["models"]) or "not known"),
        ("versions", f"gpurun {', '.join(facts['gpurun'])}, brian2 {', '.join(facts['brian2'])}"),
    ]
    _facts(console, lines)
    table = Table(box=None, pad_edge=False)
    for title in ("monitor", "kind", "of", "runs", "rows", "columns", "size"):
        right = title in ("runs", "rows", "size")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for one in facts["monitors"]:
        columns = ", ".join(
            name if column["units"] in (None, "1") else f"{name} ({column['units']})"
            for name, column in one["columns"].items()
        )
        cells = (one["name"], one["kind"], one["source"] or "", one["runs"], one["rows"], columns)
        table.add_row(*(Text(str(cell)) for cell in (*cells, size(one["bytes"]))))
    if facts["monitors"]:
        console.print()
        console.print(table)
    table = Table(box=None, pad_edge=False)
    for title in ("variable", "type", "shape", "unit", "runs", "size"):
        right = title in ("runs", "size")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for one in facts["values"]:
        shape = "x".join(map(str, one["shape"])) or "one"
        cells = (one["name"], one["dtype"], shape, one["units"] or "", one["runs"])
        table.add_row(*(Text(str(cell)) for cell in (*cells, size(one["bytes"]))))
    if facts["values"]:
        console.print()
        console.print(table)
