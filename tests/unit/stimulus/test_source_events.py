"""Recordings of events as images."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from gpurun.errors import DatasetError, StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.events import events_to_frames
from gpurun.stimulus.protocols import Source
from gpurun.stimulus.sources import source as make_source
from gpurun.stimulus.sources.events import EventSource

FIELDS = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
SENSOR = (6, 4, 2)


class NMNIST:
    """As Tonic's data sets are."""

    sensor_size = SENSOR
    targets = (2, 0, 1, 2)

    def __init__(self) -> None:
        draw = np.random.default_rng(9).integers
        self.recordings = []
        for length in (40, 60, 0, 25):
            events = np.zeros(length, FIELDS)
            events["x"], events["y"] = draw(0, 6, length), draw(0, 4, length)
            events["t"], events["p"] = np.sort(draw(0, 30_000, length)), draw(0, 2, length)
            self.recordings.append(events)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.recordings[index], self.targets[index]


@pytest.mark.parametrize(
    "times", [{"steps": 5}, {"dt": 1e-3, "duration": 0.02}, {"dt": 2e-3, "steps": 3, "start": 1e-3}]
)
def test_images_are_the_frames_of_recordings(times: dict[str, Any]) -> None:
    dataset = NMNIST()
    made = EventSource(dataset, SENSOR, dtype="uint8", **times)
    frames = [events_to_frames(r, SENSOR, dtype="uint8", **times) for r in dataset.recordings]
    assert isinstance(made, Source) and made.count == 4
    assert made.shape == frames[0].shape and made.dtype == np.uint8
    assert made.labels is not None and made.labels.tolist() == [2, 0, 1, 2]
    images, labels = made.read([3, 1, 1, 2])
    assert np.array_equal(images, [frames[n] for n in (3, 1, 1, 2)]) and images.any()
    assert labels is not None and labels.tolist() == [2, 0, 0, 1]
    assert made.read([])[0].shape == (0, *made.shape)


def test_source_makes_it_where_a_sensor_is_given() -> None:
    made = make_source(NMNIST(), sensor_size=NMNIST.sensor_size, steps=4)
    assert isinstance(made, EventSource) and made.shape == (4, 2, 4, 6)
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.read([1])[0], made.read([1])[0])


def test_events_can_be_in_mappings() -> None:
    events = NMNIST().recordings[0]
    for items, options in (
        ([{"events": events, "label": 4}], {}),
        ([{"dvs": events, "class": 4}], {"events": "dvs", "label": "class"}),
        ([(4, events)], {"events": 1, "label": 0}),
    ):
        images, labels = EventSource(items, SENSOR, steps=3, **options).read([0])
        assert np.array_equal(images[0], events_to_frames(events, SENSOR, steps=3))
        assert labels is not None and labels.tolist() == [4]


def test_all_recordings_need_as_many_frames() -> None:
    with pytest.raises(StimulusError, match="'steps' or 'duration' besides 'dt'"):
        EventSource(NMNIST(), SENSOR, dt=1e-3)


def test_parameters_are_those_of_frames() -> None:
    with pytest.raises(StimulusError, match="sensor_size"):
        EventSource(NMNIST(), (6,), steps=3)
    from brian2.units import mV

    with pytest.raises(UnitMismatchError):
        EventSource(NMNIST(), SENSOR, steps=3, duration=3 * mV)


def test_what_is_wrong_with_a_recording_names_it() -> None:
    dataset = NMNIST()
    dataset.recordings[0]["x"] %= 5
    source = EventSource(dataset, (5, 4), steps=3)
    with pytest.raises(DatasetError, match=r"Item 1: Events have x from 0 to 5"):
        source.read([0, 1])
    with pytest.raises(DatasetError, match="Item 0 holds no events but ndarray"):
        EventSource([(np.zeros((3, 3)), 1)], SENSOR, steps=3)
    with pytest.raises(DatasetError, match=r"Item 0: .*fields x, y, t and p"):
        EventSource([(np.zeros(3, [("x", "i2")]), 1)], SENSOR, steps=3)
