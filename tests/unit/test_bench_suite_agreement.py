"""What the suite takes for the same result, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpurun.bench.suite.agreement import Result, Rules, judge

DT = 1e-4
EXACT = Rules(True, ("spikes",), ("group.v",), np.inf, DT)
CHAOTIC = Rules(True, ("spikes",), (), 0.1, DT)
NOISY = Rules(False, ("spikes",), ("synapses.w",), np.inf, DT)


def poisson(seed: int, rate: float = 20.0, weight: float = 0.5, count: int = 5) -> list[Result]:
    """Presentations of 200 Poisson neurons for a second."""
    rng = np.random.default_rng(seed)
    results: list[Result] = []
    for _ in range(count):
        fired = rng.random((10_000, 200)) < rate * DT
        steps, neurons = np.nonzero(fired)
        results.append(
            {
                "spikes.i": neurons,
                "spikes.t": steps * DT,
                "synapses.w": rng.normal(weight, 0.1, 5000),
                "group.v": np.full(200, 0.25),
            }
        )
    return results


def changed(results: list[Result], change: Callable[[dict], None]) -> list[Result]:
    last = dict(results[-1])
    change(last)
    return [*results[:-1], last]


def test_identical_trains_agree_in_any_order_within_a_step() -> None:
    one = poisson(1)
    other = [dict(result) for result in one]
    for result in other:
        order = np.lexsort((-result["spikes.i"], result["spikes.t"]))
        result["spikes.i"], result["spikes.t"] = (
            result["spikes.i"][order],
            result["spikes.t"][order],
        )
    verdict = judge(EXACT, one, other)
    assert verdict.agrees
    assert verdict.words.startswith("spike trains identical (")


def test_rounding_of_times_does_not_matter() -> None:
    one = poisson(1)
    other = changed(one, lambda last: last.update({"spikes.t": last["spikes.t"] * (1 + 1e-12)}))
    assert judge(EXACT, one, other).agrees


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda last: last.update({"spikes.i": last["spikes.i"][::-1]}), id="neurons"),
        pytest.param(lambda last: last.update({"spikes.t": last["spikes.t"] + DT}), id="late"),
        pytest.param(
            lambda last: last.update({name: last[name][:-1] for name in ("spikes.i", "spikes.t")}),
            id="one spike less",
        ),
        pytest.param(lambda last: last.update({"group.v": last["group.v"] + 1e-6}), id="values"),
        pytest.param(lambda last: last.update({"group.v": last["group.v"][1:]}), id="shape"),
        pytest.param(lambda last: last.update({"group.v": np.full(200, np.nan)}), id="nan"),
        pytest.param(lambda last: last.pop("group.v"), id="missing"),
    ],
)
def test_any_difference_of_a_deterministic_case_is_refused(change: Callable[[dict], None]) -> None:
    one = poisson(1)
    assert not judge(EXACT, one, changed(one, change)).agrees


def test_a_chaotic_case_has_to_be_identical_for_a_time_and_alike_after_it() -> None:
    one = poisson(1)

    def diverge(from_time: float, rate: float) -> list[Result]:
        others: list[Result] = []
        for result, fresh in zip(one, poisson(2, rate=rate), strict=True):
            kept, added = result["spikes.t"] < from_time, fresh["spikes.t"] >= from_time
            others.append(
                {
                    name: np.concatenate([result[name][kept], fresh[name][added]])
                    for name in ("spikes.i", "spikes.t")
                }
            )
        return others

    agreed = judge(CHAOTIC, one, diverge(0.2, 20))
    assert agreed.agrees
    assert "chaotic" in agreed.words
    assert not judge(CHAOTIC, one, diverge(0.05, 20)).agrees
    assert not judge(CHAOTIC, one, diverge(0.2, 30)).agrees


def test_noise_alone_is_no_disagreement() -> None:
    verdicts = [judge(NOISY, poisson(2 * n), poisson(2 * n + 1)) for n in range(20)]
    assert [verdict.words for verdict in verdicts if not verdict.agrees] == []
    assert "Kolmogorov-Smirnov" in verdicts[0].words


def test_wrong_rates_and_weights_are_refused() -> None:
    one = poisson(1)
    assert "spikes per neuron" in judge(NOISY, one, poisson(2, rate=30)).words
    slower = judge(NOISY, poisson(1, rate=2, count=20), poisson(2, rate=1.75, count=20))
    assert not slower.agrees
    assert "standard errors" in slower.words
    heavier = judge(NOISY, one, poisson(2, weight=0.55))
    assert not heavier.agrees
    assert "'synapses.w'" in heavier.words


def test_silence_proves_nothing() -> None:
    silent = [{"spikes.i": np.array([], int), "spikes.t": np.array([]), "group.v": np.zeros(3)}] * 2
    verdict = judge(EXACT, silent, silent)
    assert not verdict.agrees
    assert "no spikes" in verdict.words


def test_results_of_other_presentations_cannot_be_compared() -> None:
    assert not judge(EXACT, poisson(1), poisson(1, count=4)).agrees
    assert not judge(EXACT, [], []).agrees
