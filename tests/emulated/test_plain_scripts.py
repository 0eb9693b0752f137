"""Plain scripts on an emulated card, against Brian's runtime mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cuda_emulator.driver import prepare
from tests.plain_scripts_compare import identical, refusal, same_distributions
from tests.plain_scripts_driver import SCRIPTS, read_header, run

from .upstream import TOOLKIT


@pytest.fixture(autouse=True)
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_PATH", str(TOOLKIT))
    monkeypatch.setenv("CUDA_EMULATOR", "order=reverse leaks=fatal")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(prepare.nvml()))


@pytest.mark.parametrize("name", ["closed_loop_rate", "delays_in_flight"])
def test_results_are_those_of_brian(name: str, tmp_path: Path) -> None:
    """Reads between runs, changes that depend on them, and spikes on their way meanwhile."""
    assert identical(read_header(SCRIPTS / f"{name}.py"), tmp_path, device="cuda") == []


def test_noise_has_the_same_distribution(tmp_path: Path) -> None:
    script = read_header(SCRIPTS / "random_stimuli.py")
    assert same_distributions(script, tmp_path, device="cuda") == []


def test_a_function_without_cuda_code_is_refused(tmp_path: Path) -> None:
    script = read_header(SCRIPTS / "refused_python_function.py")
    assert refusal(script, run(script, "gpurun", tmp_path, device="cuda")) == []
