"""Sweeps: every point once, whatever interrupts them, and equal to runs by hand."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import gpurun
from gpurun import Scheduler, open_results
from gpurun.errors import (
    ConfigError,
    ResultsError,
    ScheduleError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.scheduler import Failed, Sweep
from gpurun.scheduler.jobs import seed_of
from tests import models, workers
from tests import scheduler_faults as faults

ROOT = Path(__file__).parents[2]
RECORD = ["spikes.count", "feed.w"]
PARAMETERS: dict[str, Any] = {
    "pixels.rates": [100 * Hz, 400 * Hz, 900 * Hz],
    "cells.rest": [0 * mV, 5 * mV],
}


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.learner)


def by_hand(script: models.Script, points: list[dict[str, Any]], repeats: int) -> np.ndarray:
    """Counts of every point, shape (points, repeats, cells)."""
    with script.model.session() as session:
        found = [
            [
                session.run(one, record=RECORD, seed=seed_of(5, point, repeat))["spikes.count"]
                for repeat in range(repeats)
            ]
            for point, one in enumerate(points)
        ]
    return np.array(found)


class Counted:
    """Counts the runs of sessions in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seeds: list[int] = []
        run = gpurun.Session.run

        def counting(session: gpurun.Session, overrides: Any = None, **options: Any) -> Any:
            self.seeds.append(options["seed"])
            return run(session, overrides, **options)

        monkeypatch.setattr(gpurun.Session, "run", counting)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_product(script: models.Script, tmp_path: Path, isolation: str) -> None:
    path = tmp_path / "sweep"
    with Scheduler(script.model, replicas=2, isolation=isolation, seed=5) as scheduler:
        swept = scheduler.sweep(PARAMETERS, path, repeats=2, record=RECORD)
    assert isinstance(swept, Sweep)
    assert (swept.shape, swept.ran, swept.failed) == ((3, 2), 12, ())
    assert swept.parameters == {"pixels.rates": [100, 400, 900], "cells.rest": [0.0, 0.005]}
    points = [
        dict(zip(PARAMETERS, values, strict=True))
        for values in itertools.product(*PARAMETERS.values())
    ]
    expected = by_hand(script, points, 2)
    counts = swept.to_xarray("spikes.count")
    assert counts.dims == ("pixels.rates", "cells.rest", "repeat", "spikes.count.0")
    assert np.array_equal(counts.values, expected.reshape(3, 2, 2, 6))
    assert list(counts.coords["pixels.rates"].values) == [100, 400, 900]
    assert list(counts.coords["cells.rest"].values) == [0.0, 0.005]
    one = counts.sel({"pixels.rates": 400, "cells.rest": 0.005})
    assert np.array_equal(one.values, expected[3])
    for run in swept.results:
        place = run.facts["sweep"]
        assert run.facts["parameters"] == {
            "pixels.rates": [100, 400, 900][place["point"] // 2],
            "cells.rest": [0.0, 0.005][place["point"] % 2],
        }
        assert run.facts["seed"] == seed_of(5, place["point"], place["repeat"])
    with pytest.raises(ResultsError, match="was not recorded"):
        swept.to_xarray("cells.theta")


def test_zip_of_arrays_and_numbers(script: models.Script, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0, 1, script.model.session().read("feed.w").size) for _ in range(3)]
    rates = [200.0, 300.0, 400.0]
    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        swept = scheduler.sweep(
            {script.objects.feed.w: weights, "pixels.rates": [r * Hz for r in rates]},
            tmp_path / "sweep", mode="zip", repeats=3, record=RECORD,
            overrides={"cells.theta": 0.1},
        )  # fmt: skip
    points = [
        {"feed.w": w, "pixels.rates": r * Hz, "cells.theta": 0.1}
        for w, r in zip(weights, rates, strict=True)
    ]
    counts = swept.to_xarray("spikes.count")
    assert swept.shape == (3,)
    assert counts.dims[:2] == ("point", "repeat")
    assert np.array_equal(counts.values, by_hand(script, points, 3))
    assert list(counts.coords["pixels.rates"].values) == rates
    # Arrays have their numbers
    assert list(counts.coords["feed.w"].values) == [0, 1, 2]
    assert len(set(swept.parameters["feed.w"])) == 3


