"""Images and trains as frames of a TimedArray."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import Hz, ms
from hypothesis import strategies as st

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.frames import Frames


@hypothesis.given(
    n=st.integers(0, 3),
    repeat=st.integers(1, 4),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    time=st.integers(1, 4),
    trains=st.booleans(),
)
def test_frames(n: int, repeat: int, before: int, after: int, time: int, trains: bool) -> None:
    batch = np.random.default_rng(1).random((n, time, 2, 3))
    frames = Frames(repeat, before, after, blank=-1, trains=trains)(batch)
    shown = batch.reshape(n, time, 6) if trains else batch.reshape(n, 1, 6 * time)
    expected = np.pad(
        shown.repeat(repeat, axis=1), ((0, 0), (before, after), (0, 0)), constant_values=-1
    )
    assert frames.dtype == np.float64
    np.testing.assert_array_equal(frames, expected)


def test_durations() -> None:
    encoder = Frames(repeat=350 * ms, before=0, after=0.15, dt=50 * ms)
    frames = encoder(np.full((2, 3), 200, np.uint8))
    assert frames.shape == (2, 10, 3) and encoder.repeat == pytest.approx(0.35)
    assert (frames[:, :7] == 200).all() and not frames[:, 7:].any()
    assert Frames(dtype="float32")(np.ones((1, 2), bool)).dtype == np.float32
    assert Frames(np.int64(3)) == Frames(3)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Frames(repeat=0), "repeat"),
        (lambda: Frames(before=-1), "before"),
        (lambda: Frames(repeat=350 * ms), "repeat"),
        (lambda: Frames(after=1.5), "after"),
        (lambda: Frames(repeat=True), "repeat"),
        (lambda: Frames(repeat=0.35, dt=0.1), "repeat"),
        (lambda: Frames(repeat=0.3, before=-0.1, dt=0.1), "before"),
        (lambda: Frames(dt=0), "dt"),
        (lambda: Frames(blank=np.nan), "blank"),
        (lambda: Frames(trains=True)(np.zeros(3)), "images"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_units_are_checked() -> None:
    with pytest.raises(UnitMismatchError):
        Frames(repeat=3 * Hz, dt=0.1)
