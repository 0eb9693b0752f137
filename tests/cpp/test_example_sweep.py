"""The example of a sweep: what it prints, and that it goes on where it stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.py"
COMMAND = Path(sys.executable).parent / "gpurun"


def call(cwd: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [str(COMMAND), "--quiet", str(EXAMPLE), "--device", "cpu", *arguments],
        cwd=cwd,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def test_it_sweeps_and_goes_on(tmp_path: Path) -> None:
    first, head, *rows = call(tmp_path, "--repeats", "2")
    assert first == "36 runs made, 36 in sweep.zarr"
    assert head.split() == ["drive", "5", "ms", "10", "ms", "20", "ms"]
    rates = np.array([[float(word) for word in row.split()[1::2]] for row in rows])
    assert rates.shape == (6, 3)
    # More input, more spikes; a slower membrane, fewer
    assert (np.diff(rates, axis=0) > 0).all()
    assert (np.diff(rates[2:], axis=1) < 0).all()
    # Above threshold about as the noiseless neuron: refractory + tau*log(drive/(drive - 1))
    drive, tau = 1.6, np.array([5e-3, 10e-3, 20e-3])
    assert np.allclose(rates[5], 1 / (2e-3 + tau * np.log(drive / (drive - 1))), rtol=0.1)
    # Nothing is run again, and the same is printed; another repeat is
    again = call(tmp_path, "--repeats", "2")
    assert again == ["0 runs made, 36 in sweep.zarr", head, *rows]
    more, _, *_ = call(tmp_path, "--repeats", "3")
    assert more == "18 runs made, 54 in sweep.zarr"
