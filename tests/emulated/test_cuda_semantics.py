"""What a session promises, on the CUDA backend and without a card, in three orders of threads.

The tests are those of ``tests/semantics``. What orders there are is a setting of a process,
so each order has a process of its own, which runs them all; here stands how each file fared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .isolated import emulator_cache
from .upstream import TOOLKIT

# The first test of an order waits for the whole of it.
pytestmark = pytest.mark.timeout(3000)

ROOT = Path(__file__).parents[2]
ORDERS = ("forward", "reverse", "random:7")
#: How many tests of each file have to be executed.
MINIMUM = {
    "test_bad_input": 250,
    "test_changes": 28,
    "test_continuation": 15,
    "test_independence": 80,
    "test_overrides": 50,
    "test_present": 55,
    "test_random": 25,
    "test_results": 14,
    "test_sessions": 30,
    "test_sparse_reset": 6,
    "test_state": 19,
    "test_long_runs": 9,
    "test_store_restore": 7,
    "test_stored_again": 1,
    "test_streams": 10,
}
#: What is refused is refused before a kernel runs: the order of its threads does not matter.
ONCE = ("test_bad_input",)
CASES = [
    (order, module) for order in ORDERS for module in MINIMUM
    if order == ORDERS[0] or module not in ONCE
]  # fmt: skip


@dataclass
class Outcome:
    """What the tests of one file said."""

    executed: int = 0
    failures: list[str] = field(default_factory=list)


def outcomes(report: Path) -> dict[str, Outcome]:
    """The outcomes in a report in JUnit's format, by module."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        one = found.setdefault(case.get("classname", "").split(".")[-1], Outcome())
        bad = [part for part in case if part.tag in ("failure", "error")]
        one.executed += case.find("skipped") is None
        one.failures += [f"{case.get('name')}:\n{part.text}" for part in bad]
    return found


def run(order: str, folder: Path) -> dict[str, Outcome]:
    """Run ``tests/semantics`` with kernels in this order."""
    report = folder / "report.xml"
    left_out = [] if order == ORDERS[0] else [f"--ignore=tests/semantics/{m}.py" for m in ONCE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/semantics", "-q", "-p", "no:cacheprovider",
         "--tb=short", "--show-capture=no", f"--junitxml={report}", *left_out,],
        cwd=ROOT,
        env={
            **os.environ,
            "GPURUN_TEST_BACKEND": "cuda",
            # What one process has compiled, the others need not
            "GPURUN_TEST_CACHE_DIR": os.environ["GPURUN_CACHE_DIR"],
            "CUDA_PATH": str(TOOLKIT),
            "CUDA_EMULATOR": f"order={order}",
            "CUDA_EMULATOR_CACHE": emulator_cache(),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )  # fmt: skip
    # 1: some tests failed
    if done.returncode not in (0, 1) or not report.exists():
        raise RuntimeError(f"status {done.returncode}:\n{done.stdout[-6000:]}")
    return outcomes(report)


Runs = dict[str, Future[dict[str, Outcome]]]


@pytest.fixture(scope="module")
def runs(
    wanted: Callable[[str], list[str]],
    workers: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Start the orders that the selected tests need."""
    return {
        order: workers.submit(run, order, tmp_path_factory.mktemp("semantics"))
        for order in wanted("order")
    }


@pytest.mark.parametrize(("order", "module"), CASES)
def test_semantics(order: str, module: str, runs: Runs) -> None:
    outcome = runs[order].result()[module]
    assert not outcome.failures, "\n\n".join(outcome.failures)
    assert outcome.executed >= MINIMUM[module]


def test_no_file_is_left_out() -> None:
    files = {path.stem for path in (ROOT / "tests" / "semantics").glob("test_*.py")}
    assert files == set(MINIMUM)
