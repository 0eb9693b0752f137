"""Plain scripts that draw random numbers while time goes on, and those that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plain_scripts_compare import refusal, same_distributions
from tests.plain_scripts_driver import Script, noisy, refused, run


@pytest.mark.parametrize("script", noisy(), ids=lambda script: script.name)
def test_noise_has_the_same_distribution(script: Script, tmp_path: Path) -> None:
    assert same_distributions(script, tmp_path) == []


@pytest.mark.parametrize("script", refused(), ids=lambda script: script.name)
def test_what_cannot_be_compiled_is_refused_by_name(script: Script, tmp_path: Path) -> None:
    assert refusal(script, run(script, "gpurun", tmp_path)) == []


@pytest.mark.parametrize("script", refused()[:1], ids=lambda script: script.name)
def test_a_refused_script_runs_in_plain_brian(script: Script, tmp_path: Path) -> None:
    """As the message says: with ``--device runtime``."""
    plain = run(script, "python", tmp_path / "python")
    asked = run(script, "gpurun", tmp_path / "gpurun", device="runtime")
    assert plain.status == asked.status == 0, asked.stderr
    assert asked.stdout == plain.stdout
