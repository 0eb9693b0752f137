"""The loop over stimuli: the same as by hand, in every way of dividing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2.units import ms, mV, second

import gpurun
from gpurun.errors import (
    CheckpointError,
    ConfigError,
    DurationError,
    OverrideError,
    ShapeMismatchError,
    StimulusError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.loop import LoopProgress, NormaliseWeights, present
from gpurun.stimulus.batch import StimulusBatch
from gpurun.stimulus.stream import StimulusStream
from tests import models
from tests.cupy_stand_in import cupy_for_tests
from tests.states import assert_same, state

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.integers(0, 256, (10, 3, 4), dtype=np.uint8)
LABELS = np.arange(10) % 3
CARRY = ["feed.w", "cells.theta"]
RECORD = ["spikes.count", "feed.w"]


def rates(images: Any) -> Any:
    return images.reshape(len(images), -1) * 6.0


class Hertz:
    """An encoder that says what its values are."""

    unit = "Hz"

    def __call__(self, images: Any) -> Any:
        return rates(images)


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


@pytest.fixture
def other(script: models.Script) -> Iterator[gpurun.Session]:
    with script.model.session() as session:
        yield session


def stream(**options: Any) -> StimulusStream:
    return StimulusStream((IMAGES, LABELS), rates, **{"device": "cpu", "batch": 4, **options})


def facts(shown: Any) -> tuple[Any, ...]:
    result = shown.result
    return (
        shown.stimulus.number, shown.label, shown.done, shown.attempts, shown.satisfied,
        *(np.asarray(result[name]).tobytes() for name in result.values),
    )  # fmt: skip


# -- the same as by hand -------------------------------------------------------------------------


def test_equals_a_loop_by_hand(
    script: models.Script, session: gpurun.Session, other: gpurun.Session
) -> None:
    shown = list(
        present(
            session,
            stream(),
            target=script.objects.pixels.rates,
            carry=CARRY,
            record=RECORD,
            seed=7,
        )
    )
    assert [one.done for one in shown] == list(range(1, 11))
    assert [one.label for one in shown] == LABELS.tolist()
    for number, one in enumerate(shown):
        result = other.run(
            {"pixels.rates": rates(IMAGES)[number]},
            carry=CARRY,
            record=RECORD,
            seed=None if number else 7,
        )
        for name in RECORD:
            assert np.array_equal(one.result[name], result[name])
    assert_same(state(session), state(other))
    assert sum(one.result["spikes.count"].sum() for one in shown) > 5


@pytest.mark.parametrize("by", ["post", "pre"])
@pytest.mark.parametrize("variable", ["feed.w", "side.g"])
def test_weights_are_normalised(session: gpurun.Session, variable: str, by: str) -> None:
    owner = variable.partition(".")[0]
    index = session.read(f"{owner}._synaptic_{by}")
    before = session.read(variable)
    sums = np.bincount(index, before)
    session.modify(variable, NormaliseWeights(2.5, by).bind(session, variable).function)
    found = session.read(variable)
    assert np.allclose(found, before * 2.5 / sums[index], rtol=1e-14)
    assert np.allclose(np.bincount(index, found)[np.unique(index)], 2.5, rtol=1e-14)


def test_neurons_without_weights_stay(session: gpurun.Session) -> None:
    for variable in ("feed.w", "side.g"):
        session.write({variable: 0.0})
        session.modify(variable, NormaliseWeights(3.0).bind(session, variable).function)
        assert (session.read(variable) == 0).all()
    post = session.read("feed._synaptic_post")
    session.write({"feed.w": np.where(post == 2, 0, 0.5)})
    session.modify("feed.w", NormaliseWeights(3.0).bind(session, "feed.w").function)
    assert np.allclose(np.bincount(post, session.read("feed.w")), [3, 3, 0, 3, 3, 3])


def test_expressions_equal_numpy(session: gpurun.Session) -> None:
    from gpurun.loop import Expression

    pre, post = (session.read(f"side._synaptic_{side}") for side in ("pre", "post"))
    session.write({"side.strength": np.linspace(-1, 1, len(pre))})
    strength = session.read("side.strength")
    cases = {
        "g * 3 / sum(g, j)": lambda g: g * 3 / np.bincount(post, g)[post],
        "g / sum(g, i)": lambda g: g / np.bincount(pre, g)[pre],
        "g / sum(g)": lambda g: g / g.sum(),
        "clip(g + strength, 0, 0.5)": lambda g: np.clip(g + strength, 0, 0.5),
        "where((i > j) & (g > 0), -g, g**2)": lambda g: np.where((pre > post) & (g > 0), -g, g**2),
        "0.25": lambda g: np.full(len(g), 0.25),
        "maximum(g, 0.02) + minimum(strength, 0)": lambda g: (
            np.maximum(g, 0.02) + np.minimum(strength, 0)
        ),
        "exp(-abs(strength)) + mean(g) - min(g)": lambda g: (
            np.exp(-np.abs(strength)) + g.mean() - g.min()
        ),
    }
    start = session.read("side.g")
    for text, expected in cases.items():
        session.write({"side.g": start})
        change = Expression(text).bind(session, "side.g")
        session.modify("side.g", change.function, reading=change.reading)
        assert np.allclose(session.read("side.g"), expected(start), rtol=1e-13), text


def test_before_each_run(session: gpurun.Session, other: gpurun.Session) -> None:
    """All kinds of changes, which are carried without being named."""
    shown = present(
        session,
        stream(),
        target="pixels.rates",
        carry=["cells.theta"],
        record=RECORD,
        before={
            "feed.w": NormaliseWeights(4.0),
            "side.g": "g * 0.5 / sum(g, j)",
            "cells.theta": lambda theta: theta * 0.9,
        },
        seed=7,
    )
    post = other.read("side._synaptic_post")
    weights, theta, strength = (other.read(name) for name in ("feed.w", "cells.theta", "side.g"))
    for number, one in enumerate(shown):
        matrix = weights.reshape(12, 6)
        result = other.run(
            {
                "pixels.rates": rates(IMAGES)[number],
                "feed.w": (matrix * (4.0 / matrix.sum(axis=0))).reshape(-1),
                "side.g": strength * 0.5 / np.bincount(post, strength)[post],
                "cells.theta": theta * 0.9,
            },
            record=[*RECORD, "cells.theta", "side.g"],
            seed=None if number else 7,
        )
        weights, theta, strength = (result[n] for n in ("feed.w", "cells.theta", "side.g"))
        assert np.allclose(one.result["feed.w"], weights, rtol=1e-12)
        assert np.array_equal(one.result["spikes.count"], result["spikes.count"])


def test_again_and_stronger(session: gpurun.Session, other: gpurun.Session) -> None:
    options: dict[str, Any] = {"carry": CARRY, "record": RECORD}

    def until(result: gpurun.RunResult) -> Any:
        return result["spikes.count"].sum() >= 70

    shown = list(
        present(session, stream(), target="pixels.rates", until=until, attempts=5, boost=0.7,
                seed=3, **options)
    )  # fmt: skip
    seed: int | None = 3
    for number, one in enumerate(shown):
        attempt = 0
        result = other.run({"pixels.rates": rates(IMAGES)[number]}, seed=seed, **options)
        seed = None
        while attempt < 4 and not until(result):
            attempt += 1
            value = rates(IMAGES)[number] * (1 + 0.7 * attempt)
            result = other.run({"pixels.rates": value}, **options)
        assert one.attempts == attempt + 1
        assert one.satisfied == bool(until(result))
        assert np.array_equal(one.result["feed.w"], result["feed.w"])
    assert {one.attempts for one in shown} > {1}


def test_boost_by_a_function(session: gpurun.Session) -> None:
    given = []

    def boost(value: Any, attempt: int) -> Any:
        given.append((attempt, value.sum()))
        return value * 0

    (shown,) = present(session, [rates(IMAGES)[0]], target="pixels.rates", boost=boost,
                       until=lambda result: False, attempts=3)  # fmt: skip
    assert shown.attempts == 3 and not shown.satisfied
    assert [attempt for attempt, _ in given] == [1, 2]


def test_further_overrides(session: gpurun.Session) -> None:
    seen = []

    def overrides(stimulus: Any, attempt: int) -> dict[str, Any]:
        seen.append((stimulus.index, attempt))
        return {"cells.v": 0.1 * stimulus.index}

    shown = present(session, stream(), target="pixels.rates", overrides=overrides,
                    record=["cells.v"], duration=0 * ms)  # fmt: skip
    for number, one in enumerate(shown):
        assert np.allclose(one.result["cells.v"], 0.1 * number)
    assert seen == [(number, 0) for number in range(10)]
    fixed = present(session, stream(), target="pixels.rates", overrides={"cells.v": 0.7},
                    record=["cells.v"], duration=0.0)  # fmt: skip
    assert np.allclose(next(fixed).result["cells.v"], 0.7)


def test_again_without_boost(script: models.Script, session: gpurun.Session) -> None:
    """Also for what cannot be multiplied."""
    for stimuli, target in (([([0], [0.001])], script.objects.gen), ([{"cells.v": 0.5}], None)):
        (shown,) = present(session, stimuli, target=target, attempts=np.int64(3),
                           until=lambda result: False, record=["spikes.count"])  # fmt: skip
        assert shown.attempts == 3


def test_an_expression_for_a_subgroup(script: models.Script, session: gpurun.Session) -> None:
    part = script.objects.cells[2:4]
    session.write({"cells.theta": np.arange(6.0)})
    next(present(session, [{}], before=[(part.v, "theta * 0.01")], duration=0.0))
    assert session.read("cells.v").tolist() == [0, 0, 0.02, 0.03, 0, 0]


def test_a_blank_period(session: gpurun.Session, other: gpurun.Session) -> None:
    shown = list(present(session, stream(), target="pixels.rates", carry=CARRY, record=RECORD,
                         blank=15 * ms, seed=2))  # fmt: skip
    for number, one in enumerate(shown):
        result = other.run({"pixels.rates": rates(IMAGES)[number]}, carry=CARRY, record=RECORD,
                           seed=None if number else 2)  # fmt: skip
        other.write({"pixels.rates": 0.0})
        after = other.advance(0.015, record=["seen.count"])
        assert np.array_equal(one.result["spikes.count"], result["spikes.count"])
    assert_same(state(session), state(other))
    # Silence indeed: nothing more than what the run itself had
    result = other.run({"pixels.rates": rates(IMAGES)[0]}, record=["seen.count"])
    other.write({"pixels.rates": 0.0})
    after = other.advance(0.1, record=["seen.count"])
    assert np.array_equal(after["seen.count"], result["seen.count"])
    assert session.t == pytest.approx(0.035)


# -- other targets and stimuli -------------------------------------------------------------------


def test_a_film(script: models.Script, session: gpurun.Session) -> None:
    films = RANDOM.random((5, 4, 6)) * 3
    batch = StimulusBatch.of(films, device="cpu")
    shown = present(session, batch, target=script.objects.film, record=["cells.v", "spikes.count"])
    with script.model.session() as by_hand:
        for number, one in enumerate(shown):
            result = by_hand.run({"film": films[number]}, record=["cells.v"])
            assert np.array_equal(one.result["cells.v"], result["cells.v"])
    assert shown.total == 5


def test_spike_times(script: models.Script, session: gpurun.Session) -> None:
    lists = [([0], [0.001]), ([0, 1, 2], [0.001, 0.002, 0.003]), ([], [])]
    shown = list(present(session, lists, target=script.objects.gen, record=["spikes.count"],
                         blank=5 * ms))  # fmt: skip
    assert [one.result["spikes.count"].tolist() for one in shown] == [
        [1, 0, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0], [0] * 6,
    ]  # fmt: skip
    with pytest.raises(StimulusError, match="cannot be multiplied"):
        list(present(session, lists, target="gen", until=lambda r: False, attempts=2, boost=1.0))


def test_stimuli_that_are_overrides(session: gpurun.Session) -> None:
    stimuli = [{"cells.v": 0.25}, [("cells.v", 0.5), ("cells.theta", 1.0)]]
    shown = list(present(session, stimuli, record=["cells.v"], duration=0 * second))
    assert [one.result["cells.v"][0] for one in shown] == [0.25, 0.5]
    lazily = present(session, iter(stimuli), duration=0.0)
    assert lazily.total is None and len(list(lazily)) == 2


def test_python_between_two_stimuli(session: gpurun.Session, other: gpurun.Session) -> None:
    for one in present(
        session, stream(), target="pixels.rates", carry=CARRY, record=RECORD, seed=1
    ):
        if one.done == 5:
            session.modify("feed.w", lambda w: w * 0.5)
    for number in range(10):
        other.run({"pixels.rates": rates(IMAGES)[number]}, carry=CARRY, seed=None if number else 1)
        if number == 4:
            other.write({"feed.w": other.read("feed.w") * 0.5})
    assert_same(state(session), state(other))


# -- evaluation, checkpoints, reports ------------------------------------------------------------


def train(session: gpurun.Session, **options: Any) -> Any:
    return present(session, stream(epochs=2, shuffle=4), target="pixels.rates", carry=CARRY,
                   before={"feed.w": NormaliseWeights(4.0)}, record=RECORD,
                   **{"seed": 9, **options})  # fmt: skip


def test_an_evaluation_leaves_no_trace(session: gpurun.Session, other: gpurun.Session) -> None:
    def evaluate(evaluated: gpurun.Session) -> float:
        assert evaluated is session
        session.write({"feed.w": 0.0})
        shown = present(session, stream(), target="pixels.rates", record=["spikes.count"])
        return float(sum(one.result["spikes.count"].sum() for one in shown))

    shown = list(train(session, evaluate=evaluate, evaluate_every=8))
    plain = list(train(other))
    assert [facts(one) for one in shown] == [facts(one) for one in plain]
    assert_same(state(session), state(other))
    assert [one.done for one in shown if one.evaluation is not None] == [8, 16]
    assert session.snapshots == ()


@pytest.mark.parametrize("stop", [0, 1, 5, 6, 13, 20])
def test_resumed_it_goes_on_as_if_nothing_had_been(
    script: models.Script, other: gpurun.Session, tmp_path: Path, stop: int
) -> None:
    path = tmp_path / "train.h5"
    options: dict[str, Any] = {"checkpoint": path, "checkpoint_every": 3, "resume": True}
    whole = list(train(other))
    with script.model.session() as session:
        shown = train(session, **options)
        first = [next(shown) for _ in range(stop)]
        if stop == 20:
            assert list(shown) == []
        # A kill: nothing more is saved
        del shown
    saved = 20 if stop == 20 else max(0, (stop - 1) // 3 * 3)
    with script.model.session() as session:
        shown = train(session, **options)
        assert shown.done == saved and shown.total == 20
        rest = list(shown)
        assert_same(state(session), state(other))
    assert [facts(one) for one in first[:saved] + rest] == [facts(one) for one in whole]


def test_resumed_from_the_middle(session: gpurun.Session, tmp_path: Path) -> None:
    path = tmp_path / "new" / "train.h5"
    options: dict[str, Any] = {"target": "pixels.rates", "checkpoint": path, "resume": True}
    for expected in (list(range(4, 7)), list(range(7, 10)), []):
        with present(session, stream().starting_at(4), checkpoint_every=1, **options) as shown:
            assert shown.total == 10
            found = []
            for one in shown:
                found.append(one.stimulus.index)
                assert one.done == one.stimulus.index + 1
                if len(found) == 4:
                    # The fourth is not saved, and so it comes again
                    break
        assert found[:3] == expected


def test_evaluations_may_be_nested(session: gpurun.Session, other: gpurun.Session) -> None:
    def outer(evaluated: gpurun.Session) -> Any:
        options = {"evaluate": lambda inside: inside.run(seed=3) and 5, "evaluate_every": 4}
        inner = present(evaluated, stream(), target="pixels.rates", duration=1 * ms, **options)
        return [one.evaluation for one in inner]

    shown = list(train(session, evaluate=outer, evaluate_every=15))
    assert [one.evaluation for one in shown if one.evaluation] == [[None] * 3 + [5] + [None] * 3
                                                                   + [5] + [None] * 2]  # fmt: skip
    list(train(other))
    assert_same(state(session), state(other))


def test_a_checkpoint_of_another_stream(session: gpurun.Session, tmp_path: Path) -> None:
    path = tmp_path / "train.h5"
    list(train(session, checkpoint=path))
    options: dict[str, Any] = {"target": "pixels.rates", "checkpoint": path, "resume": True}
    with pytest.raises(CheckpointError, match="another order"):
        present(session, stream(shuffle=5), **options)
    session.save(path)
    with pytest.raises(CheckpointError, match=r"not saved by present\(\)"):
        present(session, stream(), **options)
    list(train(session, checkpoint=path))  # without resume it begins anew
    with pytest.raises(StimulusError, match="StimulusStream"):
        present(session, [1], target="pixels.rates", checkpoint=path)
    with pytest.raises(StimulusError, match="nothing to resume"):
        present(session, stream(), target="pixels.rates", resume=True)


def test_reports(session: gpurun.Session, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[LoopProgress] = []
    called = []
    shown = present(session, stream(), target="pixels.rates", report=told.append,
                    report_period=1e-9, callbacks=[called.append], duration=1 * ms)  # fmt: skip
    assert list(shown) == called and len(called) == 10
    assert [one.done for one in told] == list(range(1, 11))
    assert told[-1].total == 10 and told[-1].left == 0 and told[0].rate > 0
    assert shown.waited >= shown.waited_first > 0
    assert shown.waited == pytest.approx(sum(one.wait_time for one in called))
    list(present(session, stream(), target="pixels.rates", report="text", duration=1 * ms))
    assert "stimulus 10 of 10 (100%)" in capsys.readouterr().out
    list(present(session, [], target="pixels.rates", report="text"))


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"target": "pixels.rate"}, UnknownVariableError, "pixels.rates"),
        ({"target": "spikes"}, StimulusError, "'spikes' is a monitor"),
        ({"carry": "feed.w"}, OverrideError, r"carry=\[\.\.\.\]"),
        ({"attempts": 0}, StimulusError, "attempts"),
        ({"boost": "more"}, StimulusError, "boost is a number or a function"),
        ({"until": 3}, StimulusError, "until is a function"),
        ({"evaluate": 3}, StimulusError, "evaluate is a function"),
        ({"evaluate_every": 0}, StimulusError, "evaluate_every"),
        ({"duration": 1e-5}, DurationError, "multiple"),
        ({"blank": -1 * ms}, DurationError, "negative"),
        ({"before": {"feed.w": 3}}, StimulusError, r"'feed\.w' before.*not 3"),
        ({"before": {"feed.w": "w +"}}, StimulusError, r"'w \+' cannot be used"),
        ({"before": {"feed.w": "w + u"}}, StimulusError, r"no variable 'u', but .*w, x, i, j"),
        ({"before": {"feed.w": "w.sum()"}}, StimulusError, "cannot be in one"),
        ({"before": {"feed.w": "max(w, 0)"}}, StimulusError, "takes 1 argument.*maximum"),
        ({"before": {"feed.w": "mean(w, j)"}}, StimulusError, "'mean' takes 1 argument"),
        ({"before": {"feed.w": "0 < w < 1"}}, StimulusError, "compares twice"),
        ({"before": {"feed.w": "w @ w"}}, StimulusError, "no number"),
        ({"before": {"feed.w": "'a'"}}, StimulusError, "no number"),
        ({"view": True, "blank": 1 * ms}, StimulusError, "blank period"),
        ({"record": ["cells.u"]}, UnknownVariableError, "cells"),
        ({"before": {"feed.w": "sum(w, x)"}}, StimulusError, "second argument of sum is i or j"),
        ({"before": {"cells.v": "sum(v, i)"}}, StimulusError, "'cells' is no Synapses"),
        ({"before": {"jolt.delay": "0"}}, OverrideError, "delay"),
        ({"before": {"feed.w": NormaliseWeights(78 * mV)}}, UnitMismatchError, "total"),
        ({"report": "loud"}, ConfigError, "report='loud'"),
        ({"callbacks": print}, StimulusError, "callbacks is a list of functions"),
        ({"before": {"feed.w": "open(w)"}}, StimulusError, "no function 'open'"),
        ({"before": {"cells.v": NormaliseWeights(1.0)}}, StimulusError, "variable of a Synapses"),
        ({"before": {"cells.v": "v + i + j"}}, StimulusError, "no variable 'j'"),
        ({"before": {"feed.u": "u"}}, UnknownVariableError, r"feed\.u"),
    ],
)  # fmt: skip
def test_what_is_refused_at_once(
    session: gpurun.Session, options: dict, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        present(session, stream(), **{"target": "pixels.rates", **options})


def test_units_of_encoders(session: gpurun.Session) -> None:
    hertz = StimulusStream(IMAGES, Hertz(), device="cpu")
    with pytest.raises(UnitMismatchError, match=r"rates in hertz.*'cells\.rest' has the unit V"):
        present(session, hertz, target="cells.rest")
    assert len(list(present(session, hertz, target="pixels.rates", duration=1 * ms))) == 10


def test_a_bad_stimulus_takes_nothing_back(session: gpurun.Session) -> None:
    shown = present(session, [rates(IMAGES)[0], np.zeros(5)], target="pixels.rates", carry=CARRY)
    first = next(shown)
    before = state(session)
    with pytest.raises(ShapeMismatchError, match=r"pixels\.rates.*\(12,\).*\(5,\)"):
        next(shown)
    assert_same(state(session), before)
    assert first.done == shown.done == 1


@pytest.mark.parametrize(
    ("total", "by"),
    [(np.nan, "post"), ("abc", "post"), (None, "post"), (1.0, "both"), ([1.0, 2.0], "pre")],
)
def test_normalise_weights_refuses(total: Any, by: str) -> None:
    with pytest.raises(StimulusError, match=r"total is one|by is"):
        NormaliseWeights(total, by)
