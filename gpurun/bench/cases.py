"""Finding and running cases: files of the `benchmarks` folder with a ``measure`` function."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from gpurun.bench import machine, stats
from gpurun.bench.contenders import Series as Collected
from gpurun.bench.schema import VERSION, Check, Comparison, Report, Series
from gpurun.errors import ConfigError


@dataclass
class Recording:
    """What a case fills while it runs.

    Parameters
    ----------
    quick : bool
        Whether the case should do few rounds.
    seconds : float, optional
        How long the case may take at all; it then does as many rounds as fit.
    say : callable
        Takes lines of progress.
    """

    quick: bool
    say: Callable[[str], None] = print
    seconds: float | None = None
    parameters: dict[str, int | float | str | bool] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def add(
        self, group: str, contender: str, measure: str, values: Sequence[float], unit: str = "s"
    ) -> None:
        """Keep one series."""
        self.series.append(Series(group, contender, measure, unit, [float(v) for v in values]))

    def add_all(self, group: str, collected: Collected) -> None:
        """Keep what :func:`gpurun.bench.contenders.interleave` returned; all in seconds."""
        for contender, measures in collected.items():
            for measure, values in measures.items():
                self.add(group, contender, measure, values)

    def compare(self, name: str, slow: Sequence[float], fast: Sequence[float]) -> Comparison:
        """Keep the ratio of the medians of two series."""
        ratio = stats.ratio_of_medians(slow, fast)
        found = Comparison(name, ratio.value, ratio.low, ratio.high, ratio.level)
        self.comparisons.append(found)
        return found

    def check(self, name: str, passed: bool, detail: str) -> None:
        """Keep a verdict."""
        self.checks.append(Check(name, bool(passed), detail))


def load(path: Path) -> ModuleType:
    """Import a case from its file.

    Raises
    ------
    ConfigError
        If there is no such file, or it has no ``TITLE`` or no ``measure``.
    """
    if not path.is_file():
        raise ConfigError(f"No benchmark case {path}: expected a Python file.")
    # The name has to be importable: child processes of a case may unpickle from it.
    spec = importlib.util.spec_from_file_location(f"gpurun_case_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for name in ("TITLE", "measure"):
        if not hasattr(module, name):
            raise ConfigError(f"The benchmark case {path} defines no {name!r}.")
    return module


def run(path: Path, recording: Recording, argv: Sequence[str], root: Path) -> Report:
    """Run the case in `path` and return its report.

    Parameters
    ----------
    path : Path
        The case.
    recording : Recording
        Fresh; tells whether to be quick.
    argv : sequence of str
        The command line, for the record.
    root : Path
        The checkout that the commit is read from.
    """
    # Cases import what they share as `benchmarks.something`.
    if str(root.resolve()) not in sys.path:
        sys.path.insert(0, str(root.resolve()))
    case: Any = load(path)
    # Before the case puts load on the machine.
    where = machine.describe()
    state = machine.commit(root)
    case.measure(recording)
    return Report(
        version=VERSION,
        case=path.stem,
        title=case.TITLE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=recording.quick,
        command=shlex.join(argv),
        commit=state,
        machine=where,
        parameters=dict(recording.parameters),
        series=list(recording.series),
        comparisons=list(recording.comparisons),
        checks=list(recording.checks),
    )
