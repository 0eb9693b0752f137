"""Latency, phase and bursts: the formulas, and what makes a pixel earlier or its burst longer."""

from __future__ import annotations

import math
from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import ms, mV
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.temporal import Burst, Latency, Phase

INTENSITIES = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 3), st.integers(1, 20)), elements=st.floats(0, 1)
)


def test_latency_is_that_of_a_membrane() -> None:
    encoder = Latency(100 * ms, tau=20 * ms, threshold=0.3)
    levels = np.array([0.31, 0.5, 1.0])
    times = encoder(levels[None])[0]
    for level, time in zip(levels, times, strict=True):
        # v of tau dv/dt = x - v from 0 is at the threshold then
        assert level * (1 - math.exp(-time / 0.02)) == pytest.approx(0.3)
    silent = encoder(np.array([[0.0, 0.2, 0.3, np.nextafter(0.3, 1)]]))
    # The last one reaches the threshold long after the presentation
    assert np.isnan(silent).all()
    np.testing.assert_allclose(
        Latency(1, tau=0.02, threshold=1e-9)(np.ones((1, 1))), 0.02e-9, rtol=1e-8
    )


def test_linear_latency() -> None:
    encoder = Latency(50 * ms, linear=True, threshold=0)
    times = encoder(np.array([[255, 51, 0]], np.uint8))
    np.testing.assert_allclose(times, [[0.0, 0.04, np.nan]])


@pytest.mark.parametrize(
    "encoder",
    [Latency(0.05, tau=0.02, threshold=0.1), Latency(0.05, linear=True), Latency(1, tau=9e-3)],
)
@hypothesis.given(images=INTENSITIES)
def test_brighter_pixels_are_earlier(encoder: Latency, images: np.ndarray) -> None:
    times = encoder(images)
    assert times.dtype == np.float64 and times.shape == images.shape
    some = times[~np.isnan(times)]
    assert (some >= 0).all() and (some < encoder.duration).all()
    # nan, no spike, counts as later than all
    times = np.where(np.isnan(times), 9.0, times)
    for image, row in zip(images, times, strict=True):
        assert (np.diff(row[np.argsort(image)]) <= 0).all()


def test_phase_of_a_byte_is_the_byte() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    encoder = Phase(8, periods=3)
    spikes = encoder(pixels)
    assert spikes.shape == (2, 24, 128) and encoder.steps == 24
    for period in range(3):
        np.testing.assert_array_equal(
            np.packbits(spikes[:, 8 * period : 8 * period + 8], axis=1)[:, 0], pixels
        )
    # The weights give the value back
    values = np.einsum("s,nsp->np", encoder.weights, spikes) / 3 * 256
    np.testing.assert_array_equal(values, pixels)


@hypothesis.given(images=INTENSITIES, bits=st.integers(1, 30))
def test_phase_rounds(images: np.ndarray, bits: int) -> None:
    encoder = Phase(bits)
    values = np.einsum("s,nsp->np", encoder.weights, encoder(images)) * 2.0**bits
    assert (np.abs(values - images * (2.0**bits - 1)) <= 0.5 + 1e-6).all()


@hypothesis.given(
    images=INTENSITIES,
    spikes=st.integers(1, 6),
    shortest=st.integers(1, 3),
    longer=st.integers(0, 5),
)
def test_bursts(images: np.ndarray, spikes: int, shortest: int, longer: int) -> None:
    longest = shortest + longer
    encoder = Burst(50 * ms, 1 * ms, spikes=spikes, shortest=shortest * ms, longest=longest * ms)
    trains = encoder(images)
    assert trains.shape == (len(images), 50, images.shape[1]) and trains.dtype == bool
    for (n, pixel), x in np.ndenumerate(images):
        times = np.flatnonzero(trains[n, :, pixel])
        expected = math.ceil(spikes * x - 1e-9)
        assert len(times) == expected
        if expected:
            interval = math.ceil(longest - (longest - shortest) * x - 1e-9)
            np.testing.assert_array_equal(times, np.arange(expected) * interval)


def test_bursts_of_guo() -> None:
    encoder = Burst(10 * ms, 1 * ms)
    assert encoder.spikes == 5 and encoder.shortest == 2e-3 and encoder.longest == 2e-3
    bright = encoder(np.array([[255, 51, 52, 0]], np.uint8))
    assert np.flatnonzero(bright[0, :, 0]).tolist() == [0, 2, 4, 6, 8]
    # 51/255 * 5 is 1 and not a little more
    assert bright.sum(axis=1).tolist() == [[5, 1, 2, 0]]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Latency(0.1), "tau"),
        (lambda: Latency(0.1, tau=0.1, linear=True), "tau"),
        (lambda: Latency(0.1, tau=0.1, threshold=0), "threshold"),
        (lambda: Latency(0.1, tau=0.1, threshold=1), "threshold"),
        (lambda: Latency(-1, linear=True), "duration"),
        (lambda: Phase(0), "bits"),
        (lambda: Phase(31), "bits"),
        (lambda: Phase(8, 0), "periods"),
        (lambda: Burst(10e-3, 1e-3, spikes=0), "spikes"),
        (lambda: Burst(10e-3, 1e-3, shortest=1.5e-3), "shortest"),
        (lambda: Burst(10e-3, 1e-3, shortest=3e-3), "shortest"),
        (lambda: Burst(10e-3, 1e-3, shortest=3e-3, longest=3e-3), "duration"),
        (lambda: Burst(10.5e-3, 1e-3), "duration"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_units_are_checked() -> None:
    for make in (lambda: Latency(3 * mV, linear=True), lambda: Burst(1, 0.1, longest=3 * mV)):
        with pytest.raises(UnitMismatchError):
            make()
