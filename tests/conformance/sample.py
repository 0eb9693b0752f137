"""The part of brian2's tests that runs with every change, see ``sample.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from .plan import CONFIGURATIONS, Unit
from .runner import Result, Runner

SAMPLE = Path(__file__).with_name("sample.toml")


class Case(NamedTuple):
    """One test of the sample."""

    configuration: str
    phase: str
    test: str


def cases(*, cuda: bool = False) -> list[Case]:
    """List the tests of the sample: those that run CUDA code, or the others."""
    parts = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))["part"]
    return [
        Case(p["configuration"], p["phase"], test)
        for p in parts
        if CONFIGURATIONS[p["configuration"]].cuda == cuda
        for test in p["tests"]
    ]


def run(directory: Path, sample: list[Case]) -> dict[Case, Result]:
    """Run the sample, one process for each configuration and phase."""
    found: dict[Case, Result] = {}
    parts: dict[tuple[str, str], list[str]] = {}
    for case in sample:
        parts.setdefault((case.configuration, case.phase), []).append(case.test)
    for (configuration, phase), tests in parts.items():
        unit = Unit(f"sample-{phase}", phase, tuple(tests))
        runner = Runner(configuration, directory, timeout=180)
        runner.run(units=[unit])
        for (_, test), result in runner.results([unit]).items():
            found[Case(configuration, phase, test)] = result
    return found
