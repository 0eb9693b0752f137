"""Encoders and transforms give on a card, with the real CuPy, what they give on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpurun.stimulus.encoders import philox
from gpurun.stimulus.encoders.spike_lists import SpikeLists
from gpurun.stimulus.encoders.spike_trains import BernoulliSpikes, PoissonSpikes
from tests.unit.stimulus.encoder_cases import CASES, parts

cupy: Any = pytest.importorskip("cupy", reason="cupy is not installed")

SHAPES = [(1, 1), (7, 1), (3, 5), (2, 4, 3), (28, 28)]


def same(on_card: Any, on_host: Any) -> None:
    """Assert equal booleans, integers and random numbers, and floats equal but for rounding."""
    if isinstance(on_host, SpikeLists):
        assert isinstance(on_card.offsets, np.ndarray)
        np.testing.assert_array_equal(on_card.offsets, on_host.offsets)
        assert isinstance(on_card.indices, cupy.ndarray)
        on_card = on_card.on_host()
    else:
        assert isinstance(on_card, cupy.ndarray)
    for there, here in zip(parts(on_card), parts(on_host), strict=True):
        there = cupy.asnumpy(there)
        assert there.dtype == here.dtype and there.shape == here.shape
        if here.dtype.kind == "f":
            close = 1e-5 if here.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(there, here, rtol=close, atol=close)
        else:
            np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["uint8", "bool", "float32", "float64"])
def test_a_card_gives_what_the_host_gives(name: str, dtype: str) -> None:
    encoder, make = CASES[name]
    random = np.random.default_rng(17)
    for shape in SHAPES:
        if name == "pad" and shape == (28, 28):
            continue  # larger than what it pads to
        for n in (0, 1, 5):
            batch = make(random, n, shape, dtype)
            same(encoder(cupy.asarray(batch), first=3), encoder(batch, first=3))


@pytest.mark.parametrize("start", [0, 1, 7, 2**34 + 3, 2**66 - 5, 2**66, 2**100])
@pytest.mark.parametrize("count", [0, 1, 4, 1023, 100_000])
def test_words(start: int, count: int) -> None:
    key = philox.Draws(5, "test").key
    on_card = philox.words(cupy, key, start, count)
    assert isinstance(on_card, cupy.ndarray)
    np.testing.assert_array_equal(cupy.asnumpy(on_card), philox.words(np, key, start, count))


def test_more_words_than_threads() -> None:
    key = philox.Draws(5, "test").key
    count = 4 * (1 << 24) + 9  # a thread has more than one counter then
    on_card = cupy.asnumpy(philox.words(cupy, key, 2, count))
    np.testing.assert_array_equal(on_card[-999:], philox.words(np, key, 2 + count - 999, 999))
    np.testing.assert_array_equal(on_card[:999], philox.words(np, key, 2, 999))


@pytest.mark.parametrize("first", [0, 2**32 - 2, 2**50])
def test_batches_larger_than_a_piece(first: int) -> None:
    rates = np.random.default_rng(2).random((9, 784)) * 60
    encoder = PoissonSpikes(0.1, 1e-4, refractory=1e-3, seed=8)
    same(encoder(cupy.asarray(rates), first=first), encoder(rates, first=first))
    # One image that is more than a piece
    image = np.random.default_rng(3).random((2, 3, 160, 160))
    bernoulli = BernoulliSpikes(90)
    same(bernoulli(cupy.asarray(image), first=first), bernoulli(image, first=first))


@pytest.mark.parametrize("name", [name for name, (encoder, _) in CASES.items() if encoder.random])
def test_a_presentation_does_not_depend_on_its_batch(name: str) -> None:
    encoder, make = CASES[name]
    batch = cupy.asarray(make(np.random.default_rng(4), 6, (5, 4), "float64"))
    whole = encoder(batch, first=10)
    for a, b in ((0, 1), (2, 5), (3, 3), (0, 6)):
        part = encoder(batch[a:b], first=10 + a)
        for one, two in zip(parts(part), parts(whole[a:b]), strict=True):
            np.testing.assert_array_equal(cupy.asnumpy(one), cupy.asnumpy(two))


def test_the_current_stream_is_used() -> None:
    rates = cupy.full((20, 784), 50.0)
    expected = PoissonSpikes(0.05, 1e-4)(cupy.asnumpy(rates))
    cupy.cuda.get_current_stream().synchronize()
    with cupy.cuda.Stream(non_blocking=True) as stream:
        spikes = PoissonSpikes(0.05, 1e-4)(rates)
        found = cupy.asnumpy(spikes, stream=stream)
        stream.synchronize()
    np.testing.assert_array_equal(found, expected)
