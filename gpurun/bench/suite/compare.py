"""Two reports of the suite: what became faster or slower, and what is the noise.

The noise of a ratio has two parts. What values scatter by within a report is known from the values.
What a whole run, or a process in it, is faster or slower by than the next one (clock rate, other
work on the machine, where memory came to lie) is in neither report: it is assumed, as `drift`. The
logarithm of a ratio has the variance of both; the interval is Student's, with degrees of
freedom after Welch and Satterthwaite, and simultaneous for all rows (Bonferroni), since among many
rows some are always far off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpurun.bench.suite.schema import Case, Contender, Measure, SuiteReport
from gpurun.bench.suite.student import quantile
from gpurun.bench.suite.summary import curve, points, seconds_each
from gpurun.errors import ConfigError

FASTER, SLOWER, NOISE = "faster", "slower", "within the noise"
#: Verdict on what is no time.
LESS, MORE = "less", "more"
#: Verdict where a report has too few values to know their noise.
TOO_FEW = "too few values"

#: Standard deviation of what a run is off by as a whole, relative.
DRIFT = 0.03
#: Differences below this one do not matter, however sure they are.
MINIMUM = 0.05
#: Probability that two reports of the same get no verdict at all but "within the noise".
LEVEL = 0.99
#: Values that both reports need for a verdict.
LEAST = 3

# With fewer values than this, resampling knows too few medians.
_RESAMPLED = 8
_RESAMPLES = 500
_SEED = 20070829


@dataclass(frozen=True)
class Row:
    """One measure of one contender in both reports.

    Attributes
    ----------
    case, size, contender, phase, measure : str
        The contender ``"floor"`` stands for the machine's floors.
    unit : str
    before, after : float
        Medians in the first and the second report; seconds for everything that is a time.
    ratio, low, high : float
        `after` over `before`, and the interval that decides. Infinitely wide with too few values.
    verdict : str
        :data:`FASTER`, :data:`SLOWER`, :data:`LESS`, :data:`MORE`, :data:`NOISE` or
        :data:`TOO_FEW`.
    """

    case: str
    size: str
    contender: str
    phase: str
    measure: str
    unit: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class _Pair:
    place: tuple[str, str, str, str, str]
    unit: str
    before: list[float]
    after: list[float]


def compare(
    a: SuiteReport,
    b: SuiteReport,
    *,
    drift: float = DRIFT,
    minimum: float = MINIMUM,
    level: float = LEVEL,
) -> list[Row]:
    """Compare what both reports have measured, in the order of `b`.

    Parameters
    ----------
    a, b : SuiteReport
        The older and the newer one. Cases whose parameters differ are left out, as
        `gpurun.bench.suite.differences.differences` says.
    drift : float
        Relative standard deviation between runs of the same, at least 0.
    minimum : float
        Relative difference that a verdict needs, at least 0.
    level : float
        Simultaneous coverage of all intervals, in (0, 1).

    Raises
    ------
    ConfigError
        `drift`, `minimum` or `level` is out of its range.
    """
    if not (0 <= drift < math.inf and 0 <= minimum < math.inf and 0 < level < 1):
        raise ConfigError(
            f"Comparing needs a drift and a minimum of at least 0 and a level between 0 and 1, got "
            f"{drift:g}, {minimum:g} and {level:g}."
        )
    pairs = [one for one in _pairs(a, b) if _usable(one)]
    judged = sum(_judged(one) for one in pairs)
    generator = np.random.default_rng(_SEED)
    alpha = (1 - level) / max(1, judged)
    return [_row(one, drift, minimum, alpha, generator) for one in pairs]


def _usable(pair: _Pair) -> bool:
    return min(float(np.median(pair.before)), float(np.median(pair.after))) > 0


def _judged(pair: _Pair) -> bool:
    return min(len(pair.before), len(pair.after)) >= LEAST


def _row(
    pair: _Pair, drift: float, minimum: float, alpha: float, generator: np.random.Generator
) -> Row:
    before, after = float(np.median(pair.before)), float(np.median(pair.after))
    ratio = after / before
    low, high, verdict = 0.0, math.inf, TOO_FEW
    if _judged(pair):
        own = [_variance(np.asarray(some), generator) for some in (pair.before, pair.after)]
        whole = sum(own) + 2 * drift**2
        small = sum(
            one**2 / (len(some) - 1)
            for one, some in zip(own, (pair.before, pair.after), strict=True)
        )
        freedom = whole**2 / small if small else math.inf
        half = quantile(1 - alpha / 2, freedom) * math.sqrt(whole)
        low, high = ratio * math.exp(-half), ratio * math.exp(min(half, 700.0))
        verdict = NOISE
        words = (FASTER, SLOWER) if pair.unit == "s" else (LESS, MORE)
        if high < 1 and ratio < 1 / (1 + minimum):
            verdict = words[0]
        elif low > 1 and ratio > 1 + minimum:
            verdict = words[1]
    return Row(*pair.place, pair.unit, before, after, ratio, low, high, verdict)


def _variance(values: NDArray[np.float64], generator: np.random.Generator) -> float:
    """Variance of the logarithm of the median."""
    # A value of zero beside a positive median says how coarse the clock is, not how small it can be
    logarithms = np.log(np.maximum(values, np.median(values) / 10))
    if values.size < _RESAMPLED:
        # As for a normal distribution: too large if there are outliers, which is the safe side
        return float(math.pi / 2 * np.var(logarithms, ddof=1) / values.size)
    picked = generator.integers(0, values.size, size=(_RESAMPLES, values.size))
    return float(np.var(np.median(logarithms[picked], axis=1)))


def _pairs(a: SuiteReport, b: SuiteReport) -> Iterator[_Pair]:
    older = {(one.name, one.size): one for one in a.cases}
    floors = {one.name: one for one in a.floors}
    for floor in b.floors:
        before = floors.get(floor.name)
        if before is not None and before.unit == floor.unit and before.values and floor.values:
            place = ("", "", "floor", "", floor.name)
            yield _Pair(place, floor.unit, before.values, floor.values)
    for case in b.cases:
        before = older.get((case.name, case.size))
        if before is not None and before.parameters == case.parameters:
            yield from _of_case(before, case)


def _of_case(a: Case, b: Case) -> Iterator[_Pair]:
    older = {one.name: one for one in a.contenders}
    for contender in b.contenders:
        before = older.get(contender.name)
        if before is None:
            continue
        for measure in contender.measures:
            values = _values(before, measure)
            if values and measure.values:
                place = (b.name, b.size, contender.name, measure.phase, measure.name)
                yield _Pair(place, measure.unit, values, measure.values)
        yield from _of_curves(b, before, contender)


def _values(contender: Contender, wanted: Measure) -> list[float]:
    for one in contender.measures:
        if (one.phase, one.name, one.unit) == (wanted.phase, wanted.name, wanted.unit):
            return one.values
    return []


def _of_curves(case: Case, a: Contender, b: Contender) -> Iterator[_Pair]:
    older, newer = seconds_each(a), seconds_each(b)
    for replicas in sorted(newer.keys() & older.keys()):
        place = (case.name, case.size, b.name, "replicas", f"each stimulus, {replicas} at a time")
        yield _Pair(place, "s", older[replicas], newer[replicas])
    for over in ("steps", "stimuli"):
        before, after = curve(a, over), curve(b, over)
        if before is None or after is None or before.unit != after.unit:
            continue
        earlier, later = dict(points(before)), dict(points(after))
        if common := earlier.keys() & later.keys():
            # Shorter runs say the same, less exactly
            at = max(common)
            place = (case.name, case.size, b.name, over, f"{at:g} {over}")
            yield _Pair(place, after.unit, earlier[at], later[at])


def slower(rows: Sequence[Row]) -> list[Row]:
    """Those that are slower, the machine's floors left out."""
    return [one for one in rows if one.verdict == SLOWER and one.contender != "floor"]
