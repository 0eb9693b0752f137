"""``ci/gpu.sh DIRECTORY suite`` on an emulated card, whose times mean nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpurun.bench.suite import contender as names
from gpurun.bench.suite import files
from gpurun.bench.suite.schema import MEASURED

from .isolated import card_environment

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)
def test_the_contenders_for_a_card_agree_and_are_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "ci" / "gpu.sh", tmp_path, "suite"],
        cwd=ROOT,
        env={
            **card_environment("nvml.energy=0"),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "GPURUN_GPU_CASES": "cuba:tiny",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = (tmp_path / "suite").glob("*.json")
    report = files.read(path)
    [case] = report.cases
    found = {one.name: one for one in case.contenders}
    assert {one.status for one in found.values()} == {MEASURED}, done.stdout
    assert set(found) == {"gpurun-cuda", "brian2cuda", "gpurun-cpu", "brian2-cpp"}
    ours = found["gpurun-cuda"]
    assert all(value > 0 for value in ours.values("next stimulus", names.DEVICE))
    assert len(ours.values("next stimulus", names.DEVICE)) > 2
    assert not found["gpurun-cpu"].values("next stimulus", names.DEVICE)
    assert ours.values("memory", names.DEVICE_PEAK)
    # A count that stays where it is tells nothing
    assert not ours.values("energy", names.ENERGY)
    assert files.newest(tmp_path / "suite", card=True) is None
