"""Every benchmark case at its smallest size: it runs, and is the same network each time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest

from benchmarks.cases import _common, _diehl_cook, microcircuit, mushroom_body, switching
from gpurun.bench.suite import case as cases
from gpurun.bench.suite.case import CaseNetwork
from gpurun.errors import ConfigError

NAMES = cases.names()
SMALL = switching.SIZES["tiny"]


@contextlib.contextmanager
def in_numpy() -> Iterator[None]:
    """Brian's runtime mode without a compiler."""
    b2.set_device("runtime")
    before, step = b2.prefs["codegen.target"], b2.defaultclock.dt
    b2.prefs["codegen.target"] = "numpy"
    try:
        yield
    finally:
        b2.prefs["codegen.target"] = before
        b2.defaultclock.dt = step


@pytest.fixture(autouse=True)
def runtime() -> Generator[None]:
    with in_numpy():
        yield


def present(network: CaseNetwork, number: int = 0) -> None:
    """One presentation, by the case's description alone."""
    for name, value in (network.stimulus(number) if network.stimulus else {}).items():
        owner, attribute = network.of(name)
        setattr(owner, f"{attribute}_", value)
    # Not with what a test happens to call its variables
    network.network.run(network.duration * b2.second, namespace={})


def array(network: CaseNetwork, name: str) -> np.ndarray:
    owner, attribute = network.of(name)
    return np.asarray(getattr(owner, attribute))


def of_type(network: CaseNetwork, kind: type) -> list[Any]:
    return [one for one in network.objects.values() if isinstance(one, kind)]


