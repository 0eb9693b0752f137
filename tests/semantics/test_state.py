"""Snapshots and checkpoints: going back, and going on as if nothing had been in between."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.checkpoint import read_checkpoint, read_header, write_checkpoint
from gpurun.errors import (
    CheckpointError,
    OverrideError,
    SeedError,
    SessionClosedError,
    SessionError,
)
from tests import backend, models, stimuli
from tests.states import STREAM, assert_same, differing, state

STEPS = st.integers(0, 120)
SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sets(st.sampled_from(sorted(stimuli.OVERRIDES)), max_size=6)


@pytest.fixture(scope="module", params=["everything", "rare"])
def script(request: pytest.FixtureRequest) -> models.Script:
    return models.built(getattr(models, request.param))


@pytest.fixture(scope="module")
def everything() -> models.Script:
    return models.built(models.everything)


def seconds(steps: int) -> float:
    return steps * models.DT


def overrides_of(script: models.Script, names: set[str], seed: int) -> Any:
    if script.name != "everything":
        return None
    return stimuli.draw(names, script.objects, stimuli.sizes(script.model), seed)


# -- snapshots ---------------------------------------------------------------------


@hypothesis.settings(max_examples=backend.amount(40))
@hypothesis.given(before=STEPS, after=STEPS, other=STEPS, names=NAMES, more=NAMES, seed=SEEDS)
def test_restored_it_goes_on_as_before(
    script: models.Script,
    before: int,
    after: int,
    other: int,
    names: set[str],
    more: set[str],
    seed: int,
) -> None:
    with script.model.session() as session:
        session.run(overrides_of(script, names, seed), duration=seconds(before), seed=seed)
        session.store("here")
        stored, t = state(session), session.t
        session.advance(seconds(after))
        expected = state(session)
        # Another stimulus, other delays, more or fewer recorded spikes
        session.run(overrides_of(script, more, seed + 1), duration=seconds(other))
        session.restore("here")
        assert_same(state(session), stored)
        assert session.t == t
        session.advance(seconds(after))
        assert_same(state(session), expected)
        # A snapshot can be used again, and what it brought does not outlive the next run
        session.restore("here")
        session.run(duration=seconds(after), seed=seed)
        session.advance(seconds(1))
        alone = state(session)
    with script.model.session() as fresh:
        fresh.run(duration=seconds(after), seed=seed)
        fresh.advance(seconds(1))
        assert_same(alone, state(fresh))


def test_snapshots_by_name(script: models.Script) -> None:
    with script.model.session() as session:
        assert session.snapshots == ()
        session.store("start")
        session.run(duration=seconds(30), seed=1)
        session.store("early")
        early = state(session)
        session.advance(seconds(30))
        session.store()
        late = state(session)
        assert session.snapshots == ("start", "early", "default")
        session.restore("early")
        assert_same(state(session), early)
        session.restore()
        assert_same(state(session), late)
        session.store("early")
        session.restore("start")
        assert session.t == 0
        session.restore("early")
        assert_same(state(session), late)
        session.forget("early")
        assert session.snapshots == ("start", "default")
        with pytest.raises(SessionError, match=r"no snapshot 'early'.*'start', 'default'"):
            session.restore("early")
        assert_same(state(session), late)
        with pytest.raises(SessionError, match="no snapshot 'early'"):
            session.forget("early")
        for name in ("", 3, "a\nb"):
            with pytest.raises(SessionError, match="name is a text"):
                session.store(name)  # type: ignore[arg-type]


def test_what_is_kept_stays(everything: models.Script) -> None:
    w = everything.objects.stdp.w
    with everything.model.session() as session:
        session.run(duration=seconds(50), seed=3)
        session.store()
        stored = state(session)
        session.advance(seconds(150))
        trained = session.read(w)
        assert not np.array_equal(trained, stored["stdp.w"])
        session.restore(keep=[w])
        assert np.array_equal(session.read(w), trained)
        assert set(differing(state(session), stored)) == {"stdp.w"}
        # ... and are carried on, by an advance and into a run
        session.run(carry=[w], duration=0)
        assert np.array_equal(session.read(w), trained)


def test_what_cannot_be_kept(everything: models.Script) -> None:
    o = everything.objects
    with everything.model.session() as session:
        session.run(duration=seconds(20), seed=3)
        session.store()
        session.advance(seconds(20))
        before = state(session)
        for key, why in (
            ("exc.nothing", "exc.nothing"),
            ("stdp_learn.delay", "cannot be kept"),
            (o.early.theta, "as a whole"),
            ("spikes.N", "cannot be kept"),
        ):
            with pytest.raises(OverrideError, match=re.escape(why)):
                session.restore(keep=[key])
        assert_same(state(session), before)


def test_a_snapshot_has_a_stimulus_of_its_own(everything: models.Script) -> None:
    """TimedArrays are read by Python, too."""
    o = everything.objects
    values = np.full(np.shape(o.stim.values), 0.25)
    with everything.model.session() as session:
        session.run({"stim": values}, duration=seconds(10), seed=1)
        session.store()
        stored = state(session)
        session.run(duration=seconds(10), seed=1)
        assert differing(state(session), stored)
        session.restore()
        assert_same(state(session), stored)
        assert np.array_equal(session._timed_arrays["stim"], values)
        session.run(duration=0)
        assert not session._timed_arrays


def test_static_state_is_not_stored() -> None:
    if backend.BACKEND == "cuda":
        pytest.skip("C++ code of the user's runs on the host")
    counting = models.built(models.counting)
    with counting.model.session() as session:
        for call in (session.store, lambda: session.save("nowhere")):
            with pytest.raises(SessionError, match="static state"):
                call()


# -- checkpoints -------------------------------------------------------------------


@hypothesis.settings(max_examples=backend.amount(25))
@hypothesis.given(before=STEPS, after=STEPS, names=NAMES, seed=SEEDS)
def test_loaded_it_goes_on_as_saved(
    tmp_path_factory: pytest.TempPathFactory,
    script: models.Script,
    before: int,
    after: int,
    names: set[str],
    seed: int,
) -> None:
    path = tmp_path_factory.mktemp("checkpoints") / "state.h5"
    with script.model.session() as session:
        session.run(overrides_of(script, names, seed), duration=seconds(before), seed=seed)
        session.save(path, extra={"label": "mine"})
        saved, t = state(session), session.t
        session.advance(seconds(after))
        expected = state(session)
    header = read_header(path)
    assert header.t == t
    assert header.extra == {"label": "mine"}
    with script.model.session() as session:
        session.run(duration=seconds(7))
        session.load(path)
        assert_same(state(session), saved)
        assert session.t == t
        session.advance(seconds(after))
        assert_same(state(session), expected)
        # The next run is the model's
        session.run(duration=seconds(after), seed=seed)
        alone = state(session)
    with script.model.session() as fresh:
        fresh.run(duration=seconds(after), seed=seed)
        assert_same(alone, state(fresh))


def test_another_draw_of_the_network(script: models.Script, tmp_path: Path) -> None:
    """The file brings its own connectivity, and the model's comes back."""
    sibling = script.model.redraw(99)
    path = tmp_path / "state.h5"
    with sibling.session() as session:
        session.run(duration=seconds(100), seed=1)
        session.save(path)
        saved = state(session)
        session.advance(seconds(60))
        expected = state(session)
    with script.model.session() as session:
        session.run(duration=seconds(60), seed=4)
        own = state(session)
        session.load(path)
        assert_same(state(session), saved)
        session.advance(seconds(60))
        assert_same(state(session), expected)
        session.run(duration=seconds(60), seed=4)
        assert_same(state(session), own)


