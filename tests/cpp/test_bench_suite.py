"""``gpurun bench`` from end to end, with real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.contenders.client import Worker
from gpurun.bench import stats
from gpurun.bench.suite import files
from gpurun.bench.suite.contender import COMPILE_CPU, LOOP, WALL
from gpurun.bench.suite.plan import REFERENCE, Plan
from gpurun.bench.suite.schema import FAILED, MEASURED, REFUSED, from_json, to_json
from gpurun.bench.suite.suite import run_suite
from tests import bench_suite_planted as planted

FILE = planted.__file__


def test_planted_contenders() -> None:
    named = {name: f"{FILE}:{name}" for name in planted.CONTENDERS}
    titles = {path: name for name, path in named.items()} | {REFERENCE: "the reference"}
    plan = Plan(((FILE, "tiny"),), tuple(named.values()), 120, rounds=10, replicas=(), judged=2)
    lines: list[str] = []
    so_far = []
    report = run_suite(
        plan,
        titles,
        Worker,
        ["gpurun", "bench"],
        Path.cwd(),
        lines.append,
        settings={"flags": "exact"},
        done=so_far.append,
    )
    assert from_json(to_json(report)) == report
    assert len(so_far) == 1
    (case,) = report.cases
    assert case.title == planted.TITLE
    assert case.parameters["steps"] == 20
    found = {one.title: one for one in case.contenders}
    assert found["wrong"].status == REFUSED
    assert found["wrong"].measures == []
    assert found["dies"].status == FAILED
    assert "status 3" in found["dies"].detail
    assert found["fast"].agreement.startswith("spike trains identical (")
    slow, fast = (found[name].values("next stimulus", WALL) for name in ("slow", "fast"))
    ratio = stats.ratio_of_medians(slow, fast)
    # Not a speed: these sleep, so that only a machine that stands still could change it
    assert ratio.value == pytest.approx(planted.FACTOR, rel=0.35)


def test_the_command(tmp_path: Path) -> None:
    arguments = ["--case", "cuba:tiny", "--contender", "gpurun-cpu", "--max-time", "240"]
    done = subprocess.run(
        [sys.executable, "-m", "gpurun", "bench", *arguments, "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    assert str(path.name) in done.stdout
    (case,) = files.read(path).cases
    (ours,) = case.contenders
    assert ours.status == MEASURED
    assert "identical" in ours.agreement
    assert ours.values("setup", COMPILE_CPU)[0] > 0
    assert len(ours.values("next stimulus", WALL)) == len(ours.values("next stimulus", LOOP)) >= 3
    assert {curve.over for curve in ours.curves} == {"steps", "replicas"}
    assert list(tmp_path.glob("*.svg"))
    assert list(tmp_path.glob("*.png"))


def test_what_there_is(capfd: pytest.CaptureFixture[str]) -> None:
    from gpurun.cli import main

    assert main(["bench", "--list"]) == 0
    listed = capfd.readouterr().out
    for name in ("cuba", "diehl_cook", "gpurun-cpu", "brian2-cython"):
        assert name in listed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--case", "nothing"], "no benchmark case 'nothing'"),
        (["--case", "cuba:huge"], "'cuba' has no size 'huge'"),
        (["--contender", "nest"], "no contender 'nest'"),
        (["--max-time", "0"], "--max-time 0"),
        (["--width", "2"], "--width 2"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_what_is_not_there(
    words: list[str], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from gpurun.cli import main

    assert main(["bench", *words]) == 2
    assert expected in capfd.readouterr().err
