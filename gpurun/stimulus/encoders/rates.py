"""Intensities to firing rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.parameters import SI


@dataclass(frozen=True)
class Rates:
    """Intensities x in 0 to 1 to firing rates in Hz.

    With `maximum`: ``minimum + (maximum - minimum) x``. With `total`:
    ``minimum + (total - pixels minimum) x / sum(x)``, so that the rates of an image add up to
    `total`; a blank image has `minimum` everywhere.

    Parameters
    ----------
    maximum : Quantity or float, optional
        Rate in Hz of a pixel of full intensity. One of `maximum` and `total` has to be given.
    minimum : Quantity or float
        Rate in Hz of a pixel of intensity 0.
    total : Quantity or float, optional
        Sum of an image's rates, in Hz.
    full_scale : float, optional
        Pixel value of full intensity; see `Scale`.
    dtype : {"float64", "float32"}

    Raises
    ------
    StimulusError
        A parameter, an image outside of 0 to 1, or more pixels than `total` has room for.
    UnitMismatchError
        A Quantity that is no rate.

    Notes
    -----
    P. U. Diehl and M. Cook, *Unsupervised learning of digit recognition using
    spike-timing-dependent plasticity*, Frontiers in Computational Neuroscience 9 (2015), 99:
    pixels / 8 * 2 Hz, which is ``Rates(63.75)`` for uint8; when an image makes too few cells
    fire, it is shown again with 32 Hz more.

    Examples
    --------
    >>> import numpy as np
    >>> Rates(maximum=63.75)(np.array([[0, 128, 255]], np.uint8))
    array([[ 0.  , 32.  , 63.75]])
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "Hz"
    maximum: SI = None
    minimum: SI = 0.0
    total: SI = None
    full_scale: float | None = None
    dtype: Any = "float64"

    def __post_init__(self) -> None:
        if (self.maximum is None) == (self.total is None):
            raise StimulusError(
                "Rates takes one of 'maximum', the rate of a pixel of full intensity, and "
                "'total', the sum of the rates of an image.",
                name="maximum",
            )
        for name in ("maximum", "minimum", "total"):
            if (value := getattr(self, name)) is not None:
                parameters.set_field(self, name, parameters.hertz(name, value))
        if self.maximum is not None and self.maximum < self.minimum:
            raise StimulusError(
                f"'maximum' ({self.maximum:g} Hz) is below 'minimum' ({self.minimum:g} Hz).",
                name="maximum",
            )
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))
        parameters.set_field(self, "dtype", parameters.float_dtype(self.dtype))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to rates in Hz, shape (n, pixels)."""
        xp, images = pixels.batch(images)
        values = pixels.intensities(xp, images, self.full_scale, self.dtype)
        if self.maximum is not None:
            values = values * (self.maximum - self.minimum)
        else:
            rest = self.total - values.shape[1] * self.minimum
            if rest < 0:
                raise StimulusError(
                    f"'total' of {self.total:g} Hz is less than {values.shape[1]} pixels of "
                    f"'minimum' {self.minimum:g} Hz.",
                    name="total",
                )
            sums = xp.sum(values, axis=1, keepdims=True)
            values = values / xp.where(sums > 0, sums, xp.ones_like(sums)) * rest
        return values + self.minimum if self.minimum else values
