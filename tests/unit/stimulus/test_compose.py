"""Stages one after the other."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from brian2.units import mV

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.compose import Compose
from gpurun.stimulus.encoders.rates import Rates
from gpurun.stimulus.encoders.spike_trains import BernoulliSpikes, PoissonSpikes
from gpurun.stimulus.encoders.temporal import Phase
from gpurun.stimulus.encoders.transforms import Contrast, Normalise, Scale

IMAGES = np.random.default_rng(3).random((3, 4, 5))


def inverted(images: Any) -> Any:
    return 1 - images


def test_stages_are_applied_in_order() -> None:
    encode = Compose(Normalise("maximum"), inverted, Rates(maximum=10))
    expected = 10 * (1 - IMAGES / IMAGES.max(axis=(1, 2), keepdims=True)).reshape(3, 20)
    np.testing.assert_allclose(encode(IMAGES), expected)
    assert encode.unit == "Hz" and encode.random is False
    assert Compose(inverted, Scale()).unit is None
    # What a function makes of it, nobody knows
    assert Compose(Phase(), np.sum).unit is None


def test_nested_is_flat() -> None:
    inner = Compose(Scale(), inverted)
    outer = Compose(inner, Compose(Compose(Rates(maximum=1))))
    assert outer == Compose(Scale(), inverted, Rates(maximum=1))
    assert hash(outer) == hash(Compose(Scale(), inverted, Rates(maximum=1)))
    np.testing.assert_array_equal(outer(IMAGES), Rates(maximum=1)(inverted(IMAGES)))


def test_pickles_with_functions_by_name() -> None:
    encode = Compose(Scale(), inverted, BernoulliSpikes(4), Contrast(), BernoulliSpikes(4))
    copy = pickle.loads(pickle.dumps(encode))
    assert copy == encode and repr(copy) == repr(encode)
    np.testing.assert_array_equal(copy(IMAGES, first=3), encode(IMAGES, first=3))


def test_random_stages_are_told_the_presentation() -> None:
    told = []

    class Own:
        random = True

        def __call__(self, images: Any, *, first: int) -> Any:
            told.append(first)
            return images

    encode = Compose(Scale(), Own(), inverted, Own())
    assert encode.random is True
    encode(IMAGES, first=9)
    assert told == [9, 9]


def test_random_stages_draw_independently() -> None:
    spikes = np.full((50, 40), 0.5)
    # As probabilities of 0.5 again, so that the second stage's draws show
    halved = Contrast(gain=0.0, offset=0.5)
    one = BernoulliSpikes(20, seed=6)
    encode = Compose(one, halved, one)
    first, second = encode.stages[0], encode.stages[2]
    assert first == one and second == BernoulliSpikes(20, seed=6, stream=1)
    a = one(spikes).astype(float)
    # The same shape for both: one row of values for each image
    b = Compose(one, lambda x: np.full((50, 40), 0.5), one)(spikes).astype(float)
    assert a.shape == b.shape
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)


def test_streams_are_numbered() -> None:
    one, other = BernoulliSpikes(2), BernoulliSpikes(3, 0.5)
    taken = BernoulliSpikes(2, stream=1)
    encode = Compose(one, taken, other, Compose(one, one), BernoulliSpikes(2, seed=1))
    assert [stage.stream for stage in encode.stages] == [0, 1, 2, 3, 4, 0]  # type: ignore[attr-defined]
    # Other kinds have other numbers anyway
    poisson = PoissonSpikes(1e-3, 1e-4)
    assert Compose(one, poisson).stages == (one, poisson)


def test_errors_name_the_stage() -> None:
    encode = Compose(Scale(), Compose(Rates(maximum=5)))
    with pytest.raises(
        StimulusError, match=r"^stage 1, Rates\(maximum=5\.0.*intensities"
    ) as caught:
        encode(IMAGES * 3)
    assert caught.value.fields == {"name": "images"}
    with pytest.raises(UnitMismatchError, match=r"^stage 0, Scale"):
        encode(np.ones((1, 2)) * mV)

    def broken(images: Any) -> Any:
        raise KeyError("lost")

    with pytest.raises(KeyError) as error:
        Compose(Scale(), broken)(IMAGES)
    (note,) = error.value.__notes__
    assert "stage 1" in note and "broken" in note


def test_stages_are_checked() -> None:
    with pytest.raises(StimulusError, match="at least one"):
        Compose()
    with pytest.raises(StimulusError, match="not 'Scale'"):
        Compose("Scale")
    with pytest.raises(StimulusError, match=r"make one, with \(\)"):
        Compose(Scale)
