"""``python -m gpurun.bench CASE...``: measure, store the report, update the page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gpurun.bench import cases, report
from gpurun.errors import GpurunError


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status.

    The status is 1 if a check of a case did not hold, and 2 if a case could not run.
    """
    parser = argparse.ArgumentParser(prog="python -m gpurun.bench", description=__doc__)
    parser.add_argument("case", nargs="*", help="name of a file of the benchmarks folder")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a trial")
    parser.add_argument("--seconds", type=float, help="do as many rounds as fit into this time")
    parser.add_argument("--output", type=Path, help="folder of the report (default: results)")
    parser.add_argument("--page", action="store_true", help="update docs/benchmarks.md")
    arguments = sys.argv[1:] if argv is None else argv
    options = parser.parse_args(arguments)
    folder = options.root / "benchmarks"
    results = options.output or folder / "results"
    if not options.case and not options.page:
        parser.error("name a case, or give --page")
    held = True
    try:
        for name in options.case:
            recording = cases.Recording(quick=options.quick, seconds=options.seconds)
            command = ["python", "-m", "gpurun.bench", *arguments]
            found = cases.run(folder / f"{name}.py", recording, command, options.root)
            print(report.markdown(found))
            print(f"stored in {report.write(found, results)}")
            held = held and all(check.passed for check in found.checks)
        if options.page:
            report.update_page(options.root / "docs" / "benchmarks.md", results)
    except GpurunError as error:
        print(f"gpurun.bench: {error}", file=sys.stderr)
        return 2
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
