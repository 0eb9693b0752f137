"""The scheduler: every result once, the same as alone, whatever the number of sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpurun
from gpurun import Scheduler, stimulus
from gpurun.errors import (
    CheckpointError,
    ConfigError,
    NonFiniteValueError,
    OverrideError,
    ScheduleError,
    ShapeMismatchError,
    StimulusError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.overrides import Target
from gpurun.runlog import read_log
from gpurun.scheduler import Failed
from gpurun.scheduler.jobs import seed_of
from tests import models

RATES = np.random.default_rng(0).uniform(0, 900, (30, 12))
RECORD = ["spikes.count", "feed.w"]


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.learner)


def stimuli(count: int = 30) -> list[dict[str, Any]]:
    return [{"pixels.rates": rates} for rates in RATES[:count]]


def alone(script: models.Script, count: int = 30, **start: Any) -> list[dict[str, np.ndarray]]:
    """What each stimulus gives in a session of its own."""
    found = []
    for number, one in enumerate(stimuli(count)):
        with script.model.session() as session:
            result = session.run({**start, **one}, record=RECORD, seed=seed_of(5, number))
        found.append({name: result[name] for name in RECORD})
    return found


def in_line(script: models.Script, count: int = 30) -> list[dict[str, np.ndarray]]:
    found = []
    with script.model.session() as session:
        for number, one in enumerate(stimuli(count)):
            result = session.run(one, carry=["feed.w"], record=RECORD, seed=seed_of(5, number))
            found.append({name: result[name] for name in RECORD})
    return found


def same(results: list[Any], expected: list[dict[str, np.ndarray]]) -> None:
    assert len(results) == len(expected)
    for number, (one, other) in enumerate(zip(results, expected, strict=True)):
        for name, value in other.items():
            assert np.array_equal(one[name], value), (number, name)


# -- independent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("replicas", [1, 2, 3, "auto"])
def test_map_equals_runs_alone(script: models.Script, replicas: Any, isolation: str) -> None:
    with Scheduler(script.model, replicas=replicas, isolation=isolation, seed=5) as scheduler:
        results = list(scheduler.map(stimuli(), record=RECORD))
        if replicas != "auto":
            assert sum(scheduler.sessions.values()) <= replicas
    same(results, alone(script))
    assert scheduler.sessions == {}


def test_as_they_are_ready(script: models.Script) -> None:
    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        found = dict(scheduler.map(stimuli(), record=RECORD, ordered=False))
    same([found[number] for number in range(30)], alone(script))


def test_stimuli_are_taken_a_few_ahead(script: models.Script) -> None:
    taken = []

    def coming() -> Iterator[dict[str, Any]]:
        assert threading.current_thread() is threading.main_thread()
        for number in range(1000):
            taken.append(number)
            yield {"pixels.rates": 100.0}

    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        results = scheduler.map(coming(), duration=1e-3)
        for number in range(20):
            next(results)
            assert len(taken) <= number + 1 + 2 * 2 + 2
        results.close()
        assert len(taken) < 30
        # What was left is not run, and the scheduler is as good as new
        assert len(list(scheduler.map(stimuli(5)))) == 5


def test_a_stream_of_stimuli(script: models.Script) -> None:
    images = RATES[:10].reshape(10, 3, 4)
    stream = stimulus.StimulusStream((images, range(10)), stimulus.Flatten(), batch=4)
    with Scheduler(script.model, replicas=2, seed=5, device="cpu") as scheduler:
        results = list(scheduler.map(stream, target=script.objects.pixels.rates, record=RECORD))
    same(results, alone(script, 10))


def test_submit(script: models.Script) -> None:
    with Scheduler(script.model, seed=5) as scheduler:
        futures = [scheduler.submit(one, record=RECORD) for one in stimuli(10)]
        again = scheduler.submit(stimuli(1)[0], record=RECORD, seed=seed_of(5, 0))
        same([future.result() for future in futures], alone(script, 10))
        assert np.array_equal(again.result()["feed.w"], futures[0].result()["feed.w"])
        with pytest.raises(ScheduleError, match=r"Stimulus 11 .*ShapeMismatchError"):
            scheduler.submit({"pixels.rates": np.zeros(3)}).result()


# -- consecutive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_run_equals_a_loop(script: models.Script, isolation: str, on_error: str) -> None:
    with Scheduler(script.model, isolation=isolation, on_error=on_error, seed=5) as scheduler:
        results = list(scheduler.run(stimuli(), carry=["feed.w"], record=RECORD))
        same(results, in_line(script))
        assert all(list(result) == RECORD for result in results)


def test_what_is_carried_need_not_be_recorded(script: models.Script) -> None:
    with Scheduler(script.model, isolation="process", seed=5) as scheduler:
        results = list(
            scheduler.run(stimuli(), carry=[script.objects.feed.w], record=["spikes.count"])
        )
    expected = [{"spikes.count": one["spikes.count"]} for one in in_line(script)]
    same(results, expected)
    assert all(list(result) == ["spikes.count"] for result in results)


def test_trained_in_line_then_tested_side_by_side(script: models.Script) -> None:
    expected = in_line(script)[-1]["feed.w"]
    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        with pytest.raises(ConfigError, match=r"No stimuli were presented with run\(\)"):
            scheduler.restart("run")
        first = list(scheduler.map(stimuli(4), record=RECORD))
        same(first, alone(script, 4))
        for _ in scheduler.run(stimuli(), carry=["feed.w"], seed=5):
            pass
        scheduler.restart("run")
        results = list(scheduler.map(stimuli(), record=RECORD, seed=5))
        same(results, alone(script, **{"feed.w": expected}))


def test_the_next_stimulus_is_taken_meanwhile(script: models.Script) -> None:
    taken = []

    def coming() -> Iterator[dict[str, Any]]:
        for number in range(5):
            taken.append(number)
            yield {"pixels.rates": 100.0}

    with Scheduler(script.model, seed=5) as scheduler:
        results = scheduler.run(coming(), duration=1e-3)
        next(results)
        assert taken == [0, 1]
        assert len(list(results)) == 4


# -- where runs begin ----------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_started_from_a_checkpoint(script: models.Script, tmp_path: Path, isolation: str) -> None:
    path = tmp_path / "trained.h5"
    with script.model.session() as session:
        for one in stimuli():
            session.run(one, carry=["feed.w"], seed=3)
        session.save(path)
        trained = session.read("feed.w")
        theta = session.read("cells.theta")
        expected = alone(script, 6, **{"feed.w": trained})
        for start, keep in ((path, None), (session, None), ({"feed.w": trained}, None)):
            with Scheduler(
                script.model, start=start, keep=keep, isolation=isolation, seed=5, replicas=2
            ) as scheduler:
                same(list(scheduler.map(stimuli(6), record=RECORD)), expected)
    both = alone(script, 6, **{"feed.w": trained, "cells.theta": theta})
    with Scheduler(
        script.model, start=path, keep=["feed.w", script.objects.cells.theta], seed=5
    ) as scheduler:
        same(list(scheduler.map(stimuli(6), record=RECORD)), both)


def test_a_start_that_cannot_be(script: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    with script.model.session() as session:
        session.run(duration=1e-3)
        session.save(path)
        for start in (path, session):
            with pytest.raises(ConfigError, match=r"carried nothing.*keep="):
                Scheduler(script.model, start=start)
    with pytest.raises(ConfigError, match=r"checkpoint's path, a session, or values.*not int"):
        Scheduler(script.model, start=3)
    with pytest.raises(UnknownVariableError):
        Scheduler(script.model, start=path, keep=["feed.u"])
    with pytest.raises(CheckpointError):
        Scheduler(script.model, start=tmp_path / "none.h5")
    other = models.built(models.noisy)
    with pytest.raises((CheckpointError, ConfigError)):
        Scheduler(other.model, start=path, keep=["links.w"])


# -- failures ------------------------------------------------------------------------------------


def bad_at(*numbers: int) -> list[dict[str, Any]]:
    found = stimuli(12)
    for number in numbers:
        found[number] = {"pixels.rates": np.zeros(3)}
    return found


@pytest.mark.parametrize("how", ["map", "run"])
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_raise(script: models.Script, isolation: str, how: str) -> None:
    with Scheduler(script.model, replicas=2, isolation=isolation, seed=5) as scheduler:
        results = getattr(scheduler, how)(bad_at(5), record=RECORD)
        found = [next(results) for _ in range(5)]
        with pytest.raises(ScheduleError, match=r"Stimulus 5 failed.*pixels\.rates") as caught:
            next(results)
        assert caught.value.fields == {"index": 5, "attempts": 1}
        assert isinstance(caught.value.__cause__, ShapeMismatchError)
        same(found, alone(script, 5))
        assert len(list(getattr(scheduler, how)(stimuli(3)))) == 3


@pytest.mark.parametrize("how", ["map", "run"])
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_skip(script: models.Script, isolation: str, how: str) -> None:
    with Scheduler(
        script.model, replicas=2, isolation=isolation, on_error="skip", seed=5
    ) as scheduler:
        results = list(getattr(scheduler, how)(bad_at(0, 7, 11), record=RECORD))
    assert [number for number, one in enumerate(results) if not one] == [0, 7, 11]
    for number in (0, 7, 11):
        assert isinstance(results[number], Failed)
        assert results[number].index == number
        assert isinstance(results[number].error, ShapeMismatchError)
    expected = alone(script, 12)
    same([one for one in results if one], [expected[n] for n in range(12) if results[n]])


def test_retry(script: models.Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Errors that pass are not seen but in the log."""
    run = gpurun.Session.run
    failures: dict[int, int] = {}

    def flaky(self: gpurun.Session, overrides: Any = None, **options: Any) -> Any:
        seed = options["seed"]
        if seed % 3 == 0 and failures.get(seed, 0) < 2:
            failures[seed] = failures.get(seed, 0) + 1
            raise OSError("now and then")
        return run(self, overrides, **options)

    monkeypatch.setattr(gpurun.Session, "run", flaky)
    log = tmp_path / "run.log"
    for how in ("map", "run"):
        failures.clear()
        with Scheduler(
            script.model, replicas=2, on_error="retry", retries=2, seed=5, log=log
        ) as scheduler:
            results = list(getattr(scheduler, how)(stimuli(), record=RECORD))
            assert scheduler.record.retried == sum(failures.values()) > 4
        monkeypatch.undo()
        same(results, alone(script))
        monkeypatch.setattr(gpurun.Session, "run", flaky)
        failures.clear()
        with (
            Scheduler(script.model, replicas=2, on_error="retry", retries=1, seed=5) as scheduler,
            pytest.raises(ScheduleError, match=r"after 2 attempt\(s\): OSError"),
        ):
            list(getattr(scheduler, how)(stimuli(), record=RECORD))
    entries = read_log(log).runs[0].stimuli
    assert sum(entry.ok for entry in entries) == 30
    assert sorted({entry.index for entry in entries if entry.ok}) == list(range(30))
    assert max(entry.attempt for entry in entries) == 3


