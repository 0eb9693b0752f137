"""Stimuli on a Dask cluster of separate processes: every result once, whatever dies."""

from __future__ import annotations

import builtins
import logging
import os
import signal
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster, WorkerPlugin

from gpurun import Scheduler, Session, cluster, cluster_worker, stimulus
from gpurun.errors import (
    ConfigError,
    DeviceError,
    DeviceUnavailableError,
    NotSupportedError,
    ScheduleError,
    ShapeMismatchError,
    SimulationError,
    StimulusError,
    UnknownVariableError,
    WorkerError,
)
from gpurun.results import RunResult
from gpurun.scheduler import Failed
from gpurun.scheduler.jobs import seed_of
from tests import models, workers

RATES = np.random.default_rng(0).uniform(0, 900, (40, 12))
RECORD = ["spikes.count", "feed.w"]
SIGKILL_MODE = 3


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.learner)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    # It tells of every worker that is killed
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as local,
        Client(local) as found,
    ):
        yield found


@pytest.fixture(autouse=True)
def all_there(client: Any) -> Iterator[None]:
    """Workers that a test has killed are back, and none has a session from another test."""
    client.wait_for_workers(2, timeout=30)
    yield
    cluster.release(client)


def stimuli(count: int = 40) -> list[dict[str, Any]]:
    return [{"pixels.rates": rates} for rates in RATES[:count]]


def scheduled(script: models.Script, count: int = 40, **options: Any) -> list[Any]:
    with Scheduler(script.model, replicas=1, seed=5, **options) as scheduler:
        return list(scheduler.map(stimuli(count), record=RECORD))


def same(results: list[Any], expected: list[Any]) -> None:
    assert len(results) == len(expected)
    for number, (one, other) in enumerate(zip(results, expected, strict=True)):
        assert list(one) == list(other)
        assert one.seed == other.seed == seed_of(5, number)
        for name in other:
            assert np.array_equal(one[name], other[name]), (number, name)


def opened(client: Any) -> dict[str, int]:
    return {worker: n["opened"] for worker, n in client.run(cluster_worker.counts).items()}


# -- results -------------------------------------------------------------------------------------


def test_results_are_those_of_the_scheduler(script: models.Script, client: Any) -> None:
    results = list(cluster.map(client, script.model, stimuli(), record=RECORD, seed=5))
    same(results, scheduled(script))
    assert not np.array_equal(results[0]["feed.w"], results[1]["feed.w"])


def test_results_belong_to_the_caller_and_know_brian_objects(
    script: models.Script, client: Any
) -> None:
    objects = script.objects
    (result,) = cluster.map(
        client,
        script.model,
        RATES[:1],
        target=objects.pixels.rates,
        record=[objects.spikes, objects.feed.w],
        seed=5,
    )
    assert isinstance(result, RunResult)
    assert np.array_equal(result[objects.feed.w], scheduled(script, 1)[0]["feed.w"])
    assert result[objects.spikes].count.sum() > 0
    result[objects.feed.w][:] = 0


def test_as_they_are_ready(script: models.Script, client: Any) -> None:
    coming = cluster.map(client, script.model, stimuli(), record=RECORD, seed=5, ordered=False)
    pairs = list(coming)
    found = dict(pairs)
    assert len(pairs) == len(found) == 40
    same([found[number] for number in range(40)], scheduled(script))


def test_a_stream_of_stimuli(script: models.Script, client: Any) -> None:
    images = RATES[:10].reshape(10, 3, 4)
    stream = stimulus.StimulusStream((images, range(10)), stimulus.Flatten(), batch=4)
    coming = cluster.map(
        client, script.model, stream, target="pixels.rates", record=RECORD, seed=5, device="cpu"
    )
    same(list(coming), scheduled(script, 10))


