"""Quantiles of Student's distribution, for any degrees of freedom."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

_POINTS = 401
_WEIGHTS = np.ones(_POINTS)
_WEIGHTS[1:-1:2], _WEIGHTS[2:-1:2] = 4, 2
# From here on the expansion around the normal distribution is exact enough.
_MANY = 100


def tail(value: float, freedom: float) -> float:
    """Probability of more than `value`, at least 0, with at most :data:`_MANY` degrees of freedom.

    With t = sqrt(freedom) tan(x) the density is cos(x)^(freedom - 1), up to a factor: smooth, and
    integrated by Simpson's rule.
    """
    angle = np.linspace(math.atan(value / math.sqrt(freedom)), math.pi / 2, _POINTS)
    factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    density = np.cos(angle).clip(min=0.0) ** (freedom - 1)
    return float(_WEIGHTS @ density) * (angle[1] - angle[0]) / 3 * factor / math.sqrt(math.pi)


def quantile(probability: float, freedom: float) -> float:
    """The value that is not exceeded with `probability`, which is at least 0.5.

    Degrees of freedom below 1 count as 1. The expansion for many is that of Abramowitz and Stegun,
    26.7.5.
    """
    freedom = max(1.0, freedom)
    if freedom > _MANY:
        x = NormalDist().inv_cdf(probability)
        first = (x**3 + x) / 4
        second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
        third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
        return x + first / freedom + second / freedom**2 + third / freedom**3
    low, high = 0.0, 1.0
    while tail(high, freedom) > 1 - probability:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > 1 - probability else (low, middle)
    return high
