"""Advances of any lengths equal one run of their sum, to the last bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.errors import DurationError
from tests import backend, models, stimuli
from tests.states import assert_same, same, state

#: Lengths in time steps; 0 is a piece too, and most end between the steps of slower clocks.
PIECES = st.lists(st.integers(0, 90), min_size=1, max_size=12)
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


@hypothesis.settings(max_examples=backend.amount(100))
@hypothesis.given(pieces=PIECES, seed=SEEDS)
def test_run_and_advances_equal_one_run(
    script: models.Script, pieces: list[int], seed: int
) -> None:
    with script.model.session() as session, script.model.session() as other:
        session.run(duration=seconds(pieces[0]), seed=seed)
        for steps in pieces[1:]:
            session.advance(seconds(steps))
        other.run(duration=seconds(sum(pieces)), seed=seed)
        assert_same(state(session), state(other))
        assert session.t == pytest.approx(other.t, abs=1e-12)


@hypothesis.settings(max_examples=backend.amount(100))
@hypothesis.given(pieces=PIECES, names=NAMES, seed=SEEDS)
def test_overrides_of_the_first_piece_hold_for_all(
    everything: models.Script, pieces: list[int], names: set[str], seed: int
) -> None:
    """Longer delays, spike times of a generator, rates, ...: as in one run."""
    sizes = stimuli.sizes(everything.model)
    overrides = stimuli.draw(names, everything.objects, sizes, seed)
    with everything.model.session() as session, everything.model.session() as other:
        session.run(overrides, duration=seconds(pieces[0]), seed=seed)
        for steps in pieces[1:]:
            session.advance(seconds(steps))
        other.run(overrides, duration=seconds(sum(pieces)), seed=seed)
        assert_same(state(session), state(other))


def test_advance_of_a_new_session_is_a_run(script: models.Script) -> None:
    with script.model.session() as session, script.model.session() as other:
        for steps in (3, 50, 147):
            session.advance(seconds(steps))
        other.run(duration=seconds(200))
        assert_same(state(session), state(other))


def test_many_short_advances(script: models.Script) -> None:
    """Single steps: no drift of the clocks, no piece lost or done twice."""
    count = backend.amount(1000)
    with script.model.session() as session, script.model.session() as other:
        steps = [session.advance(seconds(1)).steps for _ in range(count)]
        result = other.run(duration=seconds(count))
        assert_same(state(session), state(other))
        # An event clock adds passes of its own, at times between two steps
        assert sum(steps) == result.steps


def test_unequal_segments_of_a_long_run(script: models.Script) -> None:
    count = backend.amount(20_000)
    bounds = np.unique(np.random.default_rng(2).integers(1, count, size=39))
    edges = [0, *bounds.tolist(), count]
    with script.model.session() as session, script.model.session() as other:
        for start, end in pairwise(edges):
            session.advance(seconds(end - start))
        other.run(duration=seconds(count))
        assert_same(state(session), state(other))


def test_monitors_go_on_recording(everything: models.Script) -> None:
    objects = everything.objects
    names = [
        "spikes", "counts", "in_spikes", "gen_spikes", "beat_spikes", "high_events", "trace",
        "slow_trace", "weight_trace", "rate",
    ]  # fmt: skip
    monitors = [getattr(objects, name) for name in names]
    with everything.model.session() as session, everything.model.session() as other:
        first = session.run(duration=0.005, record=monitors, seed=1)
        session.advance(0.0113)
        last = session.advance(0.0037, record=monitors)
        whole = other.run(duration=0.02, record=monitors, seed=1)
        for name in names:
            for variable in whole[name]:
                assert same(last[name][variable], whole[name][variable])
                if variable in ("t", "i"):
                    head = first[name][variable]
                    assert np.array_equal(whole[name][variable][: len(head)], head)
        assert 0 < len(first["spikes"].t) < len(last["spikes"].t)
        assert last["rate"].t[-1] == pytest.approx(0.0199)


def test_results_of_an_advance_describe_the_piece(everything: models.Script) -> None:
    with everything.model.session() as session:
        session.run(duration=0.005)
        result = session.advance(0.002)
        assert result.duration == pytest.approx(0.002)
        assert result.t == pytest.approx(0.007)
        assert result.steps == 20
        assert result.completed == 1.0
        assert session.t == pytest.approx(0.007)


def test_spikes_in_flight_arrive_after_the_end_of_a_run() -> None:
    """The delay of 26 ms is longer than the script's 20 ms."""
    with models.built(models.rare).model.session() as session:
        session.run({"far.delay": 26e-3}, seed=1)
        session.advance(0.02)
        late = session.read("ring.v")
        session.run({"far.delay": 90e-3}, seed=1)
        session.advance(0.02)
        assert not np.array_equal(session.read("ring.v"), late)


def test_a_run_after_advances_starts_from_the_baseline(script: models.Script) -> None:
    with script.model.session() as session, script.model.session() as other:
        session.run(seed=1)
        session.advance(0.013)
        session.run(seed=9)
        other.run(seed=9)
        assert_same(state(session), state(other))


def test_carry_what_advances_have_made(everything: models.Script) -> None:
    with everything.model.session() as session, everything.model.session() as other:
        session.run(seed=1)
        session.advance(0.013)
        weights = session.read("stdp.w")
        session.run(carry=["stdp.w"], seed=9)
        other.run({"stdp.w": weights}, seed=9)
        assert_same(state(session), state(other))


@pytest.mark.parametrize("steps", [0, 1, 199])
def test_a_refused_advance_changes_nothing(everything: models.Script, steps: int) -> None:
    with everything.model.session() as session, everything.model.session() as other:
        for one in (session, other):
            one.run(duration=seconds(steps), seed=4)
        with pytest.raises(DurationError):
            session.advance(0.00015)
        with pytest.raises(DurationError):
            session.advance(-0.1)
        for one in (session, other):
            one.advance(0.01)
        assert_same(state(session), state(other))


def stop_early(done: float, wall: float) -> bool:
    return True


def test_a_stopped_run_can_be_finished(script: models.Script) -> None:
    # Longer than it takes until the first call of `progress`
    total = 1000 if backend.EMULATED else {"everything": 40_000, "rare": 1_000_000}[script.name]
    with script.model.session() as session, script.model.session() as other:
        stopped: Any = session.run(duration=seconds(total), seed=3, progress=stop_early)
        assert 0 < stopped.completed < 1
        done = round(stopped.t / models.DT)
        session.advance(seconds(total - done))
        other.run(duration=seconds(total), seed=3)
        assert_same(state(session), state(other))