@pytest.mark.parametrize("by", ["path", "values", "session"])
def test_start(script: models.Script, client: Any, tmp_path: Path, by: str) -> None:
    keep = ["feed.w", "cells.theta"]
    with script.model.session() as session:
        session.run({"pixels.rates": RATES[0]}, carry=keep, seed=1)
        session.save(tmp_path / "trained.h5")
        values = {name: session.read(name) for name in keep}
        start = {"path": tmp_path / "trained.h5", "values": values, "session": session}[by]
        coming = cluster.map(client, script.model, stimuli(10), record=RECORD, seed=5, start=start)
        results = list(coming)
    expected = scheduled(script, 10, start=values)
    same(results, expected)
    assert not np.array_equal(expected[0]["feed.w"], scheduled(script, 1)[0]["feed.w"])
    # And the set-up once more, on the same workers
    same(list(cluster.map(client, script.model, stimuli(10), record=RECORD, seed=5)),
         scheduled(script, 10))  # fmt: skip


def test_starts_that_are_over_make_room(script: models.Script, client: Any) -> None:
    def kept(dask_worker: Any) -> list[str]:
        return [name for name in dask_worker.plugins if name.startswith("gpurun-")]

    for number in range(4):
        start = {"feed.w": 0.1 * number}
        list(cluster.map(client, script.model, stimuli(2), start=start, seed=5))
        assert set(cluster.sessions(client).values()) <= {0, 1}
    for names in client.run(kept).values():
        assert len(names) == 2, "the model and the last start"
    cluster.release(client)
    assert set(map(len, client.run(kept).values())) == {0}


# -- sessions ------------------------------------------------------------------------------------


def test_sessions_stay_until_they_are_released(script: models.Script, client: Any) -> None:
    before = opened(client)
    for _ in range(3):
        list(cluster.map(client, script.model, stimuli(20), seed=5))
    after = opened(client)
    # Each worker has opened one session for 60 stimuli in 3 calls
    assert {worker: after[worker] - before[worker] for worker in after} == dict.fromkeys(after, 1)
    assert set(cluster.sessions(client).values()) == {1}
    cluster.release(client)
    assert set(cluster.sessions(client).values()) == {0}
    list(cluster.map(client, script.model, stimuli(20), seed=5))
    assert sum(opened(client).values()) > sum(after.values())


def test_threads_of_a_worker_do_not_share_sessions(script: models.Script) -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=3, processes=False, dashboard_address=":0",
            memory_limit=0, silence_logs=logging.CRITICAL,
        ) as local,
        Client(local) as threads,
    ):  # fmt: skip
        # A session that two threads use raises SessionBusyError
        results = list(cluster.map(threads, script.model, stimuli(), record=RECORD, seed=5))
        assert 1 <= sum(cluster.sessions(threads).values()) <= 3
        cluster.release(threads)
        assert cluster_worker.counts()["open"] == 0
    same(results, scheduled(script))


def test_stimuli_are_taken_a_few_ahead(script: models.Script, client: Any) -> None:
    taken = []

    def coming() -> Iterator[dict[str, Any]]:
        assert threading.current_thread() is threading.main_thread()
        for number in range(10**6):
            taken.append(number)
            yield {"pixels.rates": 100.0}

    for window, most in [(None, 2 * 2 + 2), (3, 3)]:
        taken.clear()
        results = cluster.map(client, script.model, coming(), duration=1e-3, window=window)
        for number in range(30):
            next(results)
            assert len(taken) <= number + most
        results.close()
        # What was left is not kept anywhere
        assert not client.futures
    assert len(list(cluster.map(client, script.model, stimuli(5)))) == 5


# -- faults --------------------------------------------------------------------------------------


def test_a_killed_worker_loses_nothing(script: models.Script, client: Any) -> None:
    processes = client.run(os.getpid)
    results = []
    for number, result in enumerate(
        cluster.map(client, script.model, stimuli(), record=RECORD, seed=5)
    ):
        results.append(result)
        if number == 10:
            os.kill(next(iter(processes.values())), signal.SIGKILL)
    same(results, scheduled(script))
    client.wait_for_workers(2, timeout=30)
    assert len(set(processes.values()) & set(client.run(os.getpid).values())) == 1


