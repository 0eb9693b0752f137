"""Thresholds are tested block by block: who spikes, and in which order, is as in Brian's code."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import EventMonitor, NeuronGroup, SpikeMonitor, linked_var
from brian2.units import ms

import gpurun
from tests.models import DT, new_script

#: Around the length of a block and of a word, and of several blocks.
SIZES = (1, 7, 8, 1023, 1024, 1025, 2500)
STEPS = 12


def _expected(start: np.ndarray) -> tuple[list[int], list[int]]:
    """Step and neuron of each spike: a unit a step up to 5, then from 0 after two steps' rest."""
    v, rest, spikes = start.copy(), np.zeros(start.size, int), []
    for step in range(STEPS):
        v += np.where(rest > 0, 0, 1)
        rest = np.maximum(rest - 1, 0)
        over = (v >= 5) & (rest == 0)
        spikes += [(step, int(i)) for i in np.flatnonzero(over)]
        rest[over], v[over] = 2, 0
    steps, neurons = zip(*spikes, strict=True)
    return list(steps), list(neurons)


@pytest.fixture(scope="module")
def sized() -> gpurun.Result:
    """Spikes and events of groups of each size."""
    new_script()
    kept = []
    for size in SIZES:
        group = NeuronGroup(
            size,
            "count : 1\nresting : integer",
            threshold="count >= 5 and resting == 0",
            reset="count = 0; resting = 2",
            events={"odd": "count % 2 > 0.5"},
            name=f"group{size}",
        )
        group.count = (np.arange(size) * 7919) % 6
        group.run_regularly(
            "count += int(resting == 0)\nresting = clip(resting - 1, 0, 2)", when="start"
        )
        kept += [
            group,
            SpikeMonitor(group, name=f"spikes{size}"),
            EventMonitor(group, "odd", name=f"odd{size}"),
        ]
    b2.Network(kept).run(STEPS * DT * b2.second)
    with gpurun.build().session() as session:
        monitors = [
            f"{kind}{size}.{part}" for kind in ("spikes", "odd") for size in SIZES for part in "it"
        ]
        return session.run(record=monitors)


@pytest.mark.parametrize("size", SIZES)
def test_spikes_are_in_order_whatever_the_size(sized: gpurun.Result, size: int) -> None:
    steps, neurons = _expected((np.arange(size) * 7919) % 6)
    assert sized[f"spikes{size}.i"].tolist() == neurons
    assert np.rint(sized[f"spikes{size}.t"] / DT).astype(int).tolist() == steps


@pytest.mark.parametrize("size", SIZES)
def test_events_are_too(sized: gpurun.Result, size: int) -> None:
    indices, times = sized[f"odd{size}.i"], np.rint(sized[f"odd{size}.t"] / DT)
    assert np.unique(times).size > 1 or size == 1
    order = np.lexsort((indices, times))
    assert order.tolist() == list(range(indices.size))
    at_first = indices[times == 0]
    count = (np.arange(size) * 7919) % 6 + 1
    assert at_first.tolist() == np.flatnonzero(count % 2 == 1).tolist()


def test_a_condition_sees_what_spikes_before_it_have_set() -> None:
    """In Brian's C++ each neuron comes after the one before it, with all that a spike sets."""
    new_script()
    size = 30
    group = NeuronGroup(
        size,
        "v : 1\nleft : second (linked)",
        threshold="v > 1 and left < t",
        refractory=10 * ms,
        name="cells",
    )
    group.left = linked_var(group, "lastspike", index=np.maximum(np.arange(size) - 1, 0))
    group.v = 2
    monitor = SpikeMonitor(group, name="spikes")
    b2.Network(group, monitor).run(1 * DT * b2.second)
    with gpurun.build().session() as session:
        assert session.run(record=["spikes.i"])["spikes.i"].tolist() == list(range(0, size, 2))
