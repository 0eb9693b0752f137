"""Intensities to rates."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import Hz, kHz, second
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.rates import Rates


def test_rates_of_diehl_and_cook() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    rates = Rates(maximum=63.75 * Hz)(pixels)
    assert rates.shape == (1, 256) and rates.dtype == np.float64
    np.testing.assert_allclose(rates[0], np.arange(256) / 8 * 2, rtol=1e-15)


def test_a_floor_and_units() -> None:
    rates = Rates(maximum=0.1 * kHz, minimum=20 * Hz)
    assert rates == Rates(maximum=100.0, minimum=20.0) and rates.unit == "Hz"
    assert type(rates.maximum) is float
    np.testing.assert_allclose(rates(np.array([[0.0, 0.5, 1.0]])), [[20, 60, 100]])
    boolean = rates(np.array([[True, False]]))
    np.testing.assert_array_equal(boolean, [[100, 20]])


@hypothesis.given(
    images=hnp.arrays(
        np.float64, st.tuples(st.integers(0, 4), st.integers(1, 9)), elements=st.floats(0, 1)
    ),
    minimum=st.sampled_from([0.0, 3.0]),
)
def test_totals(images: np.ndarray, minimum: float) -> None:
    rates = Rates(total=50.0, minimum=minimum)(images)
    assert (rates >= minimum).all()
    for image, row in zip(images, rates, strict=True):
        if image.any():
            assert row.sum() == pytest.approx(50.0)
        else:
            assert (row == minimum).all()


def test_float32_on_request() -> None:
    assert Rates(maximum=50, dtype="float32")(np.ones((2, 3))).dtype == np.float32
    assert Rates(maximum=50)(np.ones((2, 3), np.float32)).dtype == np.float64


def test_a_full_scale_of_ones_own() -> None:
    rates = Rates(maximum=160, full_scale=16)(np.array([[0, 16, 4]], np.uint8))
    np.testing.assert_array_equal(rates, [[0, 160, 40]])
    with pytest.raises(StimulusError, match=r"reach from 0 to 1\.0625"):
        Rates(maximum=160, full_scale=16)(np.array([[0, 17]], np.uint8))
    signed = Rates(maximum=1, full_scale=10)
    with pytest.raises(StimulusError, match=r"reach from -0\.1"):
        signed(np.array([[-1, 4]]))
    with pytest.raises(StimulusError, match="full_scale"):
        Rates(maximum=1)(np.array([[1, 4]]))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Rates(), "maximum"),
        (lambda: Rates(maximum=1, total=1), "maximum"),
        (lambda: Rates(maximum=-1), "maximum"),
        (lambda: Rates(maximum=np.inf), "maximum"),
        (lambda: Rates(maximum=1, minimum=2), "maximum"),
        (lambda: Rates(maximum=np.ones(2)), "maximum"),
        (lambda: Rates(maximum=True), "maximum"),
        (lambda: Rates(total=5, minimum=2)(np.ones((1, 3))), "total"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_units_are_checked() -> None:
    for make in (lambda: Rates(maximum=3 * second), lambda: Rates(total=3 * second)):
        with pytest.raises(UnitMismatchError):
            make()