def test_a_skipped_stimulus_leaves_no_trace_in_the_line(
    script: models.Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gpurun.Session.run

    def spoiled(self: gpurun.Session, overrides: Any = None, **options: Any) -> Any:
        result = run(self, overrides, **options)
        if options["seed"] == seed_of(5, 4):
            self.write({"feed.w": 0.0})
            raise OSError("too late")
        return result

    monkeypatch.setattr(gpurun.Session, "run", spoiled)
    with Scheduler(script.model, on_error="skip", seed=5) as scheduler:
        results = list(scheduler.run(stimuli(8), carry=["feed.w"], record=RECORD))
    monkeypatch.undo()
    assert [bool(one) for one in results] == [True] * 4 + [False] + [True] * 3
    with script.model.session() as session:
        for number, one in enumerate(stimuli(8)):
            if number == 4:
                continue
            expected = session.run(one, carry=["feed.w"], record=RECORD, seed=seed_of(5, number))
            same([results[number]], [{name: expected[name] for name in RECORD}])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"replicas": 0}, "replicas is an integer from 1 on or 'auto', not 0"),
        ({"memory": 0}, "memory is a fraction"),
        ({"memory": "all"}, "not 'all'"),
        ({"isolation": "container"}, "'thread', 'process', not 'container'"),
        ({"on_error": "ignore"}, "on_error"),
        ({"when_full": "panic"}, "when_full"),
        ({"retries": -1}, "retries"),
        ({"timeout": 0}, "timeout is a positive number"),
        ({"device": []}, "empty list"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_what_is_refused(script: models.Script, options: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Scheduler(script.model, **options)


def test_keys_are_looked_up_at_once(script: models.Script) -> None:
    with Scheduler(script.model) as scheduler:
        with pytest.raises(UnknownVariableError):
            scheduler.map([], record=["cells.u"])
        with pytest.raises(OverrideError):
            scheduler.run([], carry=["spikes"])
        with pytest.raises(StimulusError, match="target="):
            list(scheduler.map([3]))
    with pytest.raises(ScheduleError, match="closed"):
        scheduler.submit({})
    scheduler.close()


def test_the_estimate_is_corrected(script: models.Script, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with Scheduler(script.model, replicas=2, seed=5, log=log) as scheduler:
        assert scheduler.estimate.host.total > 0
        assert scheduler.corrections == {}
        list(scheduler.map(stimuli(6)))
        (ratio,) = scheduler.corrections.values()
        assert ratio >= 0
    (run,) = read_log(log).runs
    said = [event.text for event in run.events if event.what == "estimate corrected"]
    assert len(said) == 1
    assert "MiB were expected" in said[0]
    assert {entry.seat for entry in run.stimuli} <= {1, 2}
    assert run.facts["seed"] == 5
    assert run.facts["devices"] == ["cpu"]


def test_no_noise_comes_twice(script: models.Script) -> None:
    with Scheduler(script.model, replicas=1, seed=5) as scheduler:
        calls = [
            list(scheduler.map(stimuli(3), record=RECORD)),
            list(scheduler.run(stimuli(3), record=RECORD)),
            list(scheduler.map(stimuli(3), record=RECORD)),
            [scheduler.submit(one, record=RECORD).result() for one in stimuli(3)],
        ]
        seeds = {result.seed for results in calls for result in results}
        assert len(seeds) == 12
        again = list(scheduler.map(stimuli(3), record=RECORD, seed=5))
    same(again, alone(script, 3))
    same(calls[0], alone(script, 3))


def test_the_log_numbers_stimuli_over_all_calls(script: models.Script, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with Scheduler(script.model, replicas=1, seed=5, on_error="skip", log=log) as scheduler:
        list(scheduler.run(stimuli(3)))
        list(scheduler.map(bad_at(1)[:3]))
    entries = read_log(log).runs[0].stimuli
    assert sorted(entry.index for entry in entries) == list(range(6))
    assert [entry.index for entry in entries if not entry.ok] == [4]


def test_a_start_is_checked_at_once(script: models.Script) -> None:
    from brian2.units import mV, nA

    o = script.objects
    for start, error in (
        ({o.cells.rest: 1 * nA}, UnitMismatchError),
        ({"feed.w": np.zeros(3)}, ShapeMismatchError),
        ({"feed.w": np.full(72, np.nan)}, NonFiniteValueError),
        ({Target("cells.v", "variable", (0, 3)): 0.5}, OverrideError),
    ):
        with pytest.raises(error):
            Scheduler(script.model, start=start)
    with Scheduler(script.model, start={o.cells.rest: 3 * mV}, seed=5) as scheduler:
        (result,) = scheduler.map([{}], record=["cells.rest"])
        assert np.allclose(result["cells.rest"], 3e-3)
        with pytest.raises(ConfigError, match="No stimuli"):
            scheduler.restart("run")
        list(scheduler.run(stimuli(1)))
        with pytest.raises(ConfigError, match="carried nothing"):
            scheduler.restart("run")


def test_a_forked_child_is_told(script: models.Script) -> None:
    with Scheduler(script.model, seed=5) as scheduler:
        list(scheduler.map(stimuli(2)))
        pid, scheduler._pid = scheduler._pid, 0
        with pytest.raises(ScheduleError, match="forked"):
            scheduler.map(stimuli(2))
        scheduler._pid = pid
        assert len(list(scheduler.map(stimuli(2)))) == 2
