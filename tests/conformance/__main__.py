"""Run standalone tests in the named configurations, or compare what was run.

``compare`` writes docs/conformance.md, as far as there are results. Its exit status is 1
if a difference has no explanation, an explanation fits nothing, or tests are still to be run.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from .compare import deviations, explain, read_explanations
from .page import merge, render
from .plan import CONFIGURATIONS, PARTS, Part
from .runner import ROOT, Runner

DEFAULT_DIRECTORY = ROOT / "build" / "conformance"
PAGE = ROOT / "docs" / "conformance.md"


def compare(directory: Path, page: Path) -> int:
    """Compare the parts that were run and write them into the page; returns the status."""
    ran = {path.parent.name for path in directory.glob("*/about.json")}
    statuses = []
    for part in PARTS:
        if ran.intersection(part.configurations[1:]):
            statuses.append(_compare(part, directory, page))
        else:
            print(f"{part.title}: nothing was run, the page keeps what it says")
    return max(statuses, default=1)


def _compare(part: Part, directory: Path, page: Path) -> int:
    runners = {name: Runner(name, directory) for name in part.configurations}
    results = {name: runner.results() for name, runner in runners.items()}
    missing = {
        name: sum(len(unit.tests) for unit in runner.units()) - len(results[name])
        for name, runner in runners.items()
    }
    if any(missing.values()):
        left = ", ".join(f"{name}: {count}" for name, count in missing.items() if count)
        print(f"conformance: tests still to be run: {left}", file=sys.stderr)
        return 1
    found = deviations(part, results)
    reasons = [
        one
        for one in read_explanations()
        if set(one.configurations).intersection(part.configurations)
    ]
    explained, unexplained = explain(found, reasons)
    stale = [one for one, covered in explained.items() if not covered]
    abouts = {name: runner.about() for name, runner in runners.items()}
    text = render(part, abouts, results, explained, unexplained)
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(merge(before, part, text), encoding="utf-8")
    for one in unexplained:
        print(
            f"unexplained: {one.configuration} {one.phase} {one.test}: {one.kind} "
            f"{one.upstream} -> {one.observed}\n{one.detail[-600:]}",
            file=sys.stderr,
        )
    for one in stale:
        print(f"explains nothing any more: {one.tests}: {one.why[:80]}", file=sys.stderr)
    print(
        f"{part.title}: {len(found)} differences, {len(unexplained)} unexplained, "
        f"{len(stale)} stale reasons"
    )
    return 1 if unexplained or stale else 0


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("what", nargs="+", choices=[*CONFIGURATIONS, "compare"])
    parser.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY)
    parser.add_argument("--shard", default="1/1", metavar="K/N")
    parser.add_argument(
        "--units", default="*", metavar="PATTERN", help="such as 'specific-*' or '*-test_network-*'"
    )
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds per test")
    parser.add_argument("--retry", action="store_true", help="run what did not pass again")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(argv)
    for name in options.what:
        if name in CONFIGURATIONS:
            runner = Runner(name, options.directory, timeout=options.timeout)
            if options.retry:
                runner.forget_failures()
            chosen = [one for one in runner.units() if fnmatchcase(one.key, options.units)]
            runner.run(options.shard, chosen)
    return compare(options.directory, options.page) if "compare" in options.what else 0


if __name__ == "__main__":
    sys.exit(main())
