"""A run does not depend on what ran before it, unless something is carried."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import gpurun
from gpurun.errors import OverrideError
from tests import backend, models, stimuli
from tests.states import STREAM, assert_same, differing, state

SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sets(st.sampled_from(sorted(stimuli.OVERRIDES)), max_size=8)
#: One session.run in some manner: how, overrides, seed of their values, carry, time steps.
RUNS = st.tuples(
    st.sampled_from(["run", "run", "run", "seeded", "advance", "refused", "stopped"]),
    NAMES,
    SEEDS,
    st.sets(st.sampled_from(stimuli.CARRIED), max_size=4),
    st.sampled_from([0, 1, 13, 200, 430]),
)


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.everything)


def present(session: gpurun.Session, script: models.Script, run: Any) -> None:
    """Do what one element of RUNS says."""
    manner, names, seed, carry, steps = run
    objects = script.objects
    overrides = stimuli.draw(names, objects, stimuli.sizes(script.model), seed)
    carried = [stimuli.key_of(name, objects) for name in sorted(carry)]
    duration = steps * models.DT
    if manner == "advance":
        session.advance(duration)
    elif manner == "refused":
        with pytest.raises(OverrideError):
            session.run([*overrides, ("exc.nonsense", 1)], carry=carried)
    elif manner == "stopped":
        # The callback comes about every 50 ms, so it ends only what takes longer
        session.run(overrides, carry=carried, duration=2.0, progress=lambda done, wall: True)
    else:
        session.run(
            overrides,
            carry=carried,
            duration=duration,
            seed=seed if manner == "seeded" else None,
        )


def alone(script: models.Script, overrides: Any, seed: int, **options: Any) -> dict[str, Any]:
    """State after this run in a session of its own."""
    with script.model.session() as session:
        session.run(overrides, seed=seed, **options)
        return state(session)


@hypothesis.settings(max_examples=backend.amount(100))
@hypothesis.given(earlier=st.lists(RUNS, min_size=1, max_size=8), names=NAMES, seed=SEEDS)
def test_a_run_after_others_equals_it_alone(
    script: models.Script, earlier: list[Any], names: set[str], seed: int
) -> None:
    overrides = stimuli.draw(names, script.objects, stimuli.sizes(script.model), seed)
    with script.model.session() as session:
        for run in earlier:
            present(session, script, run)
        session.run(overrides, seed=seed)
        assert_same(state(session), alone(script, overrides, seed))


def test_a_hundred_runs_with_everything_then_without(script: models.Script) -> None:
    objects, sizes = script.objects, stimuli.sizes(script.model)
    expected = alone(script, None, 5)
    with script.model.session() as session:
        for number in range(backend.amount(100)):
            session.run(stimuli.draw(stimuli.OVERRIDES, objects, sizes, number), seed=number)
            if number % 10 == 0:
                session.run(seed=5)
                assert_same(state(session), expected)
        session.run(seed=5)
        assert_same(state(session), expected)


@pytest.mark.parametrize("name", sorted(stimuli.OVERRIDES))
def test_an_override_ends_with_its_run(script: models.Script, name: str) -> None:
    """One at a time: a leak cannot hide behind another override."""
    overrides = stimuli.draw([name], script.objects, stimuli.sizes(script.model), 3)
    plain = alone(script, None, 8)
    with script.model.session() as session:
        session.run(overrides, seed=8)
        changed = state(session)
        # Otherwise this test would show nothing
        assert differing(changed, plain)
        session.run(seed=8)
        assert_same(state(session), plain)
        session.run(overrides, seed=8)
        assert_same(state(session), changed)


def test_what_few_spikes_have_changed_is_put_back(script: models.Script) -> None:
    """A reset may visit only what a run has touched, so there are runs that touch little."""
    random = np.random.default_rng(11)
    quiet = {"exc.sigma": 0.0, "inp.rates": 0.0, f"{script.objects.noise.name}.rate": 0.0}
    with script.model.session() as session:
        session.run(duration=0, seed=1)
        baseline = state(session)
        spikes = []
        for _ in range(backend.amount(300)):
            cells = random.choice(20, size=random.integers(1, 4), replace=False)
            potentials = np.zeros(20)
            potentials[cells] = random.uniform(0.009, 0.02, len(cells))
            beats = ([random.integers(4)], [0.0]) if random.uniform() < 0.5 else ([], [])
            overrides = {**quiet, "exc.v": potentials, "gen": ([], []), "beat": beats}
            # Given or carried values may differ where no spike has been
            for name in ("stdp.w", "stdp.apre", "direct.used", "direct.hit", "multi.used"):
                if random.uniform() < 0.1:
                    overrides[name] = random.uniform(1, 2)
            carry = [name for name in ("stdp.w", "direct.hit") if random.uniform() < 0.1]
            session.run(overrides, carry=carry, duration=random.integers(1, 40) * models.DT)
            if random.uniform() < 0.2:
                session.run(quiet, carry=["stdp.w", "direct.used"], duration=0.002)
            if random.uniform() < 0.3:
                session.advance(random.integers(1, 20) * models.DT)
            spikes.append(len(session.read("spikes.t")))
            session.run(duration=0, seed=1)
            assert_same(state(session), baseline)
        assert np.median(spikes) < 5
        assert max(spikes) > 0


def written(script: models.Script, session: gpurun.Session) -> set[str]:
    """Variables that this session's runs were allowed to change."""
    changing = {info.name for info in script.model.manifest.variables if info.changes}
    return changing | session.overridden_names() | {STREAM}