def test_all_workers_killed(script: models.Script, client: Any) -> None:
    start = {"cells.theta": np.linspace(0, 1, 6)}
    results = []
    for number, result in enumerate(
        cluster.map(client, script.model, stimuli(), record=RECORD, seed=5, start=start)
    ):
        results.append(result)
        if number == 10:
            for process in client.run(os.getpid).values():
                os.kill(process, signal.SIGKILL)
    # New ones were given the model and the start by Dask
    same(results, scheduled(script, start=start))


@pytest.fixture
def deadly(client: Any) -> Iterator[models.Script]:
    assert client.cluster is not None
    scheduler = client.cluster.scheduler
    before, scheduler.allowed_failures = scheduler.allowed_failures, 0
    yield models.built(workers.deadly)
    scheduler.allowed_failures = before


def test_a_stimulus_that_kills_its_workers(deadly: models.Script, client: Any) -> None:
    modes = [0] * 12
    modes[4] = SIGKILL_MODE
    options: dict[str, Any] = {"target": "cells.mode", "seed": 5, "record": ["cells.v"]}
    coming = cluster.map(client, deadly.model, modes, on_error="skip", **options)
    results = list(coming)
    failed = results.pop(4)
    assert isinstance(failed, Failed)
    # Twice as often as allowed, because others may have been to blame the first time
    assert (failed.index, failed.attempts) == (4, 2)
    assert isinstance(failed.error, WorkerError)
    # No other is given up, although some have lost their workers as often
    assert all(isinstance(result, RunResult) for result in results)
    with Scheduler(deadly.model, replicas=1, seed=5) as scheduler:
        expected = list(scheduler.map([0] * 12, target="cells.mode", record=["cells.v"]))
    del expected[4]
    for one, other in zip(results, expected, strict=True):
        assert np.array_equal(one["cells.v"], other["cells.v"])


def test_a_stimulus_that_raises(deadly: models.Script, client: Any) -> None:
    modes = [0, 0, workers.THROW, 0]
    results = cluster.map(client, deadly.model, modes, target="cells.mode", retries=1)
    assert next(results)
    assert next(results)
    with pytest.raises(ScheduleError, match=r"Stimulus 2 .* 2 attempt.*out of luck") as caught:
        next(results)
    assert (caught.value.fields["index"], caught.value.fields["attempts"]) == (2, 2)
    assert isinstance(caught.value.__cause__, SimulationError)
    assert not client.futures


def test_a_stimulus_that_is_wrong_is_tried_once(script: models.Script, client: Any) -> None:
    given = [*stimuli(3), {"pixels.rates": np.zeros(3)}, *stimuli(2)]
    coming = cluster.map(client, script.model, given, record=RECORD, seed=5, on_error="skip")
    *results, failed, _, _ = coming
    assert isinstance(failed, Failed)
    assert not failed
    assert (failed.index, failed.attempts) == (3, 1)
    assert isinstance(failed.error, ShapeMismatchError)
    same(results, scheduled(script, 3))
    with pytest.raises(ScheduleError, match=r"Stimulus 3 .*ShapeMismatchError") as caught:
        list(cluster.map(client, script.model, given, seed=5))
    assert isinstance(caught.value.__cause__, ShapeMismatchError)


def test_no_session_is_nobodys_fault_but_the_workers(script: models.Script, client: Any) -> None:
    # A value that only the session refuses
    start = {"jolt.delay": 0.002}
    with pytest.raises(ScheduleError, match=r"tcp://.* cannot open a session: OverrideError"):
        list(cluster.map(client, script.model, stimuli(3), start=start, on_error="skip"))


def test_what_the_iterable_raises(script: models.Script, client: Any) -> None:
    def coming() -> Iterator[Any]:
        yield from stimuli(8)
        raise KeyError("the file")

    with pytest.raises(KeyError, match="the file"):
        list(cluster.map(client, script.model, coming()))
    assert not client.futures


