"""Cells and sentences of the suite's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gpurun.bench.stats import Estimate
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.schema import Case, Contender, Floor
from gpurun.bench.suite.summary import (
    NEXT,
    best_seconds_each,
    first_result,
    is_own,
    measured,
    ratio,
)
from gpurun.bench.text import digits, interval, quantity


def plain(text: str) -> str:
    """`text` on one line, and harmless in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def known(estimate: Estimate) -> bool:
    """Whether there is an interval: a single value has none."""
    return estimate.count > 1 and not math.isnan(estimate.low)


def amount(estimate: Estimate, unit: str) -> str:
    """``"1.25 ms [1.20 ms, 1.30 ms]"``, or without an interval where there is none."""
    if not known(estimate):
        return quantity(estimate.value, unit)
    return interval(estimate.value, estimate.low, estimate.high, unit)


def factor(value: float) -> str:
    """A ratio with three significant digits, also a small one."""
    return digits(value) if value == 0 or abs(value) >= 0.1 else f"{value:.2g}"


def times(estimate: Estimate) -> str:
    """A ratio with its interval."""
    if not known(estimate):
        return factor(estimate.value)
    return f"{factor(estimate.value)} [{factor(estimate.low)}, {factor(estimate.high)}]"


def of_floor(values: Sequence[float], unit: str, floor: Floor | None) -> str:
    """``" (1.4 × dlopen)"``; empty without a floor of the same unit."""
    if floor is None or floor.unit != unit or not floor.values or np.median(floor.values) <= 0:
        return ""
    multiple = float(np.median(values) / np.median(floor.values))
    return f" ({factor(multiple)} × {floor.name})"


def count(value: object) -> str:
    """A parameter: whole numbers with separators."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def where_behind(case: Case) -> list[str]:
    """Sentences on where one of gpurun's contenders is slower than somebody else's."""
    own = [one for one in measured(case) if is_own(one)]
    others = [one for one in measured(case) if not is_own(one)]
    found = []
    for mine in own:
        found += _behind(
            f"{mine.name} is not the fastest here: {{}} takes {{}} times as long for a stimulus",
            mine.values(NEXT, names.WALL),
            {one.name: one.values(NEXT, names.WALL) for one in others},
        )
        found += _behind(
            f"The time loop of {mine.name} is not the fastest here: that of {{}} takes {{}} times "
            "as long",
            mine.values(NEXT, names.LOOP),
            {one.name: one.values(NEXT, names.LOOP) for one in others},
        )
        found += _behind(
            f"{mine.name} is not the first to have a result: {{}} takes {{}} times as long until "
            "then",
            _value(first_result(mine)),
            {one.name: _value(first_result(one)) for one in others},
        )
        found += _behind(
            f"{mine.name} does not have the highest throughput: {{}} takes {{}} times as long for "
            "each of many stimuli",
            _each(mine),
            {one.name: _each(one) for one in others},
        )
    return found


def _value(estimate: Estimate | None) -> list[float]:
    return [] if estimate is None else [estimate.value]


def _each(contender: Contender) -> list[float]:
    best = best_seconds_each(contender)
    return [] if best is None else best[1]


def _behind(sentence: str, mine: Sequence[float], others: dict[str, Sequence[float]]) -> list[str]:
    """The sentence with the best of the others and its ratio, if that is faster."""
    best = min(
        (name for name, values in others.items() if len(values)),
        key=lambda name: float(np.median(others[name])),
        default=None,
    )
    if best is None or not len(mine) or np.median(others[best]) >= np.median(mine):
        return []
    found = ratio(others[best], mine)
    unsure = ", which may be the noise" if known(found) and found.high >= 1 else ""
    return [sentence.format(best, times(found)) + unsure + "."]
