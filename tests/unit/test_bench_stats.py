"""gpurun/bench/stats.py: medians with intervals, ratios, trends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.bench import stats
from gpurun.errors import ConfigError

FINITE = st.floats(-1e6, 1e6)


def test_median_interval_of_known_ranks() -> None:
    # Tables of the binomial distribution: for n = 20 the ranks are 6 and 15, 95.86 %.
    found = stats.median_interval([float(v) for v in range(1, 21)])
    assert (found.low, found.high) == (6.0, 15.0)
    assert found.value == 10.5
    assert found.level == pytest.approx(0.9586, abs=1e-4)


@pytest.mark.parametrize(("count", "level"), [(1, 0.0), (2, 0.5), (5, 1 - 2 / 2**5)])
def test_few_values_give_the_whole_range_and_say_what_it_covers(count: int, level: float) -> None:
    found = stats.median_interval(list(range(count)))
    assert (found.low, found.high) == (0.0, count - 1.0)
    assert found.level == level


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_median_lies_in_its_interval_in_any_order(values: list[float]) -> None:
    found = stats.median_interval(values)
    assert found.low <= found.value <= found.high
    assert found == stats.median_interval(values[::-1])
    assert {found.low, found.high} <= set(values)


def test_interval_covers_the_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    truth = math.log(2.0)  # median of the exponential distribution, which is skewed
    found = [stats.median_interval(list(generator.exponential(size=31))) for _ in range(2000)]
    level = found[0].level
    assert level >= 0.95
    hits = sum(interval.low <= truth <= interval.high for interval in found)
    assert hits / 2000 == pytest.approx(level, abs=0.015)


def test_many_values_do_not_overflow() -> None:
    found = stats.median_interval(list(range(3000)))
    assert 1400 < found.low < found.value < found.high < 1600


@pytest.mark.parametrize("bad", [[], [math.nan], [1.0, math.inf], [[1.0, 2.0]]])
def test_bad_values_are_refused(bad: list[float]) -> None:
    with pytest.raises(ConfigError, match="finite"):
        stats.median_interval(bad)


def test_ratio_of_medians_finds_a_known_factor() -> None:
    generator = np.random.default_rng(1)
    slow = list(50 * generator.lognormal(0, 0.1, 200))
    fast = list(generator.lognormal(0, 0.1, 200))
    found = stats.ratio_of_medians(slow, fast)
    assert found.low < 50 < found.high
    assert found.high - found.low < 5
    assert found == stats.ratio_of_medians(slow, fast), "a report has to be reproducible"


def test_ratio_needs_a_positive_denominator() -> None:
    with pytest.raises(ConfigError, match="positive"):
        stats.ratio_of_medians([1.0, 2.0], [0.0, 1.0])


def test_trend_of_a_line_with_an_outlier() -> None:
    values = [100 + 0.5 * n for n in range(200)]
    values[50] += 1e4
    found = stats.trend(values)
    assert found.slope.value == pytest.approx(0.5)
    assert found.slope.low <= 0.5 <= found.slope.high
    assert found.growth == pytest.approx(0.5 * 180)


def test_trend_of_noise_includes_zero() -> None:
    generator = np.random.default_rng(3)
    found = stats.trend(list(generator.normal(1e8, 1e4, 400)))
    assert found.slope.low < 0 < found.slope.high
    assert found.level == pytest.approx(1e8, rel=1e-3)


def test_trend_needs_ten_values() -> None:
    with pytest.raises(ConfigError, match="at least 10"):
        stats.trend([1.0] * 9)