def test_another_draw_with_as_many_synapses(everything: models.Script, tmp_path: Path) -> None:
    """Where no array has another size, only the numbers in them tell the networks apart."""
    own = everything.model.data.frozen["direct._synaptic_pre"]
    siblings = (everything.model.redraw(seed) for seed in range(1000))
    sibling = next(
        other
        for other in siblings
        if other.data.frozen["direct._synaptic_pre"].shape == own.shape
        and (other.data.frozen["direct._synaptic_pre"] != own).any()
    )
    path = tmp_path / "state.h5"
    with sibling.session() as session:
        session.run(duration=seconds(100), seed=1)
        session.save(path)
    with everything.model.session() as session:
        session.run(duration=seconds(150), seed=4)
        before = state(session)
        session.load(path)
        session.run(duration=seconds(150), seed=4)
        assert_same(state(session), before)


def test_only_some_variables(everything: models.Script, tmp_path: Path) -> None:
    o = everything.objects
    path = tmp_path / "state.h5"
    with everything.model.session() as session:
        session.run(duration=seconds(150), seed=1)
        session.save(path)
        w, theta = session.read("stdp.w"), session.read("exc.theta")
        session.run(duration=seconds(40), seed=2)
        before = state(session)
        session.load(path, only=[o.stdp.w, "exc.theta"])
        assert np.array_equal(session.read("stdp.w"), w)
        assert np.array_equal(session.read("exc.theta"), theta)
        assert set(differing(state(session), before)) == {"stdp.w", "exc.theta"}
        session.advance(seconds(10))
        for key in ("exc.N", "spikes.t", o.early.theta):
            with pytest.raises((OverrideError, CheckpointError)):
                session.load(path, only=[key])


