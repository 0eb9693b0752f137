"""Two reports of the suite: the noise gives no verdict, a planted difference does."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from gpurun.bench.suite import files
from gpurun.bench.suite.compare import (
    FASTER,
    LESS,
    MORE,
    NOISE,
    SLOWER,
    TOO_FEW,
    Row,
    compare,
    slower,
)
from gpurun.bench.suite.differences import differences, lost
from gpurun.bench.suite.schema import REFUSED, Contender, Measure, SuiteReport
from gpurun.bench.suite.student import quantile, tail
from gpurun.cli import bench_compare
from gpurun.cli.arguments import UsageError
from gpurun.errors import ConfigError
from tests.unit.bench_suite_reports import MACHINE, make, missing

DRIFT = 0.03
PAIRS = 20


def verdicts(rows: list[Row]) -> set[str]:
    return {row.verdict for row in rows}


def test_noise_and_drift_flip_nothing_in_twenty_pairs() -> None:
    found: set[str] = set()
    for number in range(PAIRS):
        a, b = (make(2 * number + one, drift=DRIFT, count=20) for one in (0, 1))
        rows = compare(a, b)
        assert sum(row.verdict == NOISE for row in rows) > 60
        found |= verdicts(rows)
    assert found == {NOISE, TOO_FEW}


def test_the_drift_is_not_made_up_by_the_scatter_of_values() -> None:
    """What the model is for: without it, these pairs would flip."""
    flipped = 0
    for number in range(5):
        a, b = (make(2 * number + one, noise=0.01, drift=DRIFT, count=20) for one in (0, 1))
        flipped += bool(verdicts(compare(a, b, drift=0.0, minimum=0.0)) - {NOISE, TOO_FEW})
    assert flipped == 5


def test_a_planted_slow_contender_is_found_and_no_other() -> None:
    found = 0
    for number in range(10):
        a = make(2 * number, drift=DRIFT)
        b = make(2 * number + 1, drift=DRIFT, slower={"gpurun-cpu": 1.3})
        told = [row for row in compare(a, b) if row.verdict not in (NOISE, TOO_FEW)]
        assert {row.verdict for row in told} <= {SLOWER}
        assert {(row.case, row.size, row.contender) for row in told} <= {
            ("alpha", "full", "gpurun-cpu")
        }
        walls = [row for row in told if (row.phase, row.measure) == ("next stimulus", "wall")]
        found += len(walls)
        for row in walls:
            assert row.ratio == pytest.approx(1.3, rel=0.2)
            assert row.low < row.ratio < row.high
    assert found >= 8


def test_it_is_faster_the_other_way_round() -> None:
    a, b = make(1, slower={"gpurun-cpu": 2.0}), make(2)
    rows = {(row.phase, row.measure): row for row in compare(a, b) if _planted(row)}
    row = rows["next stimulus", "wall"]
    assert row.verdict == FASTER and row.ratio == pytest.approx(0.5, rel=0.1)
    assert rows["replicas", "each stimulus, 2 at a time"].ratio < 0.7
    assert rows["steps", "800 steps"].ratio < 0.7
    assert rows["setup", "load"].verdict == TOO_FEW and math.isinf(rows["setup", "load"].high)


def _planted(row: Row) -> bool:
    return (row.case, row.size, row.contender) == ("alpha", "full", "gpurun-cpu")


def with_measure(report: SuiteReport, measure: Measure) -> SuiteReport:
    def changed(one: Contender) -> Contender:
        return dataclasses.replace(one, measures=[measure], curves=[])

    cases = [
        dataclasses.replace(case, contenders=[changed(one) for one in case.contenders[:1]])
        for case in report.cases[:1]
    ]
    return dataclasses.replace(report, cases=cases, floors=[])


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([1.0] * 9, [1.04] * 9, NOISE),  # sure without drift, and too little to matter
        ([1.0] * 9, [1.06] * 9, SLOWER),
        ([1.06] * 9, [1.0] * 9, FASTER),
        ([1.0, 1.5, 2.0] * 3, [1.06, 1.6, 2.1] * 3, NOISE),
        ([1.0] * 2, [3.0] * 2, TOO_FEW),
        ([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 7, NOISE),
    ],
)
def test_a_verdict_needs_both_certainty_and_size(
    before: list[float], after: list[float], verdict: str
) -> None:
    a, b = (
        with_measure(make(), Measure("next stimulus", "wall", "s", some))
        for some in (before, after)
    )
    (row,) = compare(a, b, drift=0.0)
    assert row.verdict == verdict


def test_what_is_no_time_is_less_or_more() -> None:
    a, b = (
        with_measure(make(), Measure("memory", "peak host memory", "B", [some] * 3))
        for some in (1e6, 2e6)
    )
    assert verdicts(compare(a, b)) == {MORE}
    assert verdicts(compare(b, a)) == {LESS}
    assert slower(compare(a, b)) == []


def test_a_median_of_zero_has_no_ratio() -> None:
    nothing = with_measure(make(), Measure("next stimulus", "upload", "s", [0.0] * 9))
    assert compare(nothing, nothing) == []


def test_another_network_is_not_compared() -> None:
    a, b = make(), make()
    other = dataclasses.replace(a.cases[0], parameters={"neurons": 3})
    a = dataclasses.replace(a, cases=[other, *a.cases[1:]])
    assert not any((row.case, row.size) == ("alpha", "full") for row in compare(a, b))
    assert any("another network" in one and "alpha (full)" in one for one in differences(a, b))


def test_equal_reports_have_no_differences() -> None:
    assert differences(make(1), make(2)) == []
    assert lost(make(1), make(2)) == []


def test_differences_of_the_machine_and_the_contenders_are_told() -> None:
    a, b = make(), make()
    packages = {**MACHINE.packages, "brian2": "3"}
    machine = dataclasses.replace(MACHINE, processor="Another", packages=packages, quiet=False)
    case = b.cases[0]
    faster = dataclasses.replace(
        case.contenders[0], facts={**case.contenders[0].facts, "flags": "-Ofast"}
    )
    refused = missing("brian2-cpp", REFUSED, "the spikes differ")
    contenders = [faster, case.contenders[1], refused, case.contenders[3]]
    b = dataclasses.replace(
        b,
        machine=machine,
        card={"name": "a card"},
        settings={"flags": "-O2"},
        cases=[dataclasses.replace(case, contenders=contenders)],
    )
    text = "\n".join(differences(a, b))
    for part in (
        "the machine's processor was A processor, and is Another",
        "the version of brian2 was 2.10.1, and is 3",
        "the card's name was nothing, and is a card",
        "the setting flags was -O3, and is -O2",
        "not quiet for the second report",
        "beta (full) is in the first report only",
        "gpurun-cpu's flags was -O3, and is -Ofast",
        "brian2-cpp was measured, and is refused",
    ):
        assert part in text
    assert lost(a, b) == ["alpha (full): brian2-cpp is refused: the spikes differ"]


@pytest.mark.parametrize("freedom", [1.0, 2.0, 4.5, 60.0])
def test_quantiles_of_student(freedom: float) -> None:
    assert tail(quantile(0.999, freedom), freedom) == pytest.approx(0.001, rel=1e-6)


def test_quantiles_of_student_for_many_degrees_of_freedom() -> None:
    below, above = quantile(0.99999, 100.0), quantile(0.99999, 100.000001)
    assert above == pytest.approx(below, rel=1e-5)
    assert quantile(0.975, math.inf) == pytest.approx(1.959964, abs=1e-6)


def test_quantiles_of_student_against_closed_forms() -> None:
    probability = 0.9995
    cauchy = math.tan(math.pi * (probability - 0.5))
    assert quantile(probability, 1) == pytest.approx(cauchy, rel=1e-6)
    alpha = 4 * probability * (1 - probability)
    two = 2 * (probability - 0.5) * math.sqrt(2 / alpha)
    assert quantile(probability, 2) == pytest.approx(two, rel=1e-6)


@pytest.mark.parametrize("options", [{"drift": -1.0}, {"minimum": np.nan}, {"level": 1.0}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="drift"):
        compare(make(), make(), **options)


# -- the command ---------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, str]:
    reports = {"a": make(1), "same": make(2), "slow": make(3, slower={"gpurun-cpu": 2.0})}
    return {name: str(files.write(one, tmp_path / name)) for name, one in reports.items()}


def test_the_command_shows_what_is_slower(
    stored: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_compare.run([stored["a"], stored["slow"]]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines() if line.rstrip().endswith("slower")]
    assert ["alpha", "full", "gpurun-cpu", "next", "stimulus", "wall"] in [one[:6] for one in lines]
    assert NOISE not in out.partition("in common")[0]
    assert err == ""
    assert bench_compare.run([stored["a"], stored["slow"], "--fail-if-slower"]) == 1


def test_the_command_shows_nothing_but_noise(
    stored: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_compare.run([stored["a"], stored["same"], "--fail-if-slower"]) == 0
    out = capsys.readouterr().out
    assert "in common" in out and len(out.splitlines()) == 1
    assert bench_compare.run([stored["a"], stored["same"], "--all"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) > 100 and "floor" in shown


def test_the_command_warns_and_fails_for_what_does_not_work_any_more(
    stored: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = make(2)
    entries = [missing("gpurun-cpu", REFUSED, "wrong spikes"), *report.cases[0].contenders[1:]]
    cases = [dataclasses.replace(report.cases[0], contenders=entries), *report.cases[1:]]
    broken = str(files.write(dataclasses.replace(report, cases=cases), tmp_path / "broken"))
    assert bench_compare.run([stored["a"], broken]) == 0
    out, err = capsys.readouterr()
    assert "does not work any more: alpha (full): gpurun-cpu is refused: wrong spikes" in out
    assert "warning: alpha (full): gpurun-cpu was measured, and is refused" in err
    assert bench_compare.run([stored["a"], broken, "--fail-if-slower"]) == 1


def test_bad_arguments_of_the_command(stored: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="compare"):
        bench_compare.run([stored["a"]])
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        bench_compare.run([stored["a"], str(tmp_path / "nowhere.json")])
    with pytest.raises(ConfigError, match="drift"):
        bench_compare.run([stored["a"], stored["a"], "--drift", "-3"])
