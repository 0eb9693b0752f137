"""Run brian2's standalone tests in the named configurations, or compare what was run.

``compare`` writes docs/conformance.md; its exit status is 1 if a difference has no
explanation, an explanation fits nothing, or tests are still to be run.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from .compare import differences, explain, read_explanations
from .page import render
from .plan import CONFIGURATIONS
from .runner import ROOT, Runner

DEFAULT_DIRECTORY = ROOT / "build" / "conformance"
PAGE = ROOT / "docs" / "conformance.md"


def compare(directory: Path, page: Path) -> int:
    """Compare the three configurations and write the page; returns the exit status."""
    runners = {name: Runner(name, directory) for name in CONFIGURATIONS}
    results = {name: runner.results() for name, runner in runners.items()}
    missing = {
        name: sum(len(unit.tests) for unit in runner.units()) - len(results[name])
        for name, runner in runners.items()
    }
    if any(missing.values()):
        left = ", ".join(f"{name}: {count}" for name, count in missing.items() if count)
        print(f"conformance: tests still to be run: {left}", file=sys.stderr)
        return 1
    found = []
    for name in CONFIGURATIONS:
        if name != "upstream":
            found += differences(name, results["upstream"], results[name])
    explained, unexplained = explain(found, read_explanations())
    stale = [one for one, covered in explained.items() if not covered]
    abouts = {name: runner.about() for name, runner in runners.items()}
    page.write_text(render(abouts, results, explained, unexplained), encoding="utf-8")
    for one in unexplained:
        print(
            f"unexplained: {one.configuration} {one.phase} {one.test}: {one.kind} "
            f"{one.upstream} -> {one.observed}\n{one.detail[-600:]}",
            file=sys.stderr,
        )
    for one in stale:
        print(f"explains nothing any more: {one.tests}: {one.why[:80]}", file=sys.stderr)
    print(f"{len(found)} differences, {len(unexplained)} unexplained, {len(stale)} stale reasons")
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
