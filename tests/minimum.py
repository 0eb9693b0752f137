"""A pytest plugin that makes sure that skips do not pass for success."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest


class MinimumTests:
    """Fails the session when too few tests of a folder were executed.

    Parameters
    ----------
    minimum : dict of str to int
        For each folder below ``tests/``, how many tests have to be executed.
        A skipped or deselected test, and one that is expected to fail, is not
        an executed one.
    """

    def __init__(self, minimum: dict[str, int]) -> None:
        self.minimum = minimum
        self.executed: dict[str, set[str]] = {folder: set() for folder in minimum}

    @classmethod
    def from_table(cls, table: Path, wanted: str, *, require_gpu: bool) -> MinimumTests:
        """Read the figures for the folders `wanted` (``"a,b"`` or ``"all"``) from a TOML file.

        The figure of the folder ``gpu`` counts only where a card is required.
        """
        minimum: dict[str, int] = tomllib.loads(table.read_text(encoding="utf-8"))["minimum"]
        if wanted != "all":
            folders = wanted.split(",")
            if unknown := [folder for folder in folders if folder not in minimum]:
                raise pytest.UsageError(f"{table} has no figure for the folder {unknown[0]!r}")
            minimum = {folder: minimum[folder] for folder in folders}
        if not require_gpu:
            minimum.pop("gpu", None)
        return cls(minimum)

    def missing(self) -> list[str]:
        """One line for each folder with too few executed tests."""
        return [
            f"tests/{folder}: {len(self.executed[folder])} tests executed, at least {figure} "
            "expected (ci/minimum_tests.toml)"
            for folder, figure in self.minimum.items()
            if len(self.executed[folder]) < figure
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or report.skipped or hasattr(report, "wasxfail"):
            return
        parts = Path(report.location[0]).parts
        if len(parts) > 1 and parts[0] == "tests" and parts[1] in self.executed:
            self.executed[parts[1]].add(report.nodeid)

    # Last of all, so that no other plugin turns the failure into success.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.missing() and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.missing():
            terminalreporter.write_line(line, red=True)