def test_arrays_in_a_product(script: models.Script, tmp_path: Path) -> None:
    rates = list(np.random.default_rng(1).uniform(0, 900, (2, 12)))
    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        swept = scheduler.sweep({"pixels.rates": rates, "cells.theta": [0, 0.2]},
                                tmp_path / "sweep", record=RECORD)  # fmt: skip
    counts = swept.to_xarray("spikes.count")
    assert list(counts.coords["pixels.rates"].values) == [0, 1]
    assert list(counts.coords["cells.theta"].values) == [0, 0.2]
    points = [{"pixels.rates": r, "cells.theta": t} for r in rates for t in (0, 0.2)]
    assert np.array_equal(counts.values.reshape(4, 1, 6), by_hand(script, points, 1))


# -- going on ------------------------------------------------------------------------------------


def test_nothing_is_run_again(
    script: models.Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sweep"
    counted = Counted(monkeypatch)
    with Scheduler(script.model, replicas=2, seed=5) as scheduler:
        first = scheduler.sweep(PARAMETERS, path, record=RECORD)
        assert (first.ran, len(counted.seeds)) == (6, 6)
        again = scheduler.sweep(PARAMETERS, path, record=RECORD)
        assert (again.ran, len(counted.seeds)) == (0, 6)
        more = scheduler.sweep(PARAMETERS, path, record=RECORD, repeats=3)
        assert (more.ran, len(counted.seeds)) == (12, 18)
    assert len(set(counted.seeds)) == 18
    # A scheduler without a seed takes the file's
    with Scheduler(script.model, replicas=1) as scheduler:
        assert scheduler.sweep(PARAMETERS, path, record=RECORD, repeats=4).ran == 6
    assert len(set(counted.seeds)) == 24
    monkeypatch.undo()
    points = [
        dict(zip(PARAMETERS, values, strict=True))
        for values in itertools.product(*PARAMETERS.values())
    ]
    with Scheduler(script.model) as scheduler:
        whole = scheduler.sweep(PARAMETERS, path, record=RECORD, repeats=4)
        # Fewer repeats than there are
        part = scheduler.sweep(PARAMETERS, path, record=RECORD, repeats=2)
    expected = by_hand(script, points, 4).reshape(3, 2, 4, 6)
    assert np.array_equal(whole.to_xarray("spikes.count").values, expected)
    assert np.array_equal(part.to_xarray("spikes.count").values, expected[:, :, :2])


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {**PARAMETERS, "cells.rest": [0 * mV, 6 * mV]}},
        {"parameters": {"cells.rest": PARAMETERS["cells.rest"]}},
        {"parameters": dict(reversed(PARAMETERS.items()))},
        {"record": ["spikes.count"]},
        {"duration": 10 * ms},
        {"overrides": {"cells.theta": 0.3}},
        {"start": {"feed.w": 0.5}},
        {"seed": 6},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_sweep_is_refused(
    script: models.Script, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "sweep"
    given: dict[str, Any] = {"parameters": PARAMETERS, "record": RECORD}
    with Scheduler(script.model, replicas=1, seed=5) as scheduler:
        scheduler.sweep(path=path, **given)
    options = {key: changes[key] for key in ("seed", "start") if key in changes}
    call = {key: value for key, value in changes.items() if key not in options}
    with Scheduler(script.model, replicas=1, **{"seed": 5, **options}) as scheduler:
        word = r"Scheduler\(seed=5\)" if "seed" in changes else "something else than this sweep"
        with pytest.raises(ConfigError, match=word):
            scheduler.sweep(path=path, **{**given, **call})
    assert len(open_results(path).runs) == 6


def test_a_file_of_other_results_is_refused(script: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "results"
    with script.model.session() as session:
        session.run(record=RECORD).save(path)
    with Scheduler(script.model) as scheduler, pytest.raises(ConfigError, match="something else"):
        scheduler.sweep(PARAMETERS, path, record=RECORD)


SCRIPT = """
import pickle, sys
from gpurun import Scheduler
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
if __name__ == "__main__":
    with Scheduler(model, replicas=2, isolation=sys.argv[3], seed=5) as scheduler:
        scheduler.sweep(
            {"cells.v": [0.001*n for n in range(30)]}, sys.argv[2], record=["cells.v"],
            overrides={"cells.mode": 32, "cells.after": 4.85},
        )
"""


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_killed_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    path = tmp_path / "sweep"
    (tmp_path / "model").write_bytes(pickle.dumps(faults.model()))
    (tmp_path / "script.py").write_text(SCRIPT)
    for wanted in (2, 5):
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "model"), str(path),
             isolation],
            cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        workers.until(lambda least=wanted: faults.finished(path) >= least)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = {run.facts["sweep"]["point"] for run in open_results(path) if run.finished}
    assert 5 <= len(done) < 30
    counted = Counted(monkeypatch)
    values = [0.001 * n for n in range(30)]
    with Scheduler(faults.model(), replicas=2, seed=5) as scheduler:
        swept = scheduler.sweep(
            {"cells.v": values}, path, record=["cells.v"],
            overrides={"cells.mode": 32, "cells.after": 4.85},
        )  # fmt: skip
    assert sorted(counted.seeds) == sorted(seed_of(5, n, 0) for n in range(30) if n not in done)
    assert swept.ran == 30 - len(done)
    finished = [run.facts["sweep"]["point"] for run in swept.results if run.finished]
    assert sorted(finished) == list(range(30))
    monkeypatch.undo()
    with faults.model().session() as session:
        expected = [
            session.run({"cells.v": v}, record=["cells.v"], seed=seed_of(5, n, 0))["cells.v"]
            for n, v in enumerate(values)
        ]
    # The fault slows the step down and adds what it returns, no more
    assert swept.to_xarray("cells.v").shape == (30, 1, 4)
    assert np.array_equal(swept.to_xarray("cells.v").values[:, 0], expected)


