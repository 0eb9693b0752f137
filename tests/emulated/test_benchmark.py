"""The benchmarks of a card run on an emulated one, and say that its times mean nothing."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.pinned_copy import PinnedCopy
from benchmarks.stimulus_loops import LATER, STAGED
from gpurun.bench import report
from gpurun.toolchain_cuda import find_cuda
from tests.cuda_emulator.driver import prepare

from . import isolated
from .isolated import card_environment
from .upstream import TOOLKIT

ROOT = Path(__file__).parents[2]
UPSTREAM, DROP_IN, SESSION = "brian2cuda device.run", "gpurun device.run", "gpurun session.run"

pytestmark = pytest.mark.timeout(600)


def benchmark(
    output: Path, *options: str, case: str = "cuda_presentation"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpurun.bench", case, "--output", output, *options],
        cwd=ROOT,
        env=card_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_trial_compares_results_and_calls_the_card_emulated(tmp_path: Path) -> None:
    done = benchmark(tmp_path, "--quick", "--seconds", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = tmp_path.glob("*.json")
    found = report.read(path)
    assert found.quick
    assert found.parameters["card"] == "emulated"
    assert "meaningless" in str(found.parameters["speed"])
    # brian2cuda and both ways to present with gpurun agree, with and without learning
    assert len(found.checks) == 8
    assert all(check.passed for check in found.checks)
    for group in ("presented", "trained"):
        rounds = found.parameters[f"presentations, {group}"]
        for contender in (UPSTREAM, DROP_IN, SESSION):
            assert len(found.values(group, contender, "wall")) == rounds
    for group in ("override of the rates", "override of the weights"):
        assert found.values(group, SESSION, "upload")
        assert found.values(group, PinnedCopy.name, "upload")
    assert report.newest(tmp_path) == {}


def test_a_trial_with_stimuli(tmp_path: Path) -> None:
    done = benchmark(tmp_path, "--quick", case="cuda_stimuli")
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = tmp_path.glob("*.json")
    found = report.read(path)
    assert found.parameters["card"] == "emulated"
    assert "meaningless" in str(found.parameters["speed"])
    # The real CuPy, where there is one, cannot use this card
    assert "absent" in str(found.parameters["CuPy"])
    assert {check.name.partition(":")[0] for check in found.checks} == {
        "to rates",
        "to spikes",
        "streamed, rates of a retina",
        "trained",
        "one step",
    }
    assert all(check.passed for check in found.checks), found.checks
    assert len(found.values("trained", STAGED, LATER)) == 2
    assert report.newest(tmp_path) == {}


def test_a_trial_with_a_scheduler(tmp_path: Path) -> None:
    done = benchmark(tmp_path, "--quick", case="cuda_scheduler")
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = tmp_path.glob("*.json")
    found = report.read(path)
    assert found.parameters["card"] == "emulated"
    assert "meaningless" in str(found.parameters["speed"])
    assert {check.name.partition(":")[0] for check in found.checks} == {
        "independent",
        "opened",
        "one step",
    }
    assert all(check.passed for check in found.checks), found.checks
    assert report.newest(tmp_path) == {}


@pytest.mark.parametrize("case", ["cuda_presentation", "cuda_stimuli", "cuda_scheduler"])
def test_a_measurement_is_refused(tmp_path: Path, case: str) -> None:
    done = benchmark(tmp_path, case=case)
    assert done.returncode == 2
    assert "mean nothing" in done.stderr
    assert not list(tmp_path.iterdir())


def copied(size: int) -> tuple[float, bytes]:
    """The time of a bare copy, and what arrived."""
    os.environ["CUDA_PATH"] = str(TOOLKIT)
    # In a case a session has loaded it
    ctypes.CDLL(str(Path(prepare.library(), "libcuda_emulator.so")))
    toolkit = find_cuda()
    assert toolkit is not None
    bare = PinnedCopy(size, "upload", toolkit)
    measured = bare.present(0)
    received = bare.received()
    bare.close()
    return measured["upload"], received


def test_the_bare_copy_arrives() -> None:
    seconds, received = isolated.run(copied, 1000)
    assert seconds > 0
    assert received == b"\x01" * 1000
