"""One file on what ran on a card: ``python -m gpurun.bench.gpu_report TESTS BENCHMARKS DIRECTORY``.

TESTS is pytest's report in JUnit's format, BENCHMARKS the folder that the cases' reports were
stored in, DIRECTORY where the file goes. ``ci/gpu.sh`` calls it last. Where TESTS is missing
(pytest was killed) or BENCHMARKS is empty (a case failed), the file says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpurun import nvml
from gpurun.bench import machine, report
from gpurun.bench.schema import to_json
from gpurun.errors import ToolchainError
from gpurun.toolchain_nvcc import find_nvcc

_COUNTS = ("tests", "failures", "errors", "skipped")


def test_results(path: Path) -> dict[str, Any]:
    """What pytest found: counts, seconds, and the names of tests that failed.

    Returns
    -------
    dict
        Empty where there is no (whole) report.
    """
    try:
        suite = ElementTree.parse(path).getroot().find("testsuite")
    except (OSError, ElementTree.ParseError):
        return {}
    if suite is None:
        return {}
    return {
        **{name: int(suite.get(name, 0)) for name in _COUNTS},
        "seconds": float(suite.get("time", 0)),
        "failed": [
            f"{case.get('classname')}.{case.get('name')}"
            for case in suite.iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None
        ],
    }


def collect(tests: Path, benchmarks: Path, root: Path, statuses: dict[str, int]) -> dict[str, Any]:
    """Everything there is to say, in terms of JSON.

    Parameters
    ----------
    tests, benchmarks : Path
        See the module's description.
    root : Path
        The checkout.
    statuses : dict of str to int
        With which status the commands ended.
    """
    found = nvml.snapshot()
    try:
        compiler = find_nvcc()
        toolkit = {
            "nvcc": compiler.toolkit.version,
            "source": compiler.toolkit.source,
            "host compiler": f"{compiler.host.family} {compiler.host.version}",
        }
    except ToolchainError as error:
        toolkit = {"problem": str(error)}
    cards = [asdict(card) for card in found.cards]
    for card in cards:
        # Which card it was is nobody's concern
        del card["uuid"]
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": asdict(machine.commit(root)),
        "machine": asdict(machine.describe()),
        "cards": cards,
        "driver": found.driver_version,
        "cuda": ".".join(map(str, found.cuda_version or ())),
        "toolkit": toolkit,
        "statuses": statuses,
        "tests": test_results(tests),
        report.NESTED: [
            json.loads(to_json(report.read(path))) for path in sorted(benchmarks.glob("*.json"))
        ],
    }


def write(content: dict[str, Any], directory: Path) -> Path:
    """Store what `collect` returned under a name made of time and commit; returns the path."""
    directory.mkdir(parents=True, exist_ok=True)
    stamp = content["created"].replace(":", "").replace("-", "").removesuffix("+0000")
    path = directory / f"gpu-{stamp}-{content['commit']['revision'][:8]}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gpurun.bench.gpu_report", description=__doc__)
    parser.add_argument("tests", type=Path)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tests-status", type=int, default=0)
    parser.add_argument("--benchmark-status", type=int, default=0)
    options = parser.parse_args(argv)
    statuses = {"tests": options.tests_status, "benchmark": options.benchmark_status}
    content = collect(options.tests, options.benchmarks, Path.cwd(), statuses)
    print(f"report: {write(content, options.directory)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
