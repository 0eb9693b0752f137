"""What all transforms and encoders have in common."""

from __future__ import annotations

import inspect
import pickle
import tracemalloc
from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import Hz, mV
from hypothesis import strategies as st

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders import philox
from gpurun.stimulus.encoders.population import Population
from gpurun.stimulus.encoders.rates import Rates
from gpurun.stimulus.encoders.spike_trains import PoissonSpikes
from gpurun.stimulus.encoders.transforms import Flatten, Normalise
from gpurun.stimulus.protocols import Encoder
from tests.unit.stimulus.card_arrays import CardArray
from tests.unit.stimulus.encoder_cases import CASES, DTYPES, parts

each = pytest.mark.parametrize("name", CASES)


@st.composite
def batches(draw: st.DrawFn, name: str) -> tuple[Any, np.ndarray]:
    """An encoder and a batch for it: no image or several, one pixel, odd shapes, channels."""
    encoder, make = CASES[name]
    n = draw(st.integers(0, 5))
    shape = draw(st.sampled_from([(1, 1), (3, 5), (7, 1), (2, 4, 3), (3, 4, 4), (1, 3, 6)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    batch = make(random, n, shape, draw(st.sampled_from(DTYPES)))
    if draw(st.booleans()):
        batch = np.asarray(batch, order="F")
    return encoder, batch


def same(one: Any, two: Any) -> None:
    for a, b in zip(parts(one), parts(two), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)


def called(encoder: Any, batch: Any, first: int) -> Any:
    return encoder(batch, first=first)


@each
@hypothesis.settings(max_examples=30)
@hypothesis.given(data=st.data())
def test_a_presentation_does_not_depend_on_its_batch(name: str, data: st.DataObject) -> None:
    encoder, batch = data.draw(batches(name))
    first = data.draw(st.sampled_from([0, 1, 7, 2**32 - 1, 2**40 + 3]))
    whole = called(encoder, batch, first)
    a = data.draw(st.integers(0, len(batch)))
    b = data.draw(st.integers(a, len(batch)))
    same(whole[a:b], called(encoder, batch[a:b], first + a))


@pytest.mark.parametrize("encoder", [Normalise("sum"), Normalise("standard"), Rates(total=9.0)])
def test_the_order_in_memory_does_not_show(encoder: Any) -> None:
    rows = np.random.default_rng(3).random((6, 500))
    expected = encoder(rows)
    for batch in (np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(encoder(batch), expected)
        for k in range(6):
            np.testing.assert_array_equal(encoder(batch[k : k + 1]), expected[k : k + 1])


@each
@hypothesis.settings(max_examples=10)
@hypothesis.given(data=st.data())
def test_an_array_of_a_card_stays_there(name: str, data: st.DataObject) -> None:
    encoder, batch = data.draw(batches(name))
    # Arrays of another library than NumPy have no order in memory
    batch = np.ascontiguousarray(batch)
    before = batch.copy()
    on_host = called(encoder, batch, 5)
    np.testing.assert_array_equal(batch, before)
    on_card = called(encoder, CardArray(batch), 5)
    np.testing.assert_array_equal(batch, before)
    for there, here in zip(parts(on_card), parts(on_host), strict=True):
        if there is not parts(on_card)[0] or len(parts(on_card)) == 1:
            # The offsets of lists are on the host
            assert isinstance(there, CardArray)
            there = there.to_device("cpu")
        assert there.dtype == here.dtype
        np.testing.assert_array_equal(there, here)


def test_the_stand_in_refuses_numpy() -> None:
    array = CardArray(np.ones(3))
    for wrong in (np.sum, np.exp, np.asarray, lambda a: np.ones(3) + a, lambda a: a + np.ones(3)):
        with pytest.raises((TypeError, AssertionError)):
            wrong(array)
    assert not hasattr(array.__array_namespace__(), "ascontiguousarray")


@each
def test_an_encoder_is_a_value(name: str) -> None:
    encoder, _ = CASES[name]
    assert isinstance(encoder, Encoder)
    assert type(encoder.random) is bool
    assert encoder.unit in (None, "Hz", "1", "s")
    copy = pickle.loads(pickle.dumps(encoder))
    assert copy == encoder and hash(copy) == hash(encoder) and copy is not encoder
    assert repr(copy) == repr(encoder)
    first = inspect.signature(encoder.__call__).parameters["first"]
    assert first.kind is first.KEYWORD_ONLY and first.default == 0


@pytest.mark.parametrize("name", [name for name, (encoder, _) in CASES.items() if encoder.random])
def test_seeded_encoders_draw_by_presentation(name: str) -> None:
    encoder, make = CASES[name]
    one = make(np.random.default_rng(1), 1, (6, 6), "float64")
    batch = np.repeat(one, 4, axis=0)
    result = encoder(batch, first=10)
    rows = [np.concatenate([np.ravel(part) for part in parts(result[k : k + 1])]) for k in range(4)]
    for k in range(3):
        assert not np.array_equal(rows[k], rows[k + 1])
    same(result, encoder(batch, first=10))
    with pytest.raises(StimulusError, match="'first' is the number of a presentation"):
        encoder(batch, first=-1)
    with pytest.raises(StimulusError, match="first"):
        encoder(batch, first=0.5)
    same(encoder(batch, first=np.int64(10)), result)


def test_temporaries_are_small() -> None:
    rates = np.full((20, 784), 20.0)
    for refractory in (0.0, 2e-3):
        encoder = PoissonSpikes(0.35, 1e-4, refractory=refractory)
        tracemalloc.start()
        try:
            spikes = encoder(rates)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert spikes.nbytes == 20 * 784 * 3500
        assert peak - spikes.nbytes < 64 * 2**20


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    at_once=st.integers(1, 300),
    n=st.integers(0, 4),
    steps=st.integers(1, 9),
    pixels=st.integers(1, 9),
)
def test_pieces_do_not_show(at_once: int, n: int, steps: int, pixels: int) -> None:
    draws = philox.Draws(7, "test")
    before = philox.AT_ONCE

    def all_of(limit: int) -> np.ndarray:
        out = np.zeros((n, steps, pixels), np.uint32)
        seen = np.zeros(out.shape, int)
        philox.AT_ONCE = limit
        try:
            for images, times, numbers in draws.pieces(np, 11, n, steps, pixels):
                assert numbers.size <= max(limit, pixels)
                out[images, times] = numbers
                seen[images, times] += 1
        finally:
            philox.AT_ONCE = before
        assert (seen == 1).all()
        return out

    np.testing.assert_array_equal(all_of(at_once), all_of(before))


def test_batches_that_are_none() -> None:
    for wrong, text in (
        ([[1.0]], "NumPy or CuPy array"),
        (np.float64(1.0), "float64"),
        (np.array(1.0), "without axes"),
        (np.array([[1j]]), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.zeros((2, 0, 3)), "no pixels"),
    ):
        with pytest.raises(StimulusError, match=text) as caught:
            Flatten()(wrong)
        assert caught.value.fields["name"] == "images"


def test_roundings_are_no_errors() -> None:
    bright = np.array([[1.0 + 1e-7, -1e-7, 0.5]])
    np.testing.assert_array_equal(Rates(maximum=2.0)(bright), [[2.0, 0.0, 1.0]])
    for wrong in (1.0 + 1e-5, -1e-5, np.nan, np.inf):
        with pytest.raises(StimulusError, match="intensities from 0 to 1"):
            Rates(maximum=2.0)(np.array([[0.5, wrong]]))


def test_quantities_are_checked() -> None:
    with pytest.raises(UnitMismatchError):
        Flatten()([1, 2] * mV)
    with pytest.raises(UnitMismatchError):
        PoissonSpikes(1e-3, 1e-4)(np.ones((1, 3)) * mV)
    rates = PoissonSpikes(1e-3, 1e-4)(np.ones((1, 3)) * Hz)
    assert type(rates) is np.ndarray


@pytest.mark.parametrize("encoder", [Flatten(), Normalise(), Rates(5.0), Population(3, 0, 1)])
def test_values_in_a_row_are_images_of_one_pixel(encoder: Any) -> None:
    values = np.array([0.25, 0.75])
    result = encoder(values)
    np.testing.assert_array_equal(np.reshape(result, (2, -1)), encoder(values[:, None]))
