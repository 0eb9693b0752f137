"""A session in a process of its own: results, errors and keys are those of a session here."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, volt

import gpurun
from gpurun.errors import (
    ConfigError,
    DeviceUnavailableError,
)
from gpurun.worker import RemoteSession
from tests import models, workers
from tests.workers import (
    LARGE,
    gone,
    raised,
    same,
)


@pytest.fixture(scope="module")
def model() -> gpurun.Model:
    return workers.model()


@pytest.fixture(scope="module")
def learner() -> models.Script:
    return models.built(models.learner)


@pytest.fixture
def worker(model: gpurun.Model) -> Generator[RemoteSession]:
    with RemoteSession(model) as session:
        yield session
    gone(session.pid)


@pytest.fixture(scope="module")
def shared(learner: models.Script) -> Generator[RemoteSession]:
    with RemoteSession(learner.model) as session:
        yield session


def test_results_are_those_of_a_session(learner: models.Script, tmp_path: Path) -> None:
    o = learner.objects
    record = [o.feed.w, o.cells.v, "spikes", o.seen, "film", o.cells[1:4].theta, "gen._timebins"]
    rng = np.random.default_rng(4)
    with learner.model.session() as here, RemoteSession(learner.model) as there:
        assert there.device == here.device == "cpu"
        for seed in range(4):
            rates = rng.uniform(0, 2000, 12)
            film = rng.uniform(0, 3, (4, 6))
            overrides = [
                (o.pixels.rates, rates * Hz),
                ("film", film),
                (o.gen, (np.array([0, 2]), np.array([1.0, 3.0]) * ms)),
                (o.side.strength[:4], [1 * volt] * 4) if seed % 2 else ("cells.rest", 2.5),
            ]
            if seed % 2:
                overrides.pop()
            options: dict[str, Any] = {"carry": [o.feed.w, "cells.theta"], "record": record}
            one = here.run(overrides, seed=seed, **options)
            other = there.run(overrides, seed=seed, **options)
            same(one, other)
            # Keys of the user's, in the caller's process
            assert np.array_equal(other[o.feed.w], one["feed.w"])
            assert o.seen in other
            same(
                here.advance(3 * ms, record=record),
                there.advance(3 * ms, record=record),
            )
        same(here.run(record=record, duration=0.004), there.run(record=record, duration=4 * ms))
        assert there.t == here.t
        there.store("a")
        here.store("a")
        assert there.snapshots == ("a",)
        there.save(tmp_path / "there.h5", extra={"by": "worker"})
        here.write({"cells.v": 0.5})
        there.write({o.cells.v: 0.5})
        same(here.advance(0.002, record=record), there.advance(0.002, record=record))
        same(
            _restored(here, record),
            _restored(there, record),
        )
        here.run(seed=9)
        here.load(tmp_path / "there.h5")
        there.load(tmp_path / "there.h5")
        same(here.advance(0.002, record=record), there.advance(0.002, record=record))
        there.load(tmp_path / "there.h5", only=[o.feed.w], seed=3)
        here.load(tmp_path / "there.h5", only=["feed.w"], seed=3)
        same(here.run(carry=["feed.w"], record=record), there.run(carry=["feed.w"], record=record))
        weights = rng.uniform(0, 1, 72)
        here.rebase({"feed.w": weights})
        there.rebase({"feed.w": weights})
        same(here.run(seed=1, record=record), there.run(seed=1, record=record))
        there.forget("a")
        assert there.snapshots == ()


def _restored(session: Any, record: list[Any]) -> Any:
    session.restore("a", keep=["cells.theta"])
    return session.advance(0.003, record=record)


def test_results_can_be_saved_and_pickled(learner: models.Script, tmp_path: Path) -> None:
    with RemoteSession(learner.model) as session:
        result = session.run(record=["spikes", "cells.v"], seed=2)
    result.save(tmp_path / "out.gpurun")
    run = gpurun.open_results(tmp_path / "out.gpurun")[0]
    assert run.facts["model_digest"] == learner.model.digest
    assert np.array_equal(pickle.loads(pickle.dumps(result))["cells.v"], result["cells.v"])


def test_arrays_belong_to_the_caller(model: gpurun.Model, worker: RemoteSession) -> None:
    w = np.arange(float(LARGE))
    one = worker.run({"store.w": w, "store.v": w[::-1] * volt}, record=["store.w", "cells.v"])
    kept = one["store.w"], worker.read("store.w"), worker.read("cells.v")
    before = [array.copy() for array in kept]
    other = worker.run({"store.w": 2 * w}, record=["store.w", "store.v"])
    for array, values in zip(kept, before, strict=True):
        assert np.array_equal(array, values)
        array[...] = 7
    one["cells.v"][...] = 7
    assert np.array_equal(other["store.w"], 2 * w)
    # A run begins with the baseline
    assert not other["store.v"].any()
    assert np.array_equal(worker.read("store.w"), 2 * w)


def test_a_model_with_static_state() -> None:
    counting = models.built(models.counting).model
    with RemoteSession(counting) as session, counting.session() as here:
        for duration in (0.005, 0.002):
            options: Any = {"duration": duration, "record": ["cells.n", "trace"], "seed": 3}
            same(here.run(**options), session.run(**options))
    with RemoteSession(counting, keep_static_state=True) as session:
        session.run(duration=0.002)
        session.advance(0.001)
        assert session.read("cells.n").max() == 3 * 30


BAD: dict[str, Callable[[Any, models.Script], Any]] = {
    "unknown": lambda s, m: s.run({"cells.nothing": 1}),
    "no key": lambda s, m: s.run({3: 1}),
    "no overrides": lambda s, m: s.run(5),
    "unit": lambda s, m: s.run({m.objects.pixels.rates: np.ones(12) * ms}),
    "no unit": lambda s, m: s.run({m.objects.pixels.rates: np.ones(12)}),
    "units in a list": lambda s, m: s.run({"pixels.rates": [1 * ms] * 12}),
    "shape": lambda s, m: s.run({"cells.v": np.ones(5)}),
    "text": lambda s, m: s.run({"cells.v": "1"}),
    "nan": lambda s, m: s.run({"cells.v": np.nan}),
    "read-only": lambda s, m: s.run({"spikes.count": 1}),
    "twice": lambda s, m: s.run([("cells.v", 1), (m.objects.cells.v, 2)]),
    "duration": lambda s, m: s.run(duration=-1),
    "step": lambda s, m: s.advance(0.00015),
    "seed": lambda s, m: s.run(seed=-1),
    "carry": lambda s, m: s.run(carry=["spikes"]),
    "carry text": lambda s, m: s.run(carry="cells.v"),
    "record": lambda s, m: s.run(record=["cells.w"]),
    "allow": lambda s, m: s.run(allow_nonfinite="cells.v"),
    "read": lambda s, m: s.read("spikes"),
    "write": lambda s, m: s.write({"gen": ([0], [0.001])}),
    "restore": lambda s, m: s.restore("never"),
    "forget": lambda s, m: s.forget("never"),
    "snapshot": lambda s, m: s.store(""),
    "load": lambda s, m: s.load("/nowhere/at/all.h5"),
    "save": lambda s, m: s.save("/nowhere/at/all.h5"),
}


@pytest.mark.parametrize("call", BAD)
def test_errors_are_those_of_a_session(
    learner: models.Script, shared: RemoteSession, call: str
) -> None:
    learner.activate()
    with learner.model.session() as here:
        expected = raised(lambda: BAD[call](here, learner))
    got = raised(lambda: BAD[call](shared, learner))
    assert type(got) is type(expected)
    assert str(got) == str(expected)
    assert getattr(got, "fields", None) == getattr(expected, "fields", None)
    assert shared.alive
    assert shared.run(seed=1).completed == 1


def test_errors_of_the_model_leave_the_session_usable() -> None:
    tripping = models.built(models.tripping).model
    with RemoteSession(tripping) as session, tripping.session() as here:
        for mode in models.TRIPS:
            trip: Any = {"cells.mode": mode}
            expected = raised(lambda trip=trip: here.run(trip))
            got = raised(lambda trip=trip: session.run(trip))
            assert (type(got), str(got)) == (type(expected), str(expected))
        options: Any = {"seed": 3, "record": ["cells.v", "fired"]}
        same(here.run(**options), session.run(**options))


def test_a_parameter_that_is_not_allowed(model: gpurun.Model, worker: RemoteSession) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        worker.run(timeout=0)
    with pytest.raises(ConfigError, match="start_timeout"):
        RemoteSession(model, start_timeout="soon")
    with pytest.raises(DeviceUnavailableError):
        RemoteSession(model, "cuda:3")
    with pytest.raises(ConfigError):
        RemoteSession(model, "the fast one")


def test_the_process_has_no_brian(
    learner: models.Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brian2.py").write_text("import os; os._exit(77)")
    monkeypatch.syspath_prepend(tmp_path)
    o = learner.objects
    with RemoteSession(learner.model) as session:
        session.run({o.pixels.rates: [3 * Hz] * 12, o.film: np.ones((4, 6))}, record=[o.spikes])
        session.advance(1 * ms)
        assert session.read(o.pixels.rates).tolist() == [3] * 12
