"""Codes in which the times of spikes count: latency, phase, bursts. Nothing is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.parameters import SI

#: What roundings of an intensity may add before a number is rounded up.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Latency:
    """One spike for each pixel, the earlier the brighter it is.

    ``linear=False``: a membrane that is charged by a current x through a resistance reaches the
    threshold θ at ``t = tau ln(x / (x - θ))``, and never where ``x <= θ``.

    ``linear=True``: ``t = duration (1 - x)`` where ``x > θ``.

    Parameters
    ----------
    duration : Quantity or float
        Of a presentation, in seconds. A pixel whose time would not be before its end does not
        spike.
    tau : Quantity or float, optional
        Time constant of the membrane, in seconds. Needed unless `linear`.
    threshold : float
        θ, from 0 to below 1 (above 0 unless `linear`).
    linear : bool
    full_scale : float, optional
        Pixel value of full intensity; see `Scale`.

    Raises
    ------
    StimulusError
        A parameter, or an image outside of 0 to 1.
    UnitMismatchError
        A Quantity that is no time.

    Notes
    -----
    That cells which receive more fire first, so that the order of the first spikes tells the
    image: S. J. Thorpe, *Spike arrival times: a highly efficient coding scheme for neural
    networks*, in: Parallel Processing in Neural Systems and Computers, North-Holland 1990, 91-94.
    The logarithm is the solution of ``tau dv/dt = x - v`` from v = 0.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "s"
    duration: SI
    tau: SI = None
    threshold: float = 0.01
    linear: bool = False
    full_scale: float | None = None

    def __post_init__(self) -> None:
        parameters.set_field(self, "duration", parameters.seconds("duration", self.duration))
        if (self.tau is None) != self.linear:
            raise StimulusError(
                "Latency takes the time constant 'tau' of a membrane, or linear=True and no 'tau'.",
                name="tau",
            )
        if self.tau is not None:
            parameters.set_field(self, "tau", parameters.seconds("tau", self.tau))
        threshold = parameters.number("threshold", self.threshold, low=0.0, above=not self.linear)
        if threshold >= 1:
            raise StimulusError(
                f"'threshold' is {threshold:g}; nothing reaches 1 or more.", name="threshold"
            )
        parameters.set_field(self, "threshold", threshold)
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to times in seconds, float64 (n, pixels); nan: no spike."""
        xp, images = pixels.batch(images)
        values = pixels.intensities(xp, images, self.full_scale)
        spikes = values > self.threshold
        if self.linear:
            times = self.duration * (1.0 - values)
        else:
            safe = xp.where(spikes, values, xp.ones_like(values))
            # ln(x / (x - θ)), without losing digits where θ is small against x
            times = -self.tau * xp.log1p(-self.threshold / safe)
        return xp.where(spikes & (times < self.duration), times, xp.full_like(times, math.nan))


@dataclass(frozen=True)
class Phase:
    """The bits of an intensity, the most significant first, one for each step of a period.

    With B bits the intensity is rounded to ``round(x (2**B - 1))``, and there is a spike in phase
    k of each period where the bit of weight ``2**(B - 1 - k)`` is set. Pixels of uint8 and 8 bits
    are their own code.

    Parameters
    ----------
    bits : int
        Steps of a period, 1 to 30.
    periods : int
        How often the code is repeated.
    full_scale : float, optional
        Pixel value of full intensity; see `Scale`.

    Raises
    ------
    StimulusError
        A parameter, or an image outside of 0 to 1.

    Notes
    -----
    J. Kim, H. Kim, S. Huh, J. Lee and K. Choi, *Deep neural networks with weighted spikes*,
    Neurocomputing 311 (2018), 373-386. The synapses there weigh a spike in phase k with
    ``2**-(1 + k)``, which is `weights`.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "1"
    bits: int = 8
    periods: int = 1
    full_scale: float | None = None

    def __post_init__(self) -> None:
        parameters.set_field(self, "bits", parameters.integer("bits", self.bits, low=1))
        if self.bits > 30:
            raise StimulusError(f"'bits' are 30 at most, not {self.bits}.", name="bits")
        parameters.set_field(self, "periods", parameters.integer("periods", self.periods, low=1))
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))

    @property
    def steps(self) -> int:
        """Time steps of a train."""
        return self.bits * self.periods

    @property
    def weights(self) -> np.ndarray:
        """The weight of a spike in each time step, float64 (steps,)."""
        return np.tile(2.0 ** -(1.0 + np.arange(self.bits)), self.periods)

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to spikes, booleans of shape (n, steps, pixels)."""
        xp, images = pixels.batch(images)
        values = pixels.intensities(xp, images, self.full_scale)
        code = xp.astype(xp.round(values * (2.0**self.bits - 1.0)), xp.int32)
        out = xp.empty((code.shape[0], self.steps, code.shape[1]), dtype=xp.bool)
        for phase in range(self.bits):
            bit = (code & (1 << (self.bits - 1 - phase))) != 0
            out[:, phase :: self.bits, :] = bit[:, None, :]
        return out


@dataclass(frozen=True)
class Burst:
    """A burst for each pixel, with the more spikes and the shorter intervals the brighter it is.

    ``N = ceil(spikes x)`` spikes, the first in the first step. Between two of them are
    ``ceil(longest - (longest - shortest) x)`` time steps, with `longest` and `shortest` in steps.

    Parameters
    ----------
    duration : Quantity or float
        Of a train, in seconds; a multiple of `dt`.
    dt : Quantity or float
        Time step in seconds.
    spikes : int
        Of a pixel of full intensity.
    shortest : Quantity or float
        Interval of full intensity, in seconds; a multiple of `dt`.
    longest : Quantity or float, optional
        Interval towards intensity 0, in seconds; a multiple of `dt`. Default: duration / spikes,
        rounded down to time steps.
    full_scale : float, optional
        Pixel value of full intensity; see `Scale`.

    Raises
    ------
    StimulusError
        A parameter, a burst that would be longer than `duration`, or an image outside of 0 to 1.
    UnitMismatchError
        A Quantity that is no time.

    Notes
    -----
    W. Guo, M. E. Fouda, A. M. Eltawil and K. N. Salama, *Neural coding in spiking neural
    networks: a comparative study for robust neuromorphic systems*, Frontiers in Neuroscience 15
    (2021), 638474, with 5 spikes and 2 ms. That bursts carry more at a time than single spikes:
    S. Park, S. Kim, H. Choe and S. Yoon, *Fast and efficient information transmission with burst
    spikes in deep spiking neural networks*, DAC 2019. Before rounding up, 1e-9 is taken off, so
    that the rounding of an intensity does not add a spike.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "1"
    duration: SI
    dt: SI
    spikes: int = 5
    shortest: SI = 2e-3
    longest: SI = None
    full_scale: float | None = None

    def __post_init__(self) -> None:
        for name in ("duration", "dt", "shortest"):
            parameters.set_field(self, name, parameters.seconds(name, getattr(self, name)))
        parameters.set_field(self, "spikes", parameters.integer("spikes", self.spikes, low=1))
        steps = self.steps
        if self.longest is None:
            parameters.set_field(self, "longest", max(1, steps // self.spikes) * self.dt)
        parameters.set_field(self, "longest", parameters.seconds("longest", self.longest))
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))
        shortest, longest = self._intervals
        if longest < shortest:
            raise StimulusError(
                f"'shortest' ({self.shortest:g} s) is longer than 'longest' ({self.longest:g} s, "
                "by default duration / spikes).",
                name="shortest",
            )
        for n in range(2, self.spikes + 1):
            # The darkest pixel with n spikes has the longest burst among them
            interval = math.ceil(longest - (longest - shortest) * (n - 1) / self.spikes)
            if (n - 1) * interval >= steps:
                raise StimulusError(
                    f"A burst of {n} spikes would take {(n - 1) * interval} steps of {self.dt:g} "
                    f"s, and 'duration' has {steps}. Make it longer, or 'longest' shorter.",
                    name="duration",
                )

    @property
    def steps(self) -> int:
        """Time steps of a train."""
        return parameters.steps_in("duration", self.duration, self.dt)

    @property
    def _intervals(self) -> tuple[int, int]:
        shortest = parameters.steps_in("shortest", self.shortest, self.dt)
        return shortest, parameters.steps_in("longest", self.longest, self.dt)

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to spikes, booleans of shape (n, steps, pixels)."""
        xp, images = pixels.batch(images)
        values = pixels.intensities(xp, images, self.full_scale)
        shortest, longest = self._intervals
        number = xp.astype(xp.ceil(self.spikes * values - _ROUNDING), xp.int32)
        interval = longest - (longest - shortest) * values
        interval = xp.astype(xp.ceil(interval - _ROUNDING), xp.int32)
        out = xp.zeros((values.shape[0], self.steps, values.shape[1]), dtype=xp.bool)
        never = xp.full_like(interval, -1)
        steps = [xp.where(number > k, k * interval, never) for k in range(self.spikes)]
        for step in range(self.steps):
            now = out[:, step, :]
            for due in steps:
                now = now | (due == step)
            out[:, step, :] = now
        return out