def test_a_checkpoint_of_another_model(script: models.Script, tmp_path: Path) -> None:
    other = models.built(models.rare if script.name == "everything" else models.everything)
    path = tmp_path / "state.h5"
    with other.model.session() as session:
        session.run(duration=seconds(5))
        session.save(path)
    with script.model.session() as session:
        session.run(duration=seconds(30), seed=2)
        before = state(session)
        with pytest.raises(CheckpointError, match="another model") as caught:
            session.load(path)
        assert caught.value.fields["reason"] == "other_model"
        assert_same(state(session), before)
        session.advance(seconds(5))


def test_spikes_that_cannot_be_in_flight(everything: models.Script, tmp_path: Path) -> None:
    """An error in the middle of loading leaves the session as it was."""
    path = tmp_path / "state.h5"
    model = everything.model
    with model.session() as session:
        session.run(duration=seconds(150), seed=1)
        session.save(path)
        checkpoint = read_checkpoint(path)
        name = next(n for n, q in checkpoint.state.queues.items() if q.steps.size)
        checkpoint.state.queues[name].steps[-1] = 10**6
        write_checkpoint(path, checkpoint.state, model.manifest, model_digest=model.digest)
        session.advance(seconds(20))
        before = state(session)
        with pytest.raises(CheckpointError, match=name):
            session.load(path)
        assert_same(state(session), before)


def test_another_generator_needs_a_seed(everything: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    model = everything.model
    with model.session() as session:
        session.run(duration=seconds(100), seed=1)
        session.save(path)
        checkpoint = read_checkpoint(path)
        foreign = type(checkpoint.state.random)("another", b"1 2 3")
        changed = type(checkpoint.state)(**{**vars(checkpoint.state), "random": foreign})
        write_checkpoint(path, changed, model.manifest, model_digest=model.digest)
        saved = state(session)
        session.run(duration=seconds(3))
        before = state(session)
        with pytest.raises(SeedError, match="another generator"):
            session.load(path)
        assert_same(state(session), before)
        session.load(path, seed=7)
        assert_same(state(session), saved, but=[STREAM])
        session.advance(seconds(50))
        one = state(session)
        session.load(path, seed=7)
        session.advance(seconds(50))
        assert_same(state(session), one)


def test_saved_in_one_process_and_loaded_in_another(
    everything: models.Script, tmp_path: Path
) -> None:
    """A model that was rebuilt from its script is the same one."""
    path = tmp_path / "state.h5"
    with everything.model.session() as session:
        session.run(duration=seconds(120), seed=1)
        session.save(path)
        saved = state(session)
    again = models.build(models.everything)
    assert again.model.manifest.identity == everything.model.manifest.identity
    with again.model.session() as session:
        session.load(path)
        assert_same(state(session), saved, but=[n for n in saved if n.startswith("_static_array")])


def test_a_damaged_file(everything: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    with everything.model.session() as session:
        session.run(duration=seconds(20), seed=1)
        session.save(path)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        before = state(session)
        with pytest.raises(CheckpointError, match=re.escape(str(path))):
            session.load(path)
        with pytest.raises(CheckpointError):
            session.load(tmp_path / "missing.h5")
        assert_same(state(session), before)


def test_closed(everything: models.Script) -> None:
    session = everything.model.session()
    session.store()
    session.close()
    for call in (session.store, session.restore, session.forget):
        with pytest.raises(SessionClosedError):
            call()
