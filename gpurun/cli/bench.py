"""``gpurun bench``: what a user can choose on this machine, side by side in one run."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gpurun.cli.arguments import UsageError
from gpurun.cli.subcommand import SubcommandParser
from gpurun.cli.wording import say

if TYPE_CHECKING:
    from gpurun.bench.suite.plan import Plan
    from gpurun.bench.suite.schema import SuiteReport

#: Seconds; building alone takes most of them.
_QUICK, _WHOLE = 105.0, 3600.0


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun bench",
        description="Measure gpurun and what else can run the same models on this machine, in "
        "turns, after comparing what they compute. 'gpurun bench compare A.json B.json' compares "
        "two reports.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="two small cases in two minutes, not to be quoted"
    )
    parser.add_argument(
        "--case", action="append", default=[], metavar="NAME[:SIZE]", help="may be repeated"
    )
    parser.add_argument(
        "--contender", action="append", default=[], metavar="NAME", help="may be repeated"
    )
    parser.add_argument("--size", metavar="NAME", help="of all cases (default: full; quick: quick)")
    parser.add_argument(
        "--scaling", action="store_true", help="the sizes of each case's scaling curve as well"
    )
    parser.add_argument("--max-time", type=float, metavar="SECONDS", help="time limit of it all")
    parser.add_argument(
        "--width",
        type=float,
        default=0.05,
        metavar="FRACTION",
        help="measure until the interval of a median is this narrow (default: 0.05)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="for report and figures (default: .)"
    )
    parser.add_argument("--no-figures", action="store_true", help="draw nothing")
    parser.add_argument("--list", action="store_true", help="list cases and contenders")
    parser.add_argument(
        "--update-docs",
        action="store_true",
        help="in a checkout: put the newest committed report into the documentation",
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand.

    Returns
    -------
    int
        0; 1 if a contender of gpurun's own was refused or failed.

    Raises
    ------
    UsageError, ConfigError
        The arguments cannot be understood, or name something that is not there.
    """
    if arguments and arguments[0] == "compare":
        return import_module("gpurun.cli.bench_compare").run(arguments[1:])
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    if options.list:
        return _list()
    if options.update_docs:
        return _update_docs()
    return _measure(options, ["gpurun", "bench", *arguments])


def _plan(options: argparse.Namespace, contenders: Sequence[str]) -> Plan:
    from gpurun.bench import machine
    from gpurun.bench.suite import case
    from gpurun.bench.suite.plan import QUICK_CASES, QUICK_CONTENDERS, Plan, chosen

    seconds = options.max_time if options.max_time is not None else _QUICK
    if options.max_time is None and not options.quick:
        seconds = _WHOLE
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"--max-time {seconds:g}: expected a positive number of seconds.")
    if not 0 < options.width < 1:
        raise UsageError(f"--width {options.width:g}: expected a fraction between 0 and 1.")
    size = options.size or ("quick" if options.quick else "full")
    names = options.case or (QUICK_CASES if options.quick else case.names())
    cases = []
    for name in names:
        # A file has a suffix, behind which its size may stand
        bare, _, own = name.partition(":")
        found = case.load(bare)
        sizes = [own or size]
        if options.scaling:
            sizes += [one for one in getattr(found.module, "SCALING", ()) if one not in sizes]
        for one in sizes:
            if one not in found.sizes:
                raise UsageError(
                    f"The case {bare!r} has no size {one!r}: expected one of "
                    f"{', '.join(found.sizes)}."
                )
            cases.append((bare, one))
    if options.quick and not options.contender:
        wanted: Sequence[str] = [name for name in contenders if name in QUICK_CONTENDERS]
    else:
        wanted = chosen("contender", options.contender, contenders)
    replicas = () if options.quick else tuple(sorted({1, 2, machine.cores()}))
    return Plan(
        tuple(cases),
        tuple(wanted),
        seconds,
        width=options.width,
        judged=2 if options.quick else 4,
        rounds=10 if options.quick else 60,
        replicas=replicas,
        quick=options.quick,
    )


def _measure(options: argparse.Namespace, argv: Sequence[str]) -> int:
    from gpurun.bench.suite import files, markdown
    from gpurun.bench.suite.schema import FAILED, REFUSED
    from gpurun.bench.suite.suite import run_suite

    contenders = _contenders()
    plan = _plan(options, list(contenders))
    client = import_module("gpurun.bench_contenders.client")
    output = options.output or Path.cwd()
    last: Path | None = None

    def keep(report: SuiteReport) -> None:
        nonlocal last
        path = files.write(report, output)
        if last is not None and last != path:
            last.unlink(missing_ok=True)
        last = path

    report = run_suite(
        plan,
        contenders,
        client.Worker,
        _repeatable(argv),
        _root(),
        say,
        settings={"flags": os.environ.get("GPURUN_BENCH_FLAGS", "exact")},
        done=keep,
    )
    keep(report)
    print(markdown.render(report))
    print(f"stored in {last}")
    if not options.no_figures:
        _draw(report, output, "" if last is None else last.name)
    ours = [
        one for case in report.cases for one in case.contenders if one.name.startswith("gpurun")
    ]
    return int(any(one.status in (REFUSED, FAILED) for one in ours))


def _repeatable(argv: Sequence[str]) -> list[str]:
    """The command without the folder of its output, which is nobody else's."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, _ = word.partition("=")
        if len(name) > 2 and "--output".startswith(name):
            if not equals:
                next(words, None)
        else:
            kept.append(word)
    return kept


def _draw(report: SuiteReport, output: Path, source: str) -> None:
    from gpurun.bench.suite import figures
    from gpurun.errors import GpurunError

    try:
        paths = figures.draw(report, output, source=source)
    except GpurunError as error:  # what is measured is stored already
        say(f"no figures: {error}")
    else:
        print(f"figures: {', '.join(path.name for path in paths)} in {output}")


def _contenders() -> dict[str, str]:
    package = import_module("gpurun.bench_contenders")
    return {name: title for name, (title, _) in package.all_contenders().items()}


def _root() -> Path:
    import gpurun

    return Path(gpurun.__file__).resolve().parents[1]


def _list() -> int:
    from gpurun.bench.suite import case

    print("cases:")
    for name in case.names():
        found = case.load(name)
        print(f"  {name:18} {found.title} ({', '.join(found.sizes)})")
    print("contenders:")
    for name, title in _contenders().items():
        print(f"  {name:28} {title}")
    return 0


def _update_docs() -> int:
    from gpurun.bench.suite import readme

    changed = readme.update(_root())
    print("changed: " + (", ".join(str(path) for path in changed) or "nothing"))
    return 0
