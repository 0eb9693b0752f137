"""``gpurun top``: running schedulers, cards and memory, again and again."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import psutil

from gpurun import nvml
from gpurun.cli.arguments import UsageError
from gpurun.cli.subcommand import SubcommandParser
from gpurun.nvml_types import Snapshot
from gpurun.status_board import read_boards

if TYPE_CHECKING:
    from gpurun.cli.top_view import Frame


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun top",
        description="Show running schedulers, cards and memory, until Ctrl-C. Where the output "
        "is no terminal, show them once.",
    )
    parser.add_argument("--once", action="store_true", help="show them once")
    parser.add_argument(
        "--period", metavar="SECONDS", type=float, default=1.0, help="how often (default: 1)"
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand; returns the exit status, 0 after Ctrl-C too.

    Raises
    ------
    UsageError
        The arguments cannot be understood.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    if not (math.isfinite(options.period) and options.period > 0):
        raise UsageError(f"--period {options.period:g}: expected a positive number of seconds.")

    from rich.console import Console

    from gpurun.cli.top_view import render

    # A file or a pipe has no width to keep to.
    width = None if sys.stdout.isatty() else 200
    console = Console(highlight=False, width=width)
    frames = _Frames()
    try:
        if options.once or not console.is_terminal:
            console.print(render(frames.take()))
        else:
            from rich.live import Live

            with Live(console=console, screen=True, auto_refresh=False) as live:
                while True:
                    live.update(render(frames.take()), refresh=True)
                    _wait(options.period)
    except KeyboardInterrupt:
        pass
    return 0


def _wait(period: float) -> None:
    time.sleep(period)


class _Frames:
    """Takes frames."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None

    def take(self) -> Frame:
        """The machine and its schedulers as they are now."""
        from gpurun.cli.top_view import Frame, Host

        first = self._snapshot is None
        # CUDA's numbers do not change while this process runs, and asking for them takes long.
        self._snapshot = nvml.snapshot(like=self._snapshot)
        memory = psutil.virtual_memory()
        host = Host(
            # Since the last frame; for the first there is none
            cpu=psutil.cpu_percent(0.1 if first else None),
            cores=psutil.cpu_count() or 1,
            memory_used=int(memory.total - memory.available),
            memory_total=int(memory.total),
        )
        return Frame(time.time(), read_boards(), self._snapshot, host)
