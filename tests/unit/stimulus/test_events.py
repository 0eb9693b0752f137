"""Events of a vision sensor in frames."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import Hz, ms
from hypothesis import strategies as st

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.events import EventsToFrames, events_to_frames

TONIC = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
SIZE = (5, 3, 2)

EVENT = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 20_000), st.booleans())
RECORDING = st.lists(EVENT, max_size=40).map(lambda events: np.array(events, TONIC))


def naive(events: np.ndarray, steps: int, step_of: Any) -> np.ndarray:
    frames = np.zeros((steps, 2, 3, 5), int)
    for x, y, t, p in events.tolist():
        if t >= 0 and step_of(t) < steps:
            frames[step_of(t), int(p), y, x] += 1
    return frames


@hypothesis.given(events=RECORDING, dt=st.sampled_from([1, 999, 1000, 7001]))
def test_a_time_step(events: np.ndarray, dt: int) -> None:
    frames = events_to_frames(events, SIZE, dt=dt * 1e-6, duration=10 * dt * 1e-6, start=0)
    assert frames.shape == (10, 2, 3, 5) and frames.dtype == np.int32
    np.testing.assert_array_equal(frames, naive(events, 10, lambda t: t // dt))
    if len(events):
        whole = events_to_frames(events, SIZE, dt=1 * ms)
        first = events["t"].min()
        moved = events.copy()
        moved["t"] -= first
        steps = int(moved["t"].max()) // 1000 + 1
        np.testing.assert_array_equal(whole, naive(moved, steps, lambda t: t // 1000))
        assert whole.sum() == len(events)


@hypothesis.given(events=RECORDING, steps=st.integers(1, 30))
def test_a_number_of_steps(events: np.ndarray, steps: int) -> None:
    frames = events_to_frames(events, SIZE, steps=steps, duration=9 * ms, start=2 * ms)
    moved = events.copy()
    moved["t"] -= 2000
    np.testing.assert_array_equal(frames, naive(moved, steps, lambda t: t * steps // 9000))
    # Without a duration all events are in
    assert events_to_frames(events, SIZE, steps=steps).sum() == len(events)


def test_steps_and_time_step() -> None:
    events = np.array([(0, 0, 2_999, 1), (0, 0, 3_000, 1)], TONIC)
    frames = events_to_frames(events, SIZE, dt=1 * ms, steps=3, start=0)
    assert frames.shape == (3, 2, 3, 5) and frames.sum() == 1 and frames[2, 1, 0, 0] == 1


@pytest.mark.parametrize("polarity", ["?", "i1", "u1"])
def test_polarities(polarity: str) -> None:
    fields = [("t", "<u4"), ("x", "<u2"), ("y", "<u2"), ("p", polarity)]
    off = -1 if polarity == "i1" else 0
    events = np.array([(5, 1, 2, 1), (6, 1, 2, off), (7, 1, 2, off)], fields)
    assert events_to_frames(events, SIZE, steps=1)[0, :, 2, 1].tolist() == [2, 1]
    assert events_to_frames(events, (5, 3), steps=1)[0, :, 2, 1].tolist() == [2, 1]
    assert events_to_frames(events, (5, 3, 1), steps=1)[0, :, 2, 1].tolist() == [3]


@hypothesis.given(recordings=st.lists(RECORDING, max_size=4))
def test_several_recordings(recordings: list[np.ndarray]) -> None:
    encoder = EventsToFrames(SIZE, steps=4, duration=20 * ms)
    frames = encoder(recordings)
    assert frames.shape == (len(recordings), 4, 2, 3, 5)
    for recording, one in zip(recordings, frames, strict=True):
        np.testing.assert_array_equal(encoder(recording), one)


def test_recordings_of_different_length() -> None:
    short, long = (np.array([(0, 0, 0, 1), (0, 0, end, 1)], TONIC) for end in (999, 3500))
    encoder = EventsToFrames(SIZE, dt=1 * ms)
    assert encoder(short).shape[0] == 1 and encoder(long).shape[0] == 4
    with pytest.raises(StimulusError, match="from 1 to 4 time steps"):
        encoder([short, long])


def test_events_that_are_none() -> None:
    ok = np.array([(0, 0, 0, 1)], TONIC)
    for x, y in ((5, 0), (0, 3), (-1, 0)):
        wrong = ok.copy()
        wrong["x"], wrong["y"] = x, y
        with pytest.raises(StimulusError, match="sensor_size") as caught:
            events_to_frames(wrong, SIZE, steps=1)
        assert caught.value.fields["name"] == "sensor_size"
    for wrong, text in ((np.zeros((1, 4)), "structured"), (ok[["x", "y", "t"]], r"\['x', 'y'")):
        with pytest.raises(StimulusError, match=text) as caught:
            events_to_frames(wrong, SIZE, steps=1)
        assert caught.value.fields["name"] == "events"
    with pytest.raises(StimulusError, match="300 events in a time step"):
        events_to_frames(np.repeat(ok, 300), SIZE, steps=1, dtype="uint8")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: EventsToFrames(SIZE), "dt"),
        (lambda: EventsToFrames(SIZE, duration=1), "dt"),
        (lambda: EventsToFrames(SIZE, dt=1, steps=2, duration=2), "duration"),
        (lambda: EventsToFrames(SIZE, dt=1e-3, duration=1.5e-3), "duration"),
        (lambda: EventsToFrames(SIZE, dt=1.5e-6), "dt"),
        (lambda: EventsToFrames(SIZE, dt=1e-10), "dt"),
        (lambda: EventsToFrames(SIZE, steps=0), "steps"),
        (lambda: EventsToFrames((5, 3, 3), steps=1), "sensor_size"),
        (lambda: EventsToFrames((5,), steps=1), "sensor_size"),
        (lambda: EventsToFrames(5, steps=1), "sensor_size"),
        (lambda: EventsToFrames((0, 3), steps=1), "sensor_size"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_units_are_checked() -> None:
    with pytest.raises(UnitMismatchError):
        EventsToFrames(SIZE, dt=3 * Hz)
