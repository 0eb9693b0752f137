"""Random numbers: a session's stream goes on, seeds restart it, and the drop-in's own rules."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest

import gpurun
from gpurun.config import configure
from gpurun.errors import SessionError
from tests import backend, models
from tests.states import STREAM, assert_same, differing, state

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unseeded() -> models.Script:
    return models.built(models.noisy)


@pytest.fixture(scope="module")
def fixed_setup() -> models.Script:
    """No seed, and nothing random in the set-up."""
    return models.built(models.noisy, random_setup=False)


def all_differ(arrays: list[np.ndarray]) -> bool:
    return not any(np.array_equal(one, other) for one, other in combinations(arrays, 2))


# -- session.run -------------------------------------------------------------------


def test_the_stream_goes_on_from_run_to_run(unseeded: models.Script) -> None:
    with unseeded.model.session() as session:
        results = [session.run(record=["cells.v"])["cells.v"] for _ in range(6)]
        assert all_differ(results)
        # The initial values are not drawn again, the connections neither
        assert np.array_equal(session.run(record=["cells.v"], duration=0)["cells.v"],
                              unseeded.model.data.frozen["cells.v"])  # fmt: skip


def test_the_same_order_gives_the_same_numbers(unseeded: models.Script) -> None:
    """All sessions of a model start from the same stream."""
    with unseeded.model.session() as session, unseeded.model.session() as other:
        for duration in (0.01, 0.003, 0.02):
            session.run(duration=duration)
            other.run(duration=duration)
            assert_same(state(session), state(other))


def test_a_seed_restarts_the_stream(unseeded: models.Script) -> None:
    with unseeded.model.session() as session:
        session.run(seed=5)
        first = state(session)
        session.run()
        second = state(session)
        assert "cells.v" in differing(first, second)
        session.run(seed=6)
        assert "cells.v" in differing(first, state(session))
        for seed in (5, np.int64(5), np.uint32(5)):
            session.run(seed=seed)
            assert_same(state(session), first)
        # What follows it is determined too
        session.run()
        assert_same(state(session), second)


def test_seeds_at_the_ends_of_their_range(unseeded: models.Script) -> None:
    with unseeded.model.session() as session:
        results = []
        for seed in (0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1):
            results.append(session.run(seed=seed, record=["cells.v"])["cells.v"])
            again = session.run(seed=seed, record=["cells.v"])["cells.v"]
            assert np.array_equal(again, results[-1])
        assert all_differ(results)


def test_a_seed_is_what_brians_seed_is(fixed_setup: models.Script) -> None:
    """seed(n) as the script's last line before run() is session.run(seed=n)."""
    scripted = models.built(models.noisy, random_setup=False, last_seed=77)
    with fixed_setup.model.session() as session, scripted.model.session() as other:
        session.run(seed=77)
        other.run()
        assert_same(state(session), state(other))
        # session.run goes on with the stream in a seeded script too ...
        before = state(other)
        other.run()
        assert "cells.v" in differing(before, state(other))
        # ... and a new session starts from the same place
        with scripted.model.session() as third:
            third.run()
            assert_same(state(third), before)


def test_overrides_do_not_move_the_stream(unseeded: models.Script) -> None:
    with unseeded.model.session() as session:
        session.run({"links.w": 0.5, "links.delay": 3e-3}, seed=1)
        first = state(session)[STREAM]
        session.run(seed=1)
        assert np.array_equal(first, state(session)[STREAM])


def test_a_half_used_pair_of_normal_numbers_is_part_of_the_stream(
    unseeded: models.Script,
) -> None:
    """Normal numbers come in pairs; an odd number of them leaves one behind."""
    with unseeded.model.session() as session, unseeded.model.session() as other:
        for steps in (1, 2, 3):
            session.run(duration=steps * models.DT, seed=3)
            session.run(seed=3)
            other.run(seed=3)
            assert_same(state(session), state(other))


# -- builds and redraws --------------------------------------------------------------


def rebuilt(**options: Any) -> gpurun.Model:
    return models.build(models.noisy, **options).model


def test_an_unseeded_script_draws_its_network_once_per_model(unseeded: models.Script) -> None:
    again = rebuilt()
    assert again.key == unseeded.model.key
    assert again.digest != unseeded.model.digest
    assert not np.array_equal(again.data.frozen["cells.v"], unseeded.model.data.frozen["cells.v"])
    with again.session() as session, again.session() as other:
        for one in (session, other):
            one.run(seed=1)
        assert_same(state(session), state(other))