@hypothesis.settings(max_examples=backend.amount(15))
@hypothesis.given(names=NAMES, seed=SEEDS)
def test_only_what_the_manifest_says_is_written(
    script: models.Script, names: set[str], seed: int
) -> None:
    overrides = stimuli.draw(names, script.objects, stimuli.sizes(script.model), seed)
    with script.model.session() as session:
        before = state(session)
        session.run(overrides, seed=seed, duration=0.05)
        assert set(differing(before, state(session))) <= written(script, session)


def test_connectivity_and_constants_are_no_part_of_the_baseline(script: models.Script) -> None:
    kept = {info.name for info in script.model.manifest.variables if info.changes}
    constant = {
        "exc.tau", "exc.sigma", "exc.level", "exc.kind", "exc.untouched",
        "direct.w", "spread.w", "multi.w", "direct_pre.delay", "fixed_pre.delay",
        "spread_pre.delay", "stdp_deliver.delay", "direct._synaptic_pre",
        "stdp._synaptic_post", "stim.values", "grid.values",
    }  # fmt: skip
    assert not sorted(kept & constant)


@pytest.mark.parametrize("name", stimuli.CARRIED)
def test_carry_is_an_override_with_the_last_value(script: models.Script, name: str) -> None:
    objects, sizes = script.objects, stimuli.sizes(script.model)
    key = stimuli.key_of(name, objects)
    overrides = stimuli.draw([name], objects, sizes, 4)
    with script.model.session() as session, script.model.session() as other:
        first = session.run(overrides, seed=1)
        del first
        if name in ("gen", "beat", "rate"):
            # Not a variable of its own: its value is what was given
            value = overrides[0][1]
        elif name == "weight":
            value = session.read(f"{objects.noise.name}._{objects.noise.name}_weight")
        else:
            value = session.read(key)
        session.run(carry=[key], seed=2)
        carried = state(session)
        other.run([(key, value)], seed=2)
        assert_same(carried, state(other))
        # Left out, it is put back
        session.run(seed=2)
        assert_same(state(session), alone(script, None, 2))


def test_carried_through_many_runs(script: models.Script) -> None:
    """Weights learn from run to run; everything else starts anew."""
    w, theta = script.objects.stdp.w, "exc.theta"
    with script.model.session() as session, script.model.session() as other:
        weights = thresholds = None
        for seed in range(min(6, backend.amount(100))):
            result = session.run(carry=[w, theta], record=[w, theta], seed=seed)
            given = [] if weights is None else [("stdp.w", weights), (theta, thresholds)]
            other.run(given, seed=seed)
            assert_same(state(session), state(other))
            weights, thresholds = result[w], result[theta]
        assert not np.array_equal(weights, script.model.data.frozen["stdp.w"])


def test_a_session_leaves_its_model_alone(script: models.Script) -> None:
    digest = script.model.digest
    objects, sizes = script.objects, stimuli.sizes(script.model)
    with script.model.session() as session:
        session.run(stimuli.draw(stimuli.OVERRIDES, objects, sizes, 1))
    assert script.model.data.digest() and script.model.digest == digest


def test_given_arrays_are_not_changed_or_kept(script: models.Script) -> None:
    """The caller may do with an array what he likes once run() is back."""
    objects: SimpleNamespace = script.objects
    weights = np.full(100, 0.5)
    drive = np.full(20, 9e-3)
    with script.model.session() as session:
        session.run({"stdp.w": weights, "exc.drive": drive}, seed=1)
        expected = state(session)
        assert (weights == 0.5).all()
        assert (drive == 9e-3).all()
        values = {objects.stdp.w: weights}
        session.run([(objects.stdp.w, weights), ("exc.drive", drive)], seed=1)
        weights[:] = np.nan
        drive[:] = np.nan
        del values
        assert_same(state(session), expected)