def test_what_is_under_way_is_stopped(script: models.Script, client: Any) -> None:
    def coming() -> Iterator[Any]:
        yield from stimuli(2)
        # Both workers are at it, for hours
        workers.until(lambda: sum(len(keys) for keys in client.processing().values()) == 2)
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        list(cluster.map(client, script.model, coming(), duration=1e5, window=3))
    same(list(cluster.map(client, script.model, stimuli(4), record=RECORD, seed=5)),
         scheduled(script, 4))  # fmt: skip


class LoseCard(WorkerPlugin):
    """The first run of all ends as if the card were lost for the process."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def setup(self, worker: Any) -> None:
        real, file = Session.run, self.file

        def run(session: Session, *arguments: Any, **options: Any) -> RunResult:
            try:
                file.touch(exist_ok=False)
            except FileExistsError:
                return real(session, *arguments, **options)
            raise DeviceError("lost", error="cudaErrorIllegalAddress", call="", sticky=True)

        self.real = real
        Session.run = run  # pyright: ignore[reportAttributeAccessIssue]

    def teardown(self, worker: Any) -> None:
        Session.run = self.real  # pyright: ignore[reportAttributeAccessIssue]


def test_a_lost_card_costs_one_process(script: models.Script, client: Any, tmp_path: Path) -> None:
    processes = set(client.run(os.getpid).values())
    client.register_plugin(LoseCard(tmp_path / "lost"), name="lose-card")
    try:
        coming = cluster.map(client, script.model, stimuli(), record=RECORD, seed=5, retries=0)
        same(list(coming), scheduled(script))
    finally:
        client.unregister_worker_plugin("lose-card")
    client.wait_for_workers(2, timeout=30)
    assert len(processes & set(client.run(os.getpid).values())) == 1


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"on_error": "retry"}, ConfigError, "'raise' or 'skip'"),
        ({"window": 0}, ConfigError, "window is an integer from 1"),
        ({"retries": -1}, ConfigError, "retries is an integer from 0"),
        ({"record": ["nothing"]}, UnknownVariableError, "nothing"),
        ({"start": 3}, ConfigError, "start is a checkpoint's path"),
        ({"device": "cuda"}, DeviceUnavailableError, "built for the CPU"),
    ],
)
def test_arguments(
    script: models.Script, client: Any, options: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        cluster.map(client, script.model, stimuli(1), **options)


def test_a_stimulus_without_names(script: models.Script, client: Any) -> None:
    with pytest.raises(StimulusError, match="target="):
        list(cluster.map(client, script.model, RATES[:1]))


def test_no_client(script: models.Script) -> None:
    for call in (
        lambda: cluster.map("tcp://here", script.model, []),
        lambda: cluster.release(None),
        lambda: cluster.sessions(3),
    ):
        with pytest.raises(ConfigError, match=r"distributed\.Client"):
            call()


def test_other_versions(
    script: models.Script, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = metadata.version("gpurun")
    monkeypatch.setattr(cluster, "_version", lambda: "0.0.0")
    with pytest.raises(NotSupportedError, match=rf"tcp://.* has gpurun {here}, .*gpurun 0\.0\.0"):
        list(cluster.map(client, script.model, stimuli(1)))
    # And a worker that has come later
    monkeypatch.setattr(cluster, "_check_workers", lambda client: None)
    with pytest.raises(ScheduleError, match=rf"has gpurun {here}, .*sent by gpurun 0\.0\.0"):
        list(cluster.map(client, script.model, stimuli(1), retries=0, on_error="skip"))


def test_workers_without_gpurun(
    script: models.Script, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: Any, on_error: str) -> dict[str, Any]:
        return {"tcp://there": metadata.PackageNotFoundError("gpurun")}

    monkeypatch.setattr(client, "run", run)
    with pytest.raises(NotSupportedError, match="tcp://there has no gpurun"):
        list(cluster.map(client, script.model, stimuli(1)))


def test_without_distributed(script: models.Script, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "distributed":
            raise ImportError("No module named 'distributed'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotSupportedError, match=r"pip install 'gpurun\[cluster\]'"):
        cluster.map(None, script.model, [])
