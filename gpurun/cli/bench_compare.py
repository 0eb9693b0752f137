"""``gpurun bench compare A.json B.json``: what became faster or slower, and what is the noise."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from gpurun.bench.suite import files
from gpurun.bench.suite.compare import DRIFT, LEVEL, MINIMUM, NOISE, TOO_FEW, Row, compare, slower
from gpurun.bench.suite.differences import differences, lost
from gpurun.bench.suite.wording import factor
from gpurun.bench.text import quantity
from gpurun.cli.subcommand import SubcommandParser
from gpurun.cli.wording import number


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun bench compare",
        description="Compare two reports of 'gpurun bench': what became faster or slower. A row is "
        "called so if its interval, in which the scatter within both reports and a drift between "
        f"runs are, leaves out 1; of a hundred pairs of equal reports, "
        f"{round(100 * LEVEL)} have no such row.",
    )
    parser.add_argument("before", metavar="A.json", type=Path, help="the older report")
    parser.add_argument("after", metavar="B.json", type=Path, help="the newer report")
    parser.add_argument("--all", action="store_true", help="show also what is within the noise")
    parser.add_argument(
        "--drift",
        metavar="PERCENT",
        type=float,
        default=100 * DRIFT,
        help="standard deviation of what equal runs differ by as a whole (default: %(default)g)",
    )
    parser.add_argument(
        "--minimum",
        metavar="PERCENT",
        type=float,
        default=100 * MINIMUM,
        help="difference below which nothing is called faster or slower (default: %(default)g)",
    )
    parser.add_argument(
        "--fail-if-slower",
        action="store_true",
        help="end with status 1 if something is slower, or does not work any more",
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand.

    Returns
    -------
    int
        The exit status: 1 if something is slower, refused or failed and ``--fail-if-slower`` is
        given.

    Raises
    ------
    UsageError
        The arguments cannot be understood.
    ConfigError
        A report cannot be read, or an option has no usable value.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    a, b = files.read(options.before), files.read(options.after)
    rows = compare(a, b, drift=options.drift / 100, minimum=options.minimum / 100)
    gone = lost(a, b)
    for sentence in differences(a, b):
        print(f"gpurun: warning: {sentence}", file=sys.stderr)
    told = [row for row in rows if row.verdict not in (NOISE, TOO_FEW)]
    shown = rows if options.all else told
    if shown:
        _show(shown)
    for sentence in gone:
        print(f"does not work any more: {sentence}")
    print(_summary(rows, told))
    return 1 if options.fail_if_slower and (slower(rows) or gone) else 0


def _show(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # No terminal has a width that a file or a pipe has to keep to.
    width = None if sys.stdout.isatty() else 400
    console = Console(highlight=False, markup=False, soft_wrap=True, width=width)
    table = Table(box=None, pad_edge=False)
    for title in ("case", "size", "contender", "phase", "measure"):
        table.add_column(title, no_wrap=True)
    for title in ("A", "B", "B / A", "interval"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        cells = (
            row.case,
            row.size,
            row.contender,
            row.phase,
            row.measure,
            quantity(row.before, row.unit),
            quantity(row.after, row.unit),
            factor(row.ratio),
            _interval(row),
            row.verdict,
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print()


def _interval(row: Row) -> str:
    if math.isinf(row.high):
        return ""
    return f"[{factor(row.low)}, {factor(row.high)}]"


def _summary(rows: Sequence[Row], told: Sequence[Row]) -> str:
    if not rows:
        return "The reports have no case, size and contender in common."
    counts = [
        f"{sum(row.verdict == verdict for row in rows)} {verdict}"
        for verdict in dict.fromkeys(row.verdict for row in told)
    ]
    few = sum(row.verdict == TOO_FEW for row in rows)
    noise = sum(row.verdict == NOISE for row in rows)
    return (
        f"{number(len(rows), 'measure')} in common: {', '.join([*counts, ''])}{noise} {NOISE}, "
        f"{few} with {TOO_FEW}."
    )
