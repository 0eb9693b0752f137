"""The example for clusters, run as its readers run it; what it prints is checked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "cluster_slurm.py"
COMMAND = Path(sys.executable).parent / "gpurun"
#: dask-jobqueue, with processes of this machine for jobs.
STAND_IN = """
import json
from distributed import LocalCluster

class SLURMCluster(LocalCluster):
    def __init__(self, **options):
        with open("options.json", "w") as file:
            json.dump(options, file)
        super().__init__(n_workers=0, threads_per_worker=options["cores"], dashboard_address=":0")

    def scale(self, n=0, *, jobs=0):
        return super().scale(n or jobs)
"""


def call(cwd: Path, *arguments: str) -> str:
    path = os.pathsep.join(filter(None, [str(cwd), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [str(COMMAND), str(EXAMPLE), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def table(text: str, workers: int) -> np.ndarray:
    first, _, *lines = text.splitlines()
    found = re.fullmatch(r"144 runs on (\d+) workers", first)
    assert found, text
    assert 1 <= int(found[1]) <= workers
    return np.array([[float(word) for word in line.split()] for line in lines])


def test_here_and_with_jobs(tmp_path: Path) -> None:
    here = table(call(tmp_path), 2)
    assert here.shape == (6, 8)
    contrasts, rates = here[:, 0], here[:, 1:]
    assert np.allclose(contrasts, np.arange(6) / 5)
    assert (rates[0] == 0).all()
    assert (np.diff(rates[:, 0]) >= 0).all() and rates[-1, 0] > 50
    assert (rates[-1].argsort()[::-1][:3] == [0, 1, 2]).all(), "no tuning"
    assert rates[-1, -1] < 5

    # Workers that come after the first stimulus was handed in
    (tmp_path / "dask_jobqueue.py").write_text(STAND_IN, encoding="utf-8")
    jobs = table(call(tmp_path, "--slurm", "--jobs", "1", "--partition", "short"), 1)
    assert (jobs == here).all()
    options = json.loads((tmp_path / "options.json").read_text(encoding="utf-8"))
    assert options["queue"] == "short" and options["cores"] == options["processes"] == 1
