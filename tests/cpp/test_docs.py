"""The programs of the documentation run and print what its text promises."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np

SNIPPETS = Path(__file__).resolve().parents[2] / "docs" / "snippets"


def run(*arguments: str | Path, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_session(tmp_path: Path) -> None:
    lines = run(SNIPPETS / "session.py", cwd=tmp_path)
    assert len(lines) == 5
    assert len({line.partition("]")[0] for line in lines}) == 5  # the counts differ


def test_drop_in(tmp_path: Path) -> None:
    lines = run("-m", "gpurun", "--device", "cpu", SNIPPETS / "dropin.py", cwd=tmp_path)
    # 100 neurons; v reaches 1 after ln(11) and ln(2) time constants of 10 ms.
    assert lines == ["0.9 0", "1.1 400", "2.0 1400"]


def test_results(tmp_path: Path) -> None:
    *runs, counts, last = run(SNIPPETS / "results.py", cwd=tmp_path)
    # 20 neurons; v passes 10 mV every 10 ms * ln(drive / (drive - 10 mV))
    strengths = (11, 12, 20)
    spikes = [20 * int(100 / (10 * math.log(drive / (drive - 10)))) for drive in strengths]
    for number, (drive, count) in enumerate(zip(strengths, spikes, strict=True)):
        assert runs[number].startswith(f"run {number}: {drive} mV, {count} spikes")
    assert counts == f"(3, 20) {np.array(spikes)}"
    assert last.startswith("{'run': 3, 'time': 1000, 'neuron': 2} V 0.009")
