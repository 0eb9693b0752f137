"""The suite's engine, with contenders that compute nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpurun.bench import stats
from gpurun.bench.suite import floors
from gpurun.bench.suite.contender import ENERGY, WALL
from gpurun.bench.suite.engine import run_case
from gpurun.bench.suite.plan import REFERENCE, Deadline, Plan, chosen
from gpurun.bench.suite.schema import ABSENT, FAILED, MEASURED, REFUSED, Case
from gpurun.errors import ConfigError
from tests.unit.bench_suite_workers import TITLES, FakeWorker, absent, subject


def run(workers: dict[str, FakeWorker], seconds: float = 30, **options: Any) -> Case:
    workers.setdefault(REFERENCE, FakeWorker(name=REFERENCE))
    settings: dict[str, Any] = {"rounds": 30, "replicas": (1, 2), **options}
    wanted = tuple(name for name in TITLES if name in workers)
    plan = Plan((("toy", "tiny"),), settings.pop("contenders", wanted), seconds, **settings)

    def start(case: str, size: str, name: str, folder: Path) -> FakeWorker:
        assert (case, size) == ("toy", "tiny")
        assert not list(folder.iterdir())
        return workers[name]

    found = run_case(subject(), plan, TITLES, start, Deadline(seconds), lambda line: None)
    assert all(worker.closed for worker in workers.values() if worker.asked)
    return found


def contender(case: Case, name: str) -> Any:
    return next(one for one in case.contenders if one.name == name)


def test_a_slow_contender_is_slow_by_the_planted_factor() -> None:
    found = run({"gpurun-cpu": FakeWorker(0.01), "other": FakeWorker(0.03)})
    ours, theirs = (
        contender(found, name).values("next stimulus", WALL) for name in ("gpurun-cpu", "other")
    )
    ratio = stats.ratio_of_medians(theirs, ours)
    assert ratio.low < 3 < ratio.high
    assert ratio.low > 2.5
    assert ratio.high < 3.6


def test_a_wrong_contender_has_no_times() -> None:
    found = contender(run({"gpurun-cpu": FakeWorker(), "other": FakeWorker(shift=1)}), "other")
    assert found.status == REFUSED
    assert "differ from 10 ms on" in found.detail
    assert found.measures == []
    assert found.curves == []


def test_agreement_comes_before_timing() -> None:
    log: list[tuple[str, Any]] = []
    run({"gpurun-cpu": FakeWorker(log=log, name="gpurun-cpu"), "other": FakeWorker()})
    requests = [what for _, what in log]
    assert requests[:3] == ["setup", "present", "facts"]
    assert requests[3:7] == ["result"] * 4
    assert requests[-2:] == ["memory", "energy"]


def test_contenders_take_turns() -> None:
    log: list[tuple[str, Any]] = []
    workers = {name: FakeWorker(log=log, name=name) for name in TITLES}
    run(dict(workers), rounds=6, width=1e-6)
    presented = [name for name, what in log if what == "present"][len(workers) :]
    turns = [tuple(presented[k : k + 3]) for k in range(0, len(presented), 3)]
    assert all(set(turn) == set(workers) for turn in turns)
    # Each of them begins as often as the others
    assert len({turn[0] for turn in turns}) == 3


def test_absent_and_failing_contenders_are_listed_with_the_reason() -> None:
    found = run({"gpurun-cpu": absent("no card"), "other": FakeWorker(fails_at=6)})
    missing, failing = contender(found, "gpurun-cpu"), contender(found, "other")
    assert (missing.status, missing.detail) == (ABSENT, "no card")
    assert failing.status == FAILED
    assert "the planted failure" in failing.detail
    assert contender(found, REFERENCE).status == MEASURED


def test_without_a_reference_nothing_is_timed() -> None:
    found = run({"gpurun-cpu": FakeWorker(), REFERENCE: absent("not today")})
    assert contender(found, "gpurun-cpu").status == REFUSED
    assert "nothing to compare it with" in contender(found, "gpurun-cpu").detail


def test_the_reference_need_not_be_shown() -> None:
    found = run({"gpurun-cpu": FakeWorker()}, contenders=("gpurun-cpu",))
    assert [one.name for one in found.contenders] == ["gpurun-cpu"]
    assert contender(found, "gpurun-cpu").status == MEASURED


def test_no_time_left_is_said() -> None:
    found = run({"gpurun-cpu": FakeWorker()}, seconds=1e-9)
    assert {one.status for one in found.contenders} == {FAILED}
    assert "--max-time" in contender(found, "gpurun-cpu").detail


def test_measures_are_kept_apart() -> None:
    found = contender(run({"gpurun-cpu": FakeWorker()}), "gpurun-cpu")
    assert {one.phase for one in found.measures} == {
        "setup",
        "first stimulus",
        "next stimulus",
        "memory",
    }
    outside = found.values("next stimulus", "outside the time loop")
    assert outside == pytest.approx([wall / 2 for wall in found.values("next stimulus", WALL)])
    steps, replicas = found.curves
    assert (steps.over, steps.at) == ("steps", [12, 25, 50, 100])
    assert [len(values) for values in steps.values] == [3, 3, 3, 3]
    assert (replicas.over, replicas.at) == ("replicas", [1])
    units = {one.name: one.unit for one in found.measures}
    assert units["peak host memory"] == "B"


def test_energy_is_that_of_a_stimulus_where_a_card_tells() -> None:
    found = run({"gpurun-cpu": FakeWorker(watts=200), "other": FakeWorker()})
    assert contender(found, "gpurun-cpu").values("energy", ENERGY) == pytest.approx([2.0] * 3)
    assert contender(found, "other").values("energy", ENERGY) == []
    (measure,) = (one for one in contender(found, "gpurun-cpu").measures if one.name == ENERGY)
    assert measure.unit == "J"


def test_a_failure_to_tell_energy_costs_nothing_else() -> None:
    found = contender(run({"gpurun-cpu": FakeWorker(watts=200, fails_at="energy")}), "gpurun-cpu")
    assert found.status == MEASURED
    assert found.values("next stimulus", WALL)
    assert found.values("energy", ENERGY) == []


def test_the_floor_of_moving_is_measured_with_the_case() -> None:
    found = run({"gpurun-cpu": FakeWorker()})
    assert [(one.name, one.detail) for one in found.floors] == [(floors.MOVED, "1000 bytes")]
    ours = contender(found, "gpurun-cpu")
    assert {one.floor for one in ours.measures if one.name == "outside the time loop"} == {
        floors.MOVED
    }


def test_races_end_when_medians_are_known() -> None:
    wide = contender(run({"gpurun-cpu": FakeWorker()}, width=0.5), "gpurun-cpu")
    narrow = contender(run({"gpurun-cpu": FakeWorker()}, width=1e-6), "gpurun-cpu")
    assert len(wide.values("next stimulus", WALL)) == 11
    assert len(narrow.values("next stimulus", WALL)) == 146


def test_floors_of_this_machine() -> None:
    names = {one.name: one for one in floors.of_machine(2)}
    assert {floors.COPY, floors.PROCESS} <= names.keys()
    assert all(value > 0 for one in names.values() for value in one.values)


def test_unknown_names_are_refused() -> None:
    assert chosen("contender", ["b"], ["a", "b"]) == ("b",)
    assert chosen("contender", [], ["a", "b"]) == ("a", "b")
    with pytest.raises(ConfigError, match=r"no contender 'c': expected some of a, b"):
        chosen("contender", ["c"], ["a", "b"])
    with pytest.raises(ConfigError, match="at least one case"):
        Plan((), ("a",), 1)
    with pytest.raises(ConfigError, match="positive number"):
        Plan((("a", "tiny"),), ("a",), 0)
