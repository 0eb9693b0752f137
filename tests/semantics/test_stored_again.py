"""A snapshot that replaces one of the same name, whose memory it may use."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from tests import backend, models, stimuli
from tests.states import assert_same, state

#: Steps of a run, overridden variables, and whether the run goes on where the state is.
TURNS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sets(st.sampled_from(sorted(stimuli.OVERRIDES)), max_size=4),
        st.booleans(),
    ),
    min_size=2,
    max_size=5,
)


@pytest.fixture(scope="module")
def everything() -> models.Script:
    return models.built(models.everything)


@hypothesis.settings(max_examples=backend.amount(25))
@hypothesis.given(turns=TURNS, seed=st.integers(0, 2**32 - 2))
def test_the_last_one_counts(
    everything: models.Script, turns: list[tuple[int, set[str], bool]], seed: int
) -> None:
    # Variables get and lose their variety, delays move the queues, monitors grow and shrink
    objects, sizes = everything.objects, stimuli.sizes(everything.model)
    with everything.model.session() as session:
        session.store("other")
        other = stored = state(session)
        for number, (steps, names, goes_on) in enumerate(turns):
            if goes_on:
                session.advance(steps * models.DT)
            else:
                drawn = stimuli.draw(names, objects, sizes, seed + number)
                session.run(drawn, duration=steps * models.DT, seed=seed)
            session.store("here")
            stored = state(session)
            session.run(duration=20 * models.DT, seed=seed + 1)
            session.restore("here")
            assert_same(state(session), stored)
        session.restore("other")
        assert_same(state(session), other)
        session.restore("here")
        assert_same(state(session), stored)
