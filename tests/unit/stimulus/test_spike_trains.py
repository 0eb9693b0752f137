"""Random trains: rates within bounds that chance breaks once in millions, with fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2.units import Hz, ms

from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders import philox
from gpurun.stimulus.encoders.spike_trains import BernoulliSpikes, PoissonSpikes

#: Standard deviations; beyond them by chance once in 1.7 million.
FAR = 5.0


def within(count: np.ndarray, trials: int, p: np.ndarray) -> None:
    """Assert that binomial counts are where they have to be."""
    far = FAR * np.sqrt(trials * p * (1 - p))
    assert (np.abs(count - trials * p) <= far + 1e-9).all()


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_bernoulli_probabilities(seed: int) -> None:
    intensity = np.array([0.0, 0.001, 0.1, 0.5, 0.9, 1.0])
    spikes = BernoulliSpikes(50, seed=seed)(np.tile(intensity, (2000, 1)))
    assert spikes.shape == (2000, 50, 6) and spikes.dtype == bool
    within(spikes.sum(axis=(0, 1)), 100_000, intensity)
    # Every step has the rate, and every image a count of a binomial distribution
    within(spikes.sum(axis=0), 2000, np.tile(intensity, (50, 1)))
    variance = spikes.sum(axis=1).var(axis=0)
    expected = 50 * intensity * (1 - intensity)
    np.testing.assert_allclose(variance[2:5], expected[2:5], rtol=FAR * np.sqrt(2 / 2000))


def test_certainties_are_exact() -> None:
    intensity = np.tile([1.0, 0.0], (100, 50))
    spikes = BernoulliSpikes(200)(intensity)
    np.testing.assert_array_equal(spikes, np.repeat(intensity[:, None, :], 200, axis=1))
    spikes = BernoulliSpikes(200)(intensity.astype(bool))
    np.testing.assert_array_equal(spikes, np.repeat(intensity[:, None, :], 200, axis=1))


@pytest.mark.parametrize("drawn", [0, 2**64 - 1])
def test_the_least_and_the_greatest_draw(monkeypatch: pytest.MonkeyPatch, drawn: int) -> None:
    monkeypatch.setattr(
        philox, "words", lambda xp, key, start, count: np.full(count, drawn, np.uint64)
    )
    p = np.array([[0.0, 2.0**-32, 0.5, 1 - 2.0**-32, 1.0]])
    expected = [False, True, True, True, True] if drawn == 0 else [False] * 4 + [True]
    assert BernoulliSpikes(1)(p)[0, 0].tolist() == expected


def test_the_equilibrium_is_drawn_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    words = philox.words
    monkeypatch.setattr(
        philox, "words", lambda xp, key, *where: (keys.append(key), words(xp, key, *where))[1]
    )
    PoissonSpikes(0.01, 1e-3, refractory=3e-3)(np.ones((1, 2)))
    assert len(keys) == len(set(keys)) == 2


def test_bernoulli_takes_a_probability() -> None:
    spikes = BernoulliSpikes(1000, probability=0.25)(np.full((10, 10), 255, np.uint8))
    within(spikes.sum(), 100_000, np.array(0.25))


def test_poisson_rates() -> None:
    rates = np.array([0.0, 5.0, 63.75, 500.0])
    encoder = PoissonSpikes(350 * ms, 0.5 * ms, seed=3)
    assert encoder.steps == 700
    spikes = encoder(np.tile(rates, (400, 1)) * Hz)
    assert spikes.shape == (400, 700, 4)
    within(spikes.sum(axis=(0, 1)), 280_000, rates * 0.5e-3)
    # Geometric intervals: another spike in the next step as often as ever
    follow = (spikes[:, 1:] & spikes[:, :-1]).sum(axis=(0, 1))
    within(follow[3], 400 * 699, np.array((500 * 0.5e-3) ** 2))


def test_trains_are_independent() -> None:
    spikes = BernoulliSpikes(400, seed=2)(np.full((40, 25), 0.3)).astype(float)
    trains = spikes.transpose(0, 2, 1).reshape(1000, 400)
    correlations = np.corrcoef(trains)[np.triu_indices(1000, 1)]
    # The largest of half a million normal numbers is below 6 standard deviations
    assert np.abs(correlations).max() < 6 / np.sqrt(400)
    assert abs(correlations.mean()) < FAR / np.sqrt(400 * len(correlations))
    others = {
        "seed": BernoulliSpikes(400, seed=3),
        "stream": BernoulliSpikes(400, seed=2, stream=1),
        "kind": PoissonSpikes(0.4, 1e-3, seed=2),
    }
    for name, encoder in others.items():
        images = np.full((40, 25), 300.0 if name == "kind" else 0.3)
        other = encoder(images).astype(float)
        assert abs(np.corrcoef(spikes.ravel(), other.ravel())[0, 1]) < FAR / np.sqrt(400_000), name


@pytest.mark.parametrize("refractory", [2, 3, 10])
@pytest.mark.parametrize("seed", [0, 8])
def test_refractory_trains(refractory: int, seed: int) -> None:
    rates = np.array([0.0, 5.0, 40.0, 0.95 * 1000 / refractory, 1000 / refractory])
    encoder = PoissonSpikes(0.5, 1e-3, refractory=refractory * 1e-3, seed=seed)
    n = 1000
    spikes = encoder(np.tile(rates, (n, 1)))
    times, where = np.nonzero(spikes.transpose(0, 2, 1).reshape(-1, 500).T)
    order = np.lexsort((times, where))
    intervals = np.diff(times[order])[np.diff(where[order]) == 0]
    assert intervals.min() == refractory
    # Fewer than a Poisson process would vary: its bounds hold with room
    within(spikes.sum(axis=(0, 1)), 500 * n, rates * 1e-3)
    # The rate is there from the first step on: no burst at the beginning, no silence
    within(spikes[:, : 2 * refractory].sum(axis=0), n, np.tile(rates * 1e-3, (2 * refractory, 1)))
    # At the highest rate there is one spike in each period, at a random phase
    assert (np.diff(np.nonzero(spikes[:, :, 4])[1])[:5] == refractory).all()
    phases = spikes[:, :refractory, 4]
    assert (phases.sum(axis=1) == 1).all()


def test_refractory_intervals_are_geometric() -> None:
    spikes = PoissonSpikes(100.0, 1e-3, refractory=5e-3)(np.full((1, 20), 50.0))
    q = 0.05 / (1 - 0.05 * 4)
    intervals = np.concatenate([np.diff(np.flatnonzero(train)) for train in spikes[0].T])
    for k in range(4):
        share = (intervals == 5 + k).sum()
        within(np.array(share), len(intervals), np.array(q * (1 - q) ** k))


def test_a_refractory_period_of_a_step_or_less_changes_nothing() -> None:
    rates = np.full((3, 4), 100.0)
    plain = PoissonSpikes(50 * ms, 1 * ms)(rates)
    for refractory in (0.2 * ms, 1 * ms):
        again = PoissonSpikes(50 * ms, 1 * ms, refractory=refractory)(rates)
        np.testing.assert_array_equal(again, plain)
    # 1.2 ms are rounded up to two steps, so that no interval is shorter
    spikes = PoissonSpikes(50 * ms, 1 * ms, refractory=1.2 * ms)(rates * 4)
    assert not (spikes[:, 1:] & spikes[:, :-1]).any()
    assert plain[:, 1:].shape == spikes[:, 1:].shape


def test_impossible_rates() -> None:
    with pytest.raises(StimulusError, match="from 0 to 1000 Hz, one spike in a time step") as error:
        PoissonSpikes(0.01, 1e-3)(np.array([[3.0, 1001.0]]))
    assert error.value.fields["name"] == "images"
    with pytest.raises(StimulusError, match="from 0 to 200 Hz, one spike in the refractory period"):
        PoissonSpikes(0.01, 1e-3, refractory=5e-3)(np.array([[201.0]]))
    for wrong in (-1.0, np.nan):
        with pytest.raises(StimulusError, match="rates from 0"):
            PoissonSpikes(0.01, 1e-3)(np.array([[3.0, wrong]]))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: BernoulliSpikes(0), "steps"),
        (lambda: BernoulliSpikes(2.0), "steps"),
        (lambda: BernoulliSpikes(5, 1.5), "probability"),
        (lambda: PoissonSpikes(0, 1e-3), "duration"),
        (lambda: PoissonSpikes(1e-3, 0), "dt"),
        (lambda: PoissonSpikes(1.5e-3, 1e-3), "duration"),
        (lambda: PoissonSpikes(1e-4, 1e-3), "duration"),
        (lambda: PoissonSpikes(1e-3, 1e-3, refractory=-1), "refractory"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_units_are_checked() -> None:
    for make in (lambda: PoissonSpikes(3 * Hz, 1e-3), lambda: PoissonSpikes(3, 1 * Hz)):
        with pytest.raises(UnitMismatchError):
            make()
