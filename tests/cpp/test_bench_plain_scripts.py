"""The benchmark of plain scripts as a trial: that it runs, and that both ways were measured."""

from __future__ import annotations

from pathlib import Path

from gpurun.bench import report
from tests.bench_trial import trial


def test_a_trial(tmp_path: Path) -> None:
    found = trial("plain_scripts", tmp_path)
    names = {one.measure for one in found.series if one.group == "cold"}
    assert len(names) == 2
    for kind, rounds in (("cold", 1), ("warm", 2)):
        for name in names:
            python, ours = (
                found.values(kind, f"{way} SCRIPT", name) for way in ("python", "gpurun")
            )
            assert len(python) == len(ours) == rounds
        together = found.values(f"{kind}, all scripts", "gpurun SCRIPT", "wall")
        assert together[0] == sum(found.values(kind, "gpurun SCRIPT", name)[0] for name in names)
    compared = {one.name.partition(":")[0] for one in found.comparisons}
    assert compared == {
        *(f"warm, {name}" for name in names),
        *(f"{kind}, median over the scripts" for kind in ("cold", "warm")),
    }
    assert {check.name.partition(",")[0] for check in found.checks} == {
        "gpurun says of every script that it has run it",
        "cold: where gpurun is slower",
    }
    assert report.newest(tmp_path) == {}
