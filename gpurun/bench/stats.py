"""Medians with intervals, ratios of medians, and trends. Nothing here assumes normality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import ConfigError


@dataclass(frozen=True)
class Estimate:
    """A number with the interval it is known to.

    Attributes
    ----------
    value, low, high : float
        The estimate and the ends of its interval.
    level : float
        Coverage of the interval, in (0, 1).
    count : int
        How many values it comes from.
    """

    value: float
    low: float
    high: float
    level: float
    count: int


@dataclass(frozen=True)
class Trend:
    """How a quantity changed over a series of equal steps.

    Attributes
    ----------
    slope : Estimate
        Change per step (Theil-Sen).
    growth : float
        Median of the last tenth minus median of the first tenth.
    level : float
        Median of the whole series, in the unit of the values.
    """

    slope: Estimate
    growth: float
    level: float


def _checked(values: Sequence[float] | NDArray[np.float64], least: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < least or not np.all(np.isfinite(array)):
        raise ConfigError(
            f"Statistics need at least {least} finite value(s) in one dimension, got an array of "
            f"shape {array.shape}. Measure more rounds."
        )
    return array


def median_interval(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Return the median with an interval between two order statistics.

    The interval holds for any distribution. With few values no pair of order
    statistics reaches `level`; the whole range is taken then, and the `level` of the
    result is what that range covers.

    Parameters
    ----------
    values : sequence of float
        Independent measurements, at least one, finite.
    level : float
        Wanted coverage.

    Raises
    ------
    ConfigError
        If `values` is empty or not finite.
    """
    ordered = np.sort(_checked(values, 1))
    count = ordered.size
    # The number of values below the true median is binomial(count, 1/2). The interval
    # from rank r to rank count + 1 - r misses it when fewer than r lie on one side.
    # Integers as long as possible: 2.0**count overflows from 1024 values on.
    rank, ways = 1, 1
    while rank < count // 2:
        wider = ways + math.comb(count, rank)
        if 1 - 2 * wider / (1 << count) < level:
            break
        rank, ways = rank + 1, wider
    return Estimate(
        value=float(np.median(ordered)),
        low=float(ordered[rank - 1]),
        high=float(ordered[count - rank]),
        level=max(0.0, 1 - 2 * ways / (1 << count)),
        count=int(count),
    )


def ratio_of_medians(
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 20150803,
) -> Estimate:
    """Median of `numerator` over median of `denominator`, with a bootstrap interval.

    Both series are resampled independently of each other; the interval is the
    percentile interval. The seed is fixed, so that a report can be computed again.

    Raises
    ------
    ConfigError
        If a series has fewer than two values, is not finite, or the denominator is
        not positive.
    """
    above, below = _checked(numerator, 2), _checked(denominator, 2)
    if np.min(below) <= 0:
        raise ConfigError("The denominator of a ratio has to be positive; a clock gave 0 or less.")
    generator = np.random.default_rng(seed)

    def medians(array: NDArray[np.float64]) -> NDArray[np.float64]:
        picked = generator.integers(0, array.size, size=(resamples, array.size))
        return np.median(array[picked], axis=1)

    ratios = medians(above) / medians(below)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    value = float(np.median(above) / np.median(below))
    return Estimate(value, float(low), float(high), level, int(min(above.size, below.size)))


def trend(values: Sequence[float], level: float = 0.95) -> Trend:
    """How `values` change from one step to the next.

    The slope is the median of the slopes of all pairs (Theil and Sen), with the
    interval that belongs to Kendall's rank correlation: single outliers, such as a
    buffer that is allocated once, do not move it.

    Parameters
    ----------
    values : sequence of float
        Measurements at equal distances, at least ten.
    level : float
        Coverage of the slope's interval.

    Raises
    ------
    ConfigError
        If there are fewer than ten values.
    """
    array = _checked(values, 10)
    count = array.size
    first, second = np.triu_indices(count, k=1)
    slopes = np.sort((array[second] - array[first]) / (second - first))
    variance = count * (count - 1) * (2 * count + 5) / 18
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    low = max(0, math.floor((slopes.size - half) / 2))
    high = min(slopes.size - 1, math.ceil((slopes.size + half) / 2))
    tenth = max(1, count // 10)
    slope = Estimate(
        float(np.median(slopes)), float(slopes[low]), float(slopes[high]), level, int(count)
    )
    growth = float(np.median(array[-tenth:]) - np.median(array[:tenth]))
    return Trend(slope=slope, growth=growth, level=float(np.median(array)))