def test_the_cases_that_there_are() -> None:
    assert set(NAMES) >= {
        "brunel", "cobahh", "cuba", "diehl_cook", "diehl_cook_stdp", "long_run", "microcircuit",
        "mushroom_body", "stdp", "sweep", "switching", "whole_brain",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_presentation(name: str) -> None:
    case = cases.load(name)
    network = case.create("tiny")
    assert network.duration < 0.1 and network.steps * network.dt == pytest.approx(network.duration)
    assert network.dt == pytest.approx(float(b2.defaultclock.dt))
    for key, one in network.objects.items():
        assert key == one.name or isinstance(one, b2.PoissonInput)
    present(network)
    for spikes in network.spikes:
        monitor = network.objects[spikes]
        assert monitor.num_spikes > 0
        rate = monitor.num_spikes / network.duration / len(monitor.source)
        assert rate < 250
    for read in (*network.reads, *network.distributions, *network.carry):
        assert np.isfinite(array(network, read)).all() and array(network, read).size
    for streamed in getattr(case.module, "STREAMED", ()):
        assert isinstance(network.objects[streamed], b2.SpikeMonitor | b2.StateMonitor)
    synapses = of_type(network, b2.Synapses)
    assert network.synapses == sum(len(one) for one in synapses)
    groups = [b2.NeuronGroup, b2.PoissonGroup, b2.SpikeGeneratorGroup]
    assert network.neurons == sum(len(one) for kind in groups for one in of_type(network, kind))


@pytest.mark.parametrize("name", NAMES)
def test_every_contender_has_the_same_network(name: str) -> None:
    case = cases.load(name)
    first, second = case.create("tiny"), case.create("tiny")
    assert list(first.objects) == list(second.objects)
    for key in first.objects:
        pair = first.objects[key], second.objects[key]
        if not isinstance(pair[0], b2.NeuronGroup | b2.Synapses):
            continue
        left, right = (one.get_states(units=False) for one in pair)
        assert left and set(left) == set(right)
        for variable, values in left.items():
            np.testing.assert_array_equal(values, right[variable], err_msg=f"{key}.{variable}")
        if isinstance(pair[0], b2.Synapses):
            delays = [np.array(one.delay) for one in pair]
            np.testing.assert_array_equal(*delays, err_msg=f"{key}.delay")


@pytest.mark.parametrize("name", NAMES)
def test_stimuli_are_the_same_each_time_and_fit(name: str) -> None:
    case = cases.load(name)
    network, other = case.create("tiny"), case.create("tiny")
    if network.stimulus is None or other.stimulus is None:
        assert network.stimulus is other.stimulus
        return
    seen = []
    for number in (0, 1, 1000):
        stimulus, again = network.stimulus(number), other.stimulus(number)
        assert set(stimulus) == set(again) and stimulus
        for key, value in stimulus.items():
            np.testing.assert_array_equal(value, again[key])
            assert np.shape(value) == np.shape(array(network, key)), key
            assert np.isfinite(value).all()
        seen.append(np.concatenate([np.ravel(value) for value in stimulus.values()]))
    assert not np.array_equal(seen[0], seen[1])
    # What is not overridden is the first stimulus
    for key, value in network.stimulus(0).items():
        np.testing.assert_array_equal(array(network, key), value, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    module = cases.load(name).module
    scaling = module.SCALING
    assert len(scaling) >= 3 and set(scaling) <= set(module.SIZES)
    assert next(iter(module.SIZES)) == "tiny"
    arguments = {tuple(size) for size in module.SIZES.values()}
    assert len(arguments) == 1
    # Nothing but the size, or nothing but the time, changes along the curve
    durations = {module.SIZES[size]["duration"] for size in scaling}
    assert len(durations) in (1, len(scaling))


@pytest.fixture(scope="module")
def one_by_one() -> np.ndarray:
    """Counts of a run for each stimulus."""
    found = []
    with in_numpy():
        for number in range(3):
            network = switching.create(**SMALL)
            present(network, number)
            found.append(np.array(network.objects["spikes"].count))
    return np.array(found)


@pytest.mark.parametrize("how", switching.HOW)
def test_a_long_run_counts_what_separate_runs_count(how: str, one_by_one: np.ndarray) -> None:
    network = switching.create_long(3, how, **SMALL)
    assert network.duration == pytest.approx(3 * SMALL["duration"])
    present(network)
    assert (one_by_one.sum(axis=1) > 0).all()
    np.testing.assert_array_equal(switching.counts_of(network, 3), one_by_one)


def test_stimuli_are_told_apart_at_their_very_ends() -> None:
    network = switching.create_long(2, "timed_array", **SMALL)
    length = SMALL["duration"]
    times = [0, length - network.dt, length, 2 * length - network.dt]
    counts = switching.counts_of(network, 2, [0, 3, 3, 19], times)
    assert np.argwhere(counts).tolist() == [[0, 0], [0, 3], [1, 3], [1, 19]]
    assert counts.sum() == 4 and counts.shape == (2, SMALL["neurons"])


def test_there_are_two_ways_to_switch() -> None:
    with pytest.raises(ConfigError, match=r"'by_hand' to switch: expected one of timed_array"):
        switching.create_long(2, "by_hand", **SMALL)


@pytest.mark.parametrize("probability", [0.001, 0.1, 0.9])
@pytest.mark.parametrize("apart", [False, True])
def test_random_pairs(probability: float, apart: bool) -> None:
    generator = np.random.default_rng(1)
    i, j = _common.random_pairs(generator, 300, 300, probability, apart=apart)
    place = i.astype(np.int64) * 300 + j
    assert (np.diff(place) > 0).all()
    assert i.min() >= 0 and i.max() < 300 and j.min() >= 0 and j.max() < 300
    assert not apart or (i != j).all()
    expected = 300 * (300 - apart) * probability
    assert abs(i.size - expected) < 5 * np.sqrt(expected * (1 - probability))
    # As many in the last rows as in the first
    late = np.count_nonzero(i >= 150)
    assert abs(late - i.size / 2) < 5 * np.sqrt(i.size) / 2 + 1


def test_all_pairs() -> None:
    i, j = _common.random_pairs(np.random.default_rng(1), 3, 2, 1.0)
    assert i.tolist() == [0, 0, 1, 1, 2, 2] and j.tolist() == [0, 1, 0, 1, 0, 1]


def test_pairs_are_drawn_to_the_end() -> None:
    # Gaps of one where the draw expects ten: it has to draw on
    generator: Any = SimpleNamespace(geometric=lambda p, size: np.ones(size, dtype=np.int64))
    i, j = _common.random_pairs(generator, 50, 20, 0.01)
    assert i.size == 1000 and np.array_equal(i * 20 + j, np.arange(1000))


def test_fixed_numbers_of_synapses() -> None:
    generator = np.random.default_rng(1)
    i, j = _common.fixed_number(generator, 40, 30, 5000)
    assert i.size == j.size == 5000 and set(i) == set(range(40)) and set(j) == set(range(30))
    assert (np.diff(i * 30 + j) >= 0).all()
    i, j = _common.fixed_indegree(generator, 40, 30, 7)
    assert np.bincount(j).tolist() == [7] * 30 and i.max() < 40
    assert (np.diff(i * 30 + j) >= 0).all()


def test_the_microcircuit_has_as_many_synapses_as_the_paper_says() -> None:
    assert microcircuit.NEURONS.sum() == 77_169
    assert microcircuit._synapses().sum() == pytest.approx(0.3e9, rel=0.01)
    # In full nothing has to be replaced
    assert not microcircuit._replacement(microcircuit._weights(), 1.0).any()


def test_an_odour_is_a_fifth_of_the_neurons() -> None:
    indices, times = mushroom_body.odours(np.random.default_rng(1), 0.5)
    found = np.unique(times)
    assert len(found) == 10
    assert np.allclose(found // mushroom_body.INTERVAL, np.arange(10))
    for time in found:
        together = indices[times == time]
        assert len(set(together)) == len(together) and 12 <= len(together) <= 20


@pytest.mark.parametrize("side", [8, 28])
def test_digits_are_enlarged_as_they_are(side: int) -> None:
    images = _diehl_cook.enlarged(side)
    assert images.shape == (1797, side**2)
    assert images.min() == 0 and images.max() == 1
    corners = np.linspace(0, side - 1, 8).round().astype(int)
    small = images.reshape(-1, side, side)[:, corners][:, :, corners].reshape(-1, 64)
    np.testing.assert_array_equal(small, _diehl_cook.enlarged(8))
