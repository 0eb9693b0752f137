"""Digits are shown to the network of Diehl & Cook (2015) while it learns.

As `diehl_cook`, but the weights of the inputs follow the triplet rule that the authors' program
uses, and thresholds rise with every spike. Both go on from one image to the next.
"""

from __future__ import annotations

from gpurun.bench.suite.case import CaseNetwork

from . import _diehl_cook

TITLE = "Diehl & Cook: digits, weights and thresholds learn"
SOURCE = _diehl_cook.SOURCE
SIZES = _diehl_cook.SIZES
SCALING = _diehl_cook.SCALING


def create(side: int, neurons: int, duration: float) -> CaseNetwork:
    """Build it for images of `side` times `side` pixels, shown for `duration` seconds."""
    return _diehl_cook.create(side, neurons, duration, plastic=True)
