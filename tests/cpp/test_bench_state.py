"""The benchmark of snapshots and streams as a trial: that it runs, and what it finds to hold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpurun.bench import report
from tests.bench_trial import trial

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much is resident")
def test_a_trial(tmp_path: Path) -> None:
    found = trial("state", tmp_path)
    # Every part has come to a verdict, on what was stored, on the file and on the memory
    assert {check.name.partition(":")[0] for check in found.checks} == {
        "stored",
        "streamed, 10 cells",
        "memory",
    }
    for contender in ("session.store", "session.restore", "memory copy of the same bytes"):
        assert len(found.values("stored", contender, "wall")) > 1
    # brian2 keeps what it records, and it was this program that was looked at
    kept = found.values("memory", "brian2 cpp_standalone", "peak, 10,000 steps")
    assert kept[0] > int(found.parameters["bytes recorded in a step"]) * 10_000
    assert report.newest(tmp_path) == {}