# -- points that fail ----------------------------------------------------------------------------


def test_points_that_fail(script: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "sweep"
    given = {"cells.mode": [0, 1, 0, 7]}
    with Scheduler(faults.model(), replicas=2, on_error="skip", seed=5) as scheduler:
        swept = scheduler.sweep(given, path, record=["cells.v"], repeats=2)
        assert (swept.ran, sorted(one.index for one in swept.failed)) == (4, [1, 3, 5, 7])
        assert all(isinstance(one, Failed) for one in swept.failed)
        values = swept.to_xarray("cells.v")
        assert np.isnan(values.values[[1, 3]]).all()
        assert np.isfinite(values.values[[0, 2]]).all()
        # They are tried again, under the same numbers
        again = scheduler.sweep(given, path, record=["cells.v"], repeats=2)
        assert (again.ran, sorted(one.index for one in again.failed)) == (0, [1, 3, 5, 7])
    with Scheduler(faults.model(), replicas=1, seed=5) as scheduler:
        with pytest.raises(ScheduleError, match=r"Stimulus 1 failed"):
            scheduler.sweep(given, tmp_path / "other", record=["cells.v"])
        # What was finished is there
        assert [r.facts["sweep"]["point"] for r in open_results(tmp_path / "other")] == [0]


@pytest.mark.parametrize(
    ("parameters", "options", "error", "match"),
    [
        ({}, {}, ConfigError, "at least one parameter"),
        ({"cells.theta": 3}, {}, ConfigError, "a list with a value for each point"),
        ({"cells.theta": []}, {}, ConfigError, "a list with a value for each point"),
        ({"cells.u": [1]}, {}, UnknownVariableError, "cells.u"),
        ({"cells.theta": [1, 2], "feed.w": [1]}, {"mode": "zip"}, ConfigError, "as many values"),
        ({"cells.theta": [1]}, {"mode": "grid"}, ConfigError, "'product' or 'zip', not 'grid'"),
        ({"cells.theta": [1]}, {"repeats": 0}, ConfigError, "repeats is an integer from 1"),
    ],
)
def test_what_is_refused(
    script: models.Script, tmp_path: Path, parameters: Any, options: Any, error: Any, match: str
) -> None:
    with Scheduler(script.model) as scheduler, pytest.raises(error, match=match):
        scheduler.sweep(parameters, tmp_path / "sweep", **options)
    assert not (tmp_path / "sweep").exists()


def test_a_wrong_unit_is_said_at_the_point(script: models.Script, tmp_path: Path) -> None:
    with Scheduler(script.model, seed=5) as scheduler:
        with pytest.raises(ScheduleError, match=r"Stimulus 0 failed.*cells\.rest") as caught:
            scheduler.sweep({"cells.rest": [5 * ms]}, tmp_path / "sweep")
        assert isinstance(caught.value.__cause__, UnitMismatchError)
