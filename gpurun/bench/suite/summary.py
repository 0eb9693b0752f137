"""What is computed from a report's values: sums, ratios, lines, and who is the fastest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gpurun.bench import stats
from gpurun.bench.stats import Estimate
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.schema import MEASURED, Case, Contender, Curve, Floor, SuiteReport

SETUP, FIRST, NEXT = "setup", "first stimulus", "next stimulus"

_LEVEL = 0.95
_RESAMPLES = 2000
_SEED = 20151203


@dataclass(frozen=True)
class Line:
    """Time against number of steps: `slope` seconds for each, `intercept` seconds whatever."""

    slope: Estimate
    intercept: Estimate


def is_own(contender: Contender) -> bool:
    """Whether it is one of gpurun's."""
    return contender.name.startswith("gpurun")


def measured(case: Case) -> list[Contender]:
    """The contenders that have figures."""
    return [one for one in case.contenders if one.status == MEASURED]


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """Ratio of medians; without an interval (nan) where a series has a single value."""
    if min(len(above), len(below)) >= 2:
        return stats.ratio_of_medians(above, below, level=_LEVEL)
    value = float(np.median(above) / np.median(below))
    return Estimate(value, math.nan, math.nan, 0.0, 1)


def first_result(contender: Contender) -> Estimate | None:
    """Seconds from the script to the first stimulus's values; None if that was not measured.

    The sum of the medians, between the sums of the intervals' ends.
    """
    setup = [
        values
        for name in (names.GENERATION, names.COMPILE, names.LOAD)
        if (values := contender.values(SETUP, name))
    ]
    first = contender.values(FIRST, names.WALL)
    if not first or not setup:
        return None
    return total(stats.median_interval(values) for values in (*setup, first))


def total(parts: Iterable[Estimate]) -> Estimate:
    """The sum, between the sums of the intervals' ends, which cover it at least as surely."""
    found = list(parts)
    return Estimate(
        sum(one.value for one in found),
        sum(one.low for one in found),
        sum(one.high for one in found),
        min(one.level for one in found),
        min(one.count for one in found),
    )


def floor_of(report: SuiteReport, case: Case, name: str) -> Floor | None:
    """The floor of this name: the case's own, or the machine's."""
    for one in (*case.floors, *report.floors):
        if name and one.name == name:
            return one
    return None


def curve(contender: Contender, over: str) -> Curve | None:
    """The contender's curve over ``"steps"``, ``"replicas"`` or ``"stimuli"``, if it has points."""
    for one in contender.curves:
        if one.over == over and any(one.values):
            return one
    return None


def points(found: Curve) -> list[tuple[float, list[float]]]:
    """The numbers at which there are values, smallest first, with those values."""
    pairs = zip(found.at, found.values, strict=True)
    return sorted((at, values) for at, values in pairs if values)


def line(found: Curve) -> Line | None:
    """The line through a curve; None with less than two points.

    The slope is the median of the slopes between all pairs of points (Theil and Sen), a point being
    the median of its values; the intercept is the median of what the slope leaves. Intervals are
    from resampling the values of each point; without one (nan) where no point has two values.
    """
    series = points(found)
    if len(series) < 2:
        return None
    at = np.array([one for one, _ in series])
    slope, intercept = _line(at, np.array([[np.median(values)] for _, values in series]))
    if max(len(values) for _, values in series) < 2:
        unknown = math.nan, math.nan, 0.0, 1
        return Line(Estimate(slope[0], *unknown), Estimate(intercept[0], *unknown))
    generator = np.random.default_rng(_SEED)
    resampled = np.array(
        [
            np.median(generator.choice(np.asarray(values), (_RESAMPLES, len(values))), axis=1)
            for _, values in series
        ]
    )
    count = min(len(values) for _, values in series)
    ends = (_interval(one) for one in _line(at, resampled))
    return Line(
        Estimate(float(slope[0]), *next(ends), _LEVEL, count),
        Estimate(float(intercept[0]), *next(ends), _LEVEL, count),
    )


def _line(
    at: NDArray[np.float64], medians: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes and intercepts; `medians` has shape (points, resamples)."""
    pairs = list(combinations(range(at.size), 2))
    slopes = [(medians[j] - medians[i]) / (at[j] - at[i]) for i, j in pairs]
    slope = np.median(np.array(slopes), axis=0)
    return slope, np.median(medians - slope * at[:, np.newaxis], axis=0)


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def seconds_each(contender: Contender) -> dict[int, list[float]]:
    """Seconds per stimulus by replicas; a curve may give those, or stimuli per second."""
    found = curve(contender, "replicas")
    if found is None:
        return {}
    each = {}
    for at, values in points(found):
        each[round(at)] = [1 / one for one in values] if found.unit == "1/s" else list(values)
    return each


def best_seconds_each(contender: Contender) -> tuple[int, list[float]] | None:
    """Number of replicas with the highest throughput, and seconds per stimulus there."""
    each = seconds_each(contender)
    return min(each.items(), key=lambda item: float(np.median(item[1])), default=None)


def fastest(case: Case) -> Contender | None:
    """The contender with the smallest median of a next stimulus; None if nobody has one."""
    candidates = [one for one in measured(case) if one.values(NEXT, names.WALL)]
    return min(
        candidates, key=lambda one: float(np.median(one.values(NEXT, names.WALL))), default=None
    )
