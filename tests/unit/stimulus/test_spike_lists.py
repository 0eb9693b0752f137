"""Lists of spikes: order, time steps, and what a SpikeGeneratorGroup makes of them."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import StimulusError
from gpurun.model import SpikeGeneratorInfo
from gpurun.overrides import check_spikes
from gpurun.stimulus.encoders.spike_lists import SpikeLists, ToSpikeLists


@hypothesis.given(
    trains=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)),
    dt=st.sampled_from([1e-4, 5e-5, 3e-4, 1e-3]),
)
def test_trains(trains: np.ndarray, dt: float) -> None:
    lists = ToSpikeLists(dt)(trains)
    assert len(lists) == len(trains) and lists.offsets[-1] == trains.sum()
    assert lists.indices.dtype == np.int32 and lists.times.dtype == np.float64
    for (indices, times), train in zip(lists, trains, strict=True):
        expected = [(step * dt, pixel) for step, pixel in zip(*np.nonzero(train), strict=True)]
        assert list(zip(times, indices, strict=True)) == expected


@hypothesis.given(step=st.integers(0, 10**9), dt=st.sampled_from([1e-4, 5e-5, 3e-4, 1e-3, 0.7e-4]))
def test_steps_come_back_from_brian(step: int, dt: float) -> None:
    # From the time at the step's beginning, and from one just before it by a rounding
    times = np.array([[step * dt, np.nextafter(step * dt, 0)]])
    lists = ToSpikeLists(dt)(times)
    indices, found = lists[0]
    assert indices.tolist() == [0, 1] and found.tolist() == [step * dt] * 2
    assert (np.floor((found + 1e-3 * dt) / dt) == step).all()


@hypothesis.given(
    times=hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 5)),
        elements=st.one_of(st.floats(0, 0.01), st.just(np.nan)),
    )
)
def test_times(times: np.ndarray) -> None:
    dt = 1e-3
    lists = ToSpikeLists(dt)(times)
    assert len(lists) == len(times)
    info = SpikeGeneratorInfo(size=times.shape[2], dt=dt, period=0.0)
    for (indices, found), rows in zip(lists, times, strict=True):
        expected = sorted(
            {
                (int(np.floor((time + 1e-3 * dt) / dt)), pixel)
                for (_, pixel), time in np.ndenumerate(rows)
                if not np.isnan(time)
            }
        )
        assert [(step * dt, pixel) for step, pixel in expected] == list(
            zip(found, indices, strict=True)
        )
        # A session takes them as they are, in this order and in these steps
        _, _, steps = check_spikes("gen", info, indices, found)
        assert sorted(steps.tolist()) == [step for step, _ in expected]


def test_one_spike_for_each_pixel() -> None:
    lists = ToSpikeLists(1e-3)(np.array([[2.5e-3, np.nan, 0.1e-3], [np.nan] * 3]))
    assert [[part.tolist() for part in pair] for pair in lists] == [
        [[2, 0], [0.0, 0.002]],
        [[], []],
    ]


def test_parts() -> None:
    lists = ToSpikeLists(1.0)(np.array([[[1, 0]], [[0, 0]], [[1, 1]]], bool))
    assert repr(lists) == "<SpikeLists of 3 presentations, 3 spikes>"
    assert lists[-1][0].tolist() == [0, 1] and lists[1][0].tolist() == []
    part = lists[1:]
    assert isinstance(part, SpikeLists) and part.offsets.tolist() == [0, 0, 2]
    assert np.shares_memory(part.indices, lists.indices)
    assert len(lists[2:1]) == 0 and len(lists[5:9]) == 0
    assert lists.on_host() is lists
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            lists[wrong]
    with pytest.raises(StimulusError, match="without a step"):
        lists[::2]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3), bool),
        np.zeros((2, 3), int),
        np.zeros(2),
        np.zeros((2, 3, 4, 5)),
        np.array([[0.1, -0.1]]),
        np.array([[0.1, np.inf]]),
        np.array([[1e30, 0.0]]),
    ],
)
def test_something_else(wrong: Any) -> None:
    with pytest.raises(StimulusError) as caught:
        ToSpikeLists(1e-3)(wrong)
    assert caught.value.fields["name"] == "images"
