"""Changing a session's state where it is: `write`, `modify` and `lend`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import Hz, nA
from hypothesis import strategies as st

import gpurun
from gpurun.errors import (
    DtypeMismatchError,
    NonFiniteValueError,
    OverrideError,
    ReadOnlyVariableError,
    ShapeMismatchError,
    UnitMismatchError,
    UnknownVariableError,
)
from tests import backend, models
from tests.cupy_stand_in import ON_CARD, cupy_for_tests
from tests.states import assert_same, state

RATES = np.linspace(0, 900, 12)


@pytest.fixture(scope="module", autouse=True)
def cupy() -> Iterator[None]:
    with cupy_for_tests():
        yield


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.learner)


@pytest.fixture
def session(script: models.Script) -> Iterator[gpurun.Session]:
    with script.model.session() as session:
        yield session


def host(array: Any) -> np.ndarray:
    return np.array(array.get() if hasattr(array, "get") else array)


# -- write ---------------------------------------------------------------------------------------


def test_written_before_the_first_run_equals_overridden(script: models.Script) -> None:
    o = script.objects
    values = {o.pixels.rates: RATES * Hz, "cells.v": np.linspace(0, 0.9, 6), "feed.w": 0.4}
    with script.model.session() as one, script.model.session() as other:
        one.write(values)
        one._instance.library.seed(3)
        one.advance()
        other.run(values, seed=3)
        assert_same(state(one), state(other))


@hypothesis.settings(max_examples=backend.amount(25))
@hypothesis.given(
    first=st.integers(0, 120), second=st.integers(0, 120), seed=st.integers(0, 2**32 - 1)
)
def test_a_value_that_is_there_changes_nothing(
    script: models.Script, first: int, second: int, seed: int
) -> None:
    """Spikes in flight, the random stream and everything else goes on."""
    with script.model.session() as one, script.model.session() as other:
        for session in (one, other):
            session.run({"pixels.rates": RATES}, seed=seed, duration=first * models.DT)
        one.write({name: one.read(name) for name in ("feed.w", "cells.v", "pixels.rates")})
        one.modify("cells.theta", lambda theta: None)
        one.modify("feed.x", lambda x: x * 1)
        for session in (one, other):
            session.advance(second * models.DT)
        assert_same(state(one), state(other))


def test_run_takes_back_what_was_written(script: models.Script) -> None:
    with script.model.session() as one, script.model.session() as other:
        for session in (one, other):
            session.run({"pixels.rates": RATES}, seed=1)
        # One that runs change, one that spikes change, one that nothing changes, a TimedArray
        one.write({"cells.v": 0.3, "feed.w": 0.9, "side.g": 0.5, "film": np.ones((4, 6))})
        one.modify("pixels.rates", lambda rates: rates + 5)
        one.modify("side.strength", lambda strength: 2.0)
        one.modify("film", lambda values: values + 1)
        one.advance(1e-3)
        for session in (one, other):
            session.run({"pixels.rates": RATES}, seed=1)
        assert_same(state(one), state(other))
        one.write({"side.g": 0.5, "feed.w": 0.25})
        one.run(carry=["side.g", "feed.w"], duration=0.0)
        assert (one.read("side.g") == 0.5).all() and (one.read("feed.w") == 0.25).all()


def test_a_timed_array_is_written(script: models.Script) -> None:
    film = np.full((4, 6), 2.0)
    film[:, 3:] = 0
    with script.model.session() as session:
        session.run(duration=4e-3)
        session.write({script.objects.film: film})
        assert (session.read("film") == film).all()
        session.advance(4e-3)
        v = session.read("cells.v")
        assert (v[:3] > 0.5).all() and (v[3:] == 0).all()
        from brian2.units import ms

        assert script.objects.film(1 * ms, 0) == 2.0
        session.modify("film", lambda values: values * 2)
        assert script.objects.film(1 * ms, 0) == 4.0


@pytest.mark.parametrize(
    ("key", "value", "error", "match"),
    [
        ("cells.v", np.zeros(5), ShapeMismatchError, r"cells\.v.*\(6,\).*\(5,\)"),
        ("cells.v", [np.nan] * 6, NonFiniteValueError, r"cells\.v"),
        ("cells.vv", 1, UnknownVariableError, r"cells\.vv"),
        (lambda o: o.cells.rest, 1 * nA, UnitMismatchError, r"cells\.rest"),
        (lambda o: o.cells.rest, np.ones(6), UnitMismatchError, "Multiply"),
        ("gen", ([0], [0.0]), OverrideError, r"spikes of 'gen'.*run\(\)"),
        ("jolt.delay", 1e-3, OverrideError, r"jolt.*delay.*run\(\)"),
        ("spikes", 1, ReadOnlyVariableError, "'spikes' is a monitor"),
    ],
)
def test_a_bad_write_changes_nothing(
    script: models.Script, key: Any, value: Any, error: type[Exception], match: str
) -> None:
    key = key(script.objects) if callable(key) else key
    with script.model.session() as session:
        session.run({"pixels.rates": RATES}, seed=1, duration=5e-3)
        before = state(session)
        with pytest.raises(error, match=match):
            session.write([("feed.w", 0.5), (key, value)])
        assert_same(state(session), before)


# -- modify --------------------------------------------------------------------------------------


def test_modified_in_place(session: gpurun.Session) -> None:
    session.run({"pixels.rates": RATES}, seed=1)
    weights = session.read("feed.w")
    places = []

    def halve(w: Any) -> None:
        places.append(w.__array_interface__["data"][0])
        w *= 0.5

    session.modify("feed.w", halve)
    assert np.array_equal(session.read("feed.w"), weights * 0.5)
    # It was the session's own memory
    if ON_CARD:
        assert session.device_view("feed.w").__cuda_array_interface__["data"][0] == places[0]
    else:
        assert session.read("feed.w", view=True).__array_interface__["data"][0] == places[0]


@pytest.mark.parametrize(
    "change",
    [lambda w: w * 0.5, lambda w: host(w) * 0.5, lambda w: (host(w) * 0.5).tolist()],
    ids=["array", "host", "list"],
)
def test_what_is_returned_is_written(session: gpurun.Session, change: Callable) -> None:
    before = session.read("feed.w")
    session.modify("feed.w", change)
    assert np.array_equal(session.read("feed.w"), before * 0.5)
    session.modify("feed.w", lambda w: 0.125)
    assert (session.read("feed.w") == 0.125).all()


def test_a_subgroup_is_modified(script: models.Script, session: gpurun.Session) -> None:
    session.write({"cells.rest": np.arange(6.0)})
    session.modify(script.objects.cells[2:4].rest, lambda rest: rest + 10)
    assert session.read("cells.rest").tolist() == [0, 1, 12, 13, 4, 5]
    assert host(session.lend(script.objects.cells[2:4].rest)).tolist() == [12, 13]


def test_others_are_read(session: gpurun.Session) -> None:
    session.write({"feed.x": 0.25})
    before = session.read("feed.w")
    session.modify(
        "feed.w",
        lambda w, x, post: w + x + post,
        reading=["feed.x", "feed._synaptic_post"],
    )
    assert np.array_equal(session.read("feed.w"), before + 0.25 + np.tile(np.arange(6), 12))


def test_the_network_sees_it(script: models.Script) -> None:
    """Equal to handing over what was worked out in Python."""

    def scaled(w: Any) -> Any:
        return w * 0.3 + 0.6

    with script.model.session() as one, script.model.session() as other:
        weights, fired = None, 0
        for number in range(4):
            seed = 5 if not number else None
            one.modify("feed.w", scaled)
            own = one.run(
                {"pixels.rates": RATES}, carry=["feed.w", "cells.theta"], seed=seed,
                record=["feed.w", "spikes.count"],
            )  # fmt: skip
            weights = scaled(other.read("feed.w") if weights is None else weights)
            result = other.run(
                {"pixels.rates": RATES, "feed.w": weights}, carry=["cells.theta"], seed=seed,
                record=["feed.w", "spikes.count"],
            )  # fmt: skip
            weights = result["feed.w"]
            assert_same(state(one), state(other))
            assert np.array_equal(own["spikes.count"], result["spikes.count"])
            fired += own["spikes.count"].sum()
        assert fired > 3


def test_an_error_leaves_the_session_usable(session: gpurun.Session) -> None:
    def fails(w: Any) -> None:
        w[:3] = 0.75
        raise ZeroDivisionError("midway")

    with pytest.raises(ZeroDivisionError, match="midway"):
        session.modify("feed.w", fails)
    assert (session.read("feed.w")[:3] == 0.75).all()
    session.run(seed=1)
    assert not (session.read("feed.w")[:3] == 0.75).any()


@pytest.mark.parametrize(
    ("key", "made", "error", "match"),
    [
        ("feed.w", np.zeros(5), ShapeMismatchError, r"feed\.w.*\(72,\).*\(5,\)"),
        ("feed.w", np.full(72, np.inf), NonFiniteValueError, r"feed\.w.*72 value"),
        ("feed.w", "0.5", DtypeMismatchError, r"feed\.w"),
        ("cells.rest", 3 * nA, UnitMismatchError, r"cells\.rest"),
        ("feed._synaptic_post", 0, ReadOnlyVariableError, "read-only"),
        ("pixels._spikespace", 0, ReadOnlyVariableError, "read-only"),
        ("gen", 0, OverrideError, "'gen'"),
        ("jolt.delay", 0.0, OverrideError, "delay"),
        ("spikes", 0, ReadOnlyVariableError, "monitor"),
    ],
)
def test_a_bad_change(
    session: gpurun.Session, key: str, made: Any, error: type[Exception], match: str
) -> None:
    session.run({"pixels.rates": RATES}, seed=1, duration=5e-3)
    before = state(session)
    with pytest.raises(error, match=match):
        session.modify(key, lambda array: made)
    assert_same(state(session), before)


def test_what_is_lent_cannot_be_changed(session: gpurun.Session) -> None:
    lent = session.lend("feed.w")
    assert np.array_equal(host(lent), session.read("feed.w"))
    if not ON_CARD:
        with pytest.raises(ValueError, match="read-only"):
            lent[0] = 1
    with pytest.raises(OverrideError):
        session.lend("spikes")


def test_nan_may_be_meant(session: gpurun.Session) -> None:
    session.modify("cells.rest", lambda rest: np.full(6, np.nan), allow_nonfinite=True)
    assert np.isnan(session.read("cells.rest")).all()
    session.write({"cells.v": np.full(6, np.inf)}, allow_nonfinite=["cells.v"])
    assert np.isinf(session.read("cells.v")).all()


# -- rebase --------------------------------------------------------------------------------------


def test_a_new_baseline_equals_overrides_of_every_run(script: models.Script) -> None:
    film = np.linspace(0, 2, 24).reshape(4, 6)
    values = {"feed.w": np.linspace(0.3, 0.9, 72), "side.g": 0.2, "cells.theta": 0.1, "film": film}
    with script.model.session() as one, script.model.session() as other:
        one.run({"pixels.rates": RATES}, seed=8)
        one.rebase(values)
        for number in range(3):
            rates = {"pixels.rates": RATES * (1 + number)}
            seed = None if number else 5
            one.run(rates, seed=seed)
            other.run({**rates, **values}, seed=seed)
            assert_same(state(one), state(other))
        # Overrides and what is carried come first, as ever
        one.run({"feed.w": 0.5}, carry=["cells.theta"], duration=0.0)
        assert (one.read("feed.w") == 0.5).all()
        assert np.array_equal(one.read("cells.theta"), other.read("cells.theta"))
        one.rebase({"side.g": 0.7})
        one.run({"pixels.rates": RATES}, seed=2)
        other.run({"pixels.rates": RATES, **values, "side.g": 0.7}, seed=2)
        assert_same(state(one), state(other))


def test_a_moved_baseline_is_the_beginning(script: models.Script) -> None:
    with script.model.session() as session:
        session.run({"pixels.rates": RATES}, seed=8)
        for _ in range(3):
            session.rebase({"feed.w": 0.5})
        assert session.t == 0
        assert len(session._instance._rebased) == 1
        session.rebase({"cells.rest": np.full(6, np.nan)}, allow_nonfinite=True)
        assert len(session._instance._rebased) == 2


def test_a_python_side_read_sees_the_new_baseline(script: models.Script) -> None:
    from brian2.units import ms

    film = np.full((4, 6), 3.0)
    with script.model.session() as session:
        session.rebase({"film": film})
        session.run(duration=1e-3)
        assert script.objects.film(1 * ms, 0) == 3.0
        session.run({"film": film + 1}, duration=1e-3)
        assert script.objects.film(1 * ms, 0) == 4.0
        session.run(duration=1e-3)
        assert script.objects.film(1 * ms, 0) == 3.0


def test_a_bad_baseline_changes_nothing(script: models.Script) -> None:
    with script.model.session() as session:
        session.run({"pixels.rates": RATES}, seed=1, duration=5e-3)
        before = state(session)
        with pytest.raises(ShapeMismatchError):
            session.rebase([("feed.w", 0.5), ("cells.v", np.zeros(4))])
        assert_same(state(session), before)


def test_a_checkpoint_says_what_was_carried(script: models.Script, tmp_path: Any) -> None:
    from gpurun.checkpoint import read_header
    from gpurun.session_state import CARRIED

    with script.model.session() as session:
        session.save(tmp_path / "a.h5")
        session.run(carry=["feed.w", "cells.theta"], duration=1e-3)
        session.save(tmp_path / "b.h5", extra={"mine": 1})
    assert dict(read_header(tmp_path / "a.h5").extra) == {}
    extra = read_header(tmp_path / "b.h5").extra
    assert extra == {"mine": 1, CARRIED: ["feed.w", "cells.theta"]}
