"""Digits are shown to the network of Diehl & Cook (2015) after it has learned.

An image is a Poisson process for each pixel, shown for 350 ms. Every input excites every
excitatory neuron; each of these has an inhibitory partner, which inhibits all others. The images
are those that come with gpurun, enlarged to the size of MNIST, with as many input spikes.
"""

from __future__ import annotations

from gpurun.bench.suite.case import CaseNetwork

from . import _diehl_cook

TITLE = "Diehl & Cook: digits, weights as learned"
SOURCE = _diehl_cook.SOURCE
SIZES = _diehl_cook.SIZES
SCALING = _diehl_cook.SCALING


def create(side: int, neurons: int, duration: float) -> CaseNetwork:
    """Build it for images of `side` times `side` pixels, shown for `duration` seconds."""
    return _diehl_cook.create(side, neurons, duration, plastic=False)