def test_noise_of_an_unseeded_script_is_new_for_each_model(fixed_setup: models.Script) -> None:
    """... also where the set-up is always the same, and may come from the cache."""
    results = []
    for model in (fixed_setup.model, rebuilt(random_setup=False), rebuilt(random_setup=False)):
        assert np.array_equal(model.data.frozen["cells.v"], np.zeros(10))
        with model.session() as session:
            results.append(session.run(record=["cells.v"])["cells.v"])
    assert all_differ(results)


def test_a_seeded_script_gives_the_same_model() -> None:
    one, two = rebuilt(seed=11), rebuilt(seed=11)
    assert one.digest == two.digest
    with one.session() as session, two.session() as other:
        session.run()
        other.run()
        assert_same(state(session), state(other))


IN_ANOTHER_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
from tests import models
from tests.states import digest, state
model = models.build(models.noisy, seed=11).model
with model.session() as session:
    session.run()
    print(model.digest, digest(state(session)))
"""


def test_a_seeded_script_gives_the_same_model_in_another_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, str(ROOT)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(2)
    }
    model = rebuilt(seed=11)
    assert len(outputs) == 1
    assert outputs.pop().split()[0] == model.digest


@pytest.fixture
def unconfigured_seed() -> Iterator[None]:
    yield
    configure(seed=None)


@pytest.mark.usefixtures("unconfigured_seed")
def test_the_setting_is_a_seed_at_the_beginning() -> None:
    """`gpurun --seed 11`, or GPURUN_SEED, for a script that sets none."""
    expected = rebuilt(seed=11)
    configure(seed=11)
    with rebuilt().session() as session, expected.session() as other:
        session.run()
        other.run()
        assert_same(state(session), state(other))


def test_redraw(unseeded: models.Script) -> None:
    model = unseeded.model
    digest = model.digest
    one, same, other = model.redraw(seed=1), model.redraw(seed=1), model.redraw(seed=2)
    assert one.key == other.key == model.key
    assert one.digest == same.digest
    assert len({digest, one.digest, other.digest}) == 3
    assert model.digest == digest
    values = [m.data.frozen["cells.v"] for m in (model, one, other)]
    assert all_differ(values)
    pairs = [m.data.frozen["links._synaptic_pre"] for m in (model, one, other)]
    assert all_differ(pairs)
    with one.session() as session, same.session() as twin, other.session() as sibling:
        for each in (session, twin, sibling):
            # Works with the objects of the script too, for each of the siblings
            each.run([(unseeded.objects.cells.drive, 1.5)], record=[unseeded.objects.fired])
        assert_same(state(session), state(twin))
        assert sibling.read("links.w").size == len(other.data.frozen["links.w"])


def test_redraw_respects_the_seed_of_the_script() -> None:
    model = rebuilt(seed=11)
    sibling = model.redraw(seed=4)
    for name in ("cells.v", "links._synaptic_pre"):
        assert np.array_equal(sibling.data.frozen[name], model.data.frozen[name])


# -- the drop-in device ----------------------------------------------------------------


def dropin(tmp_path: Path, **options: Any) -> Any:
    objects = models.noisy(**options)
    b2.device.build(directory=str(tmp_path / "output"), run=False)
    return objects


def network(o: Any) -> dict[str, np.ndarray]:
    """What a run of the drop-in leaves, as Python reads it."""
    return {
        "v": np.array(o.cells.v[:]),
        "i": np.array(o.links.i[:]),
        "j": np.array(o.links.j[:]),
        "spikes": np.array(o.fired.t_[:]),
    }


def test_dropin_unseeded_runs_are_all_new(tmp_path: Path) -> None:
    o = dropin(tmp_path)
    runs = []
    for _ in range(5):
        b2.device.run()
        runs.append(network(o))
    for name in ("v", "i", "j"):
        assert all_differ([run[name] for run in runs]), name
    # The sizes of all that is per synapse follow
    assert all(len(run["i"]) == len(run["j"]) for run in runs)
    assert len(o.links.w[:]) == len(runs[-1]["i"])
    assert (o.links.w[:] == 0.1).all()


def test_dropin_overrides_hold_in_a_redrawn_network(tmp_path: Path) -> None:
    o = dropin(tmp_path)
    for drive in (1.5, 0.2, 1.8):
        b2.device.run(run_args={o.cells.drive: drive, o.cells.v: 0.25, "links.delay": 2e-3})
        assert (o.cells.drive[:] == drive).all()
        assert (np.asarray(o.links.delay[:]) == 2e-3).all()
    b2.device.run()
    assert np.array_equal(o.cells.drive[:], np.linspace(0.5, 2, 10))
    assert not np.asarray(o.links.delay[:]).any()


def test_dropin_unseeded_without_random_setup(tmp_path: Path) -> None:
    o = dropin(tmp_path, random_setup=False)
    runs = []
    for _ in range(4):
        b2.device.run()
        runs.append(network(o))
    assert all_differ([run["v"] for run in runs])
    assert len({run["i"].tobytes() for run in runs}) == 1


@pytest.mark.parametrize("options", [{"seed": 11}, {"last_seed": 77, "random_setup": False}])
def test_dropin_seeded_runs_are_all_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    o = dropin(tmp_path, **options)
    runs = []
    for number in range(4):
        b2.device.run(run_args={o.cells.drive: 1.5 if number % 2 else 1.1})
        runs.append(network(o))
    for name in ("v", "i", "j", "spikes"):
        assert np.array_equal(runs[0][name], runs[2][name])
        assert np.array_equal(runs[1][name], runs[3][name])
    assert not np.array_equal(runs[0]["v"], runs[1]["v"])


def test_dropin_seed_after_the_setup_leaves_the_network_random(tmp_path: Path) -> None:
    """seed(n) behind the set-up: new connections each time, the same noise."""
    o = dropin(tmp_path, last_seed=77)
    runs = []
    for _ in range(4):
        b2.device.run(run_args={o.cells.v: 0.5, o.cells.drive: 0.0})
        runs.append(network(o))
    assert all_differ([run["i"] for run in runs])
    quiet = [run["v"] for run in runs if not len(run["spikes"])]
    assert len(quiet) > 1
    assert len({v.tobytes() for v in quiet}) == 1


def test_dropin_equals_a_session(tmp_path: Path) -> None:
    o = dropin(tmp_path, seed=11)
    b2.device.run(run_args={o.cells.drive: 1.5})
    got = network(o)
    with gpurun.build().session() as session:
        session.run({"cells.drive": 1.5})
        assert np.array_equal(session.read("cells.v"), got["v"])
        assert np.array_equal(session.read("fired.t"), got["spikes"])


def _forked_run(drive: float) -> tuple[list[float], list[int]]:
    o = _forked_run.objects  # type: ignore[attr-defined]
    b2.device.run(run_args={o.cells.drive: drive})
    return o.cells.v[:].tolist(), o.links.i[:].tolist()


#: A process that has used a card cannot fork others that use it; only the emulator forgives.
forks = pytest.mark.skipif(
    backend.BACKEND == "cuda" and not backend.EMULATED, reason="CUDA does not survive a fork"
)


@forks
@pytest.mark.parametrize("parent_has_run", [False, True] if backend.BACKEND == "cpu" else [False])
@pytest.mark.parametrize("random_setup", [False, True])
def test_dropin_pool_workers_have_streams_of_their_own(
    tmp_path: Path, parent_has_run: bool, random_setup: bool
) -> None:
    o = dropin(tmp_path, random_setup=random_setup)
    _forked_run.objects = o  # type: ignore[attr-defined]
    if parent_has_run:
        b2.device.run(run_args={o.cells.drive: 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map(_forked_run, [1.0] * 6, chunksize=1)
    potentials = [np.array(v) for v, _ in results]
    if parent_has_run:
        potentials.append(np.array(o.cells.v[:]))
    assert all_differ(potentials)
    if random_setup:
        assert all_differ([np.array(i) for _, i in results])


@pytest.mark.skipif(backend.BACKEND == "cpu", reason="on the CPU a child has its own session")
def test_dropin_pool_after_a_run_on_a_card(tmp_path: Path) -> None:
    o = dropin(tmp_path)
    _forked_run.objects = o  # type: ignore[attr-defined]
    b2.device.run()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with (
            multiprocessing.get_context("fork").Pool(1) as pool,
            pytest.raises(SessionError, match="'spawn'"),
        ):
            pool.map(_forked_run, [1.0])


@forks
def test_dropin_pool_of_a_seeded_script_gives_the_same_everywhere(tmp_path: Path) -> None:
    o = dropin(tmp_path, seed=11)
    _forked_run.objects = o  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map(_forked_run, [1.0, 1.5, 1.0, 1.5], chunksize=1)
    assert results[0] == results[2]
    assert results[1] == results[3]
    assert results[0] != results[1]
    assert list(_forked_run(1.0)) == list(results[0])
