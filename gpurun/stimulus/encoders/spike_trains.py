"""Random spike trains: a draw for each pixel and time step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.parameters import SI
from gpurun.stimulus.encoders.philox import Draws, Seeded

_RESOLUTION = 2.0**32


def _drawn(xp: Any, draws: Draws, first: int, probability: Any, steps: int) -> Any:
    """Independent spikes of `probability`, shape (n, pixels): booleans (n, steps, pixels)."""
    n, count = probability.shape
    out = xp.empty((n, steps, count), dtype=xp.bool)
    scaled = xp.round(probability * _RESOLUTION)
    thresholds = xp.astype(xp.minimum(scaled, _RESOLUTION - 1.0), xp.uint32)
    for images, times, numbers in draws.pieces(xp, first, n, steps, count):
        out[images, times] = numbers < thresholds[images][:, None, :]
    certain = scaled >= _RESOLUTION
    if bool(xp.any(certain)):
        # One more than a threshold can say
        out |= certain[:, None, :]
    return out


@dataclass(frozen=True)
class BernoulliSpikes(Seeded):
    """In each time step a spike with a probability in proportion to the intensity.

    ``P(spike) = probability x``, independently for each image, time step and pixel.

    Parameters
    ----------
    steps : int
        Time steps of a train.
    probability : float
        Of a spike in a step, for a pixel of full intensity; 0 to 1.
    full_scale : float, optional
        Pixel value of full intensity; see `Scale`.
    seed, stream : int
        See `Seeded`.

    Raises
    ------
    StimulusError
        A parameter, or an image outside of 0 to 1.
    SeedError
        `seed` is no integer in [0, 2**32).

    Notes
    -----
    Probabilities are rounded to multiples of 2**-32; 0 and 1 are exact.
    """

    unit: ClassVar[str | None] = "1"
    steps: int
    probability: float = 1.0
    full_scale: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        parameters.set_field(self, "steps", parameters.integer("steps", self.steps, low=1))
        probability = parameters.number("probability", self.probability, low=0.0, high=1.0)
        parameters.set_field(self, "probability", probability)
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to spikes, booleans of shape (n, steps, pixels)."""
        xp, images = pixels.batch(images)
        values = pixels.intensities(xp, images, self.full_scale)
        return _drawn(xp, self.draws(), first, values * self.probability, self.steps)


@dataclass(frozen=True)
class PoissonSpikes(Seeded):
    """Rates in Hz to Poisson trains, with an absolute refractory period on request.

    In each time step of length dt there is a spike with the probability ``p = rate dt``, as in
    Brian's PoissonGroup. With a refractory period of R steps a train is a renewal process in
    discrete time: after a spike there is none for R - 1 steps, and from then on one with the
    probability ``q = p / (1 - p (R - 1))`` in each step. The mean interval ``R - 1 + 1/q`` is then
    1/p: the rate is as asked for. It is so from the first step on, because a train begins in the
    equilibrium of the process, as if it had been going on before.

    Parameters
    ----------
    duration : Quantity or float
        Of a train, in seconds; a multiple of `dt`.
    dt : Quantity or float
        Time step in seconds: that of the group that takes the trains.
    refractory : Quantity or float
        Least interval between two spikes, in seconds; rounded up to time steps.
    seed, stream : int
        See `Seeded`.

    Raises
    ------
    StimulusError
        A parameter; rates that are negative, nan, or more than one spike per time step or per
        refractory period.
    SeedError
        `seed` is no integer in [0, 2**32).
    UnitMismatchError
        A Quantity that is no time, or images that are no rates.

    Notes
    -----
    The compensated hazard in continuous time, ``r / (1 - r refractory)``: W. Gerstner,
    W. M. Kistler, R. Naud and L. Paninski, *Neuronal Dynamics*, Cambridge University Press 2014,
    chapter 7, equation 7.16 and section 7.5 (Poisson process with absolute refractoriness).
    Probabilities are rounded to multiples of 2**-32.
    """

    unit: ClassVar[str | None] = "1"
    duration: SI
    dt: SI
    refractory: SI = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("duration", "dt"):
            parameters.set_field(self, name, parameters.seconds(name, getattr(self, name)))
        refractory = parameters.seconds("refractory", self.refractory, zero=True)
        parameters.set_field(self, "refractory", refractory)
        parameters.steps_in("duration", self.duration, self.dt)

    @property
    def steps(self) -> int:
        """Time steps of a train."""
        return parameters.steps_in("duration", self.duration, self.dt)

    def __call__(self, rates: Any, *, first: int = 0) -> Any:
        """Rates in Hz of shape (n, ...) to spikes, booleans of shape (n, steps, pixels)."""
        xp, rates = pixels.batch(rates, unit="Hz")
        rates = pixels.floats(xp, pixels.flat(xp, rates), "float64")
        # The least interval between two spikes, in steps
        apart = max(1, math.ceil(self.refractory / self.dt - parameters.TOLERANCE))
        pixels.in_range(
            xp, rates, 1.0 / (apart * self.dt),
            f"are rates from 0 to {1 / (apart * self.dt):g} Hz, one spike in "
            + ("a time step" if apart == 1 else f"the refractory period of {apart} steps"),
        )  # fmt: skip
        p = pixels.limited(xp, rates * self.dt, 0.0, 1.0 / apart)
        if apart == 1:
            return _drawn(xp, self.draws(), first, p, self.steps)
        q = xp.minimum(p / (1.0 - p * (apart - 1)), 1.0)
        spikes = _drawn(xp, self.draws(), first, q, self.steps)
        ready = self._ready(xp, first, p, apart)
        for step in range(self.steps):
            now = spikes[:, step, :] & (ready <= step)
            spikes[:, step, :] = now
            ready = xp.maximum(ready, xp.astype(now, xp.int32) * (step + apart))
        return spikes

    def _ready(self, xp: Any, first: int, p: Any, apart: int) -> Any:
        """The step from which on each pixel may spike, in equilibrium: int32 (n, pixels).

        The last spike was j steps before the first step with the probability p, for each j
        below `apart`.
        """
        n, count = p.shape
        drawn = self.draws(" start").uniforms(xp, first, n, count)
        blocked = drawn < p * (apart - 1)
        ago = xp.floor(drawn / xp.where(blocked, p, xp.ones_like(p))) + 1.0
        left = xp.where(blocked, apart - ago, xp.zeros_like(p))
        return xp.astype(pixels.limited(xp, left, 0.0, apart), xp.int32)
