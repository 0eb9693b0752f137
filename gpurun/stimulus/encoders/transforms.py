"""Transforms of pixel values. Those of the image plane are in `plane` and `retina`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels


@dataclass(frozen=True)
class Scale:
    """Pixel values divided by that of full intensity: 0 to 1.

    Parameters
    ----------
    full_scale : float, optional
        Pixel value of full intensity. Default: 255 for uint8, 65535 for uint16, and 1 for floats
        and booleans. Other integer dtypes do not tell, and need it.
    dtype : {"float64", "float32"}

    Raises
    ------
    StimulusError
        A parameter, or images of another integer dtype without `full_scale`.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    full_scale: float | None = None
    dtype: Any = "float64"

    def __post_init__(self) -> None:
        parameters.set_field(self, "full_scale", pixels.full_scale(self.full_scale))
        parameters.set_field(self, "dtype", parameters.float_dtype(self.dtype))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to floats of the same shape."""
        xp, images = pixels.batch(images)
        return pixels.scaled(xp, images, self.full_scale, self.dtype)


@dataclass(frozen=True)
class Normalise:
    """Each image in proportion to a measure of its own.

    ==============  =============================================================
    ``to``          what becomes of an image x
    ==============  =============================================================
    ``"sum"``       value x / sum(abs(x))
    ``"maximum"``   value x / max(abs(x))
    ``"l2"``        value x / sqrt(sum(x²))
    ``"standard"``  value (x - mean(x)) / std(x), std without Bessel's correction
    ==============  =============================================================

    A blank image, for which that is 0/0, becomes (or stays) 0.

    Parameters
    ----------
    to : {"sum", "maximum", "l2", "standard"}
    value : float
        Positive: what the measure is afterwards.

    Raises
    ------
    StimulusError
        A parameter.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    to: str = "maximum"
    value: float = 1.0

    def __post_init__(self) -> None:
        parameters.choice("to", self.to, ("sum", "maximum", "l2", "standard"))
        value = parameters.number("value", self.value, low=0.0, above=True)
        parameters.set_field(self, "value", value)

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to floats of the same shape: float32 stays, others float64."""
        xp, images = pixels.batch(images)
        values = pixels.flat(xp, pixels.floats(xp, images))
        # First by the maximum: squares and sums of large numbers would overflow
        values = _by_maximum(xp, values)
        if self.to == "sum":
            values = _divided(xp, values, xp.sum(xp.abs(values), axis=1, keepdims=True))
        elif self.to == "l2":
            squares = xp.sum(values * values, axis=1, keepdims=True)
            values = _divided(xp, values, xp.sqrt(squares))
        elif self.to == "standard":
            # What is common to all pixels is taken off exactly, which a rounded mean is not
            values = _by_maximum(xp, values - values[:, :1])
            values = values - xp.mean(values, axis=1, keepdims=True)
            variance = xp.mean(values * values, axis=1, keepdims=True)
            values = _divided(xp, values, xp.sqrt(variance))
        if self.value != 1.0:
            values = values * self.value
        return xp.reshape(values, images.shape)


def _by_maximum(xp: Any, values: Any) -> Any:
    return _divided(xp, values, xp.max(xp.abs(values), axis=1, keepdims=True))


def _divided(xp: Any, values: Any, measure: Any) -> Any:
    return values / xp.where(measure > 0, measure, xp.ones_like(measure))


@dataclass(frozen=True)
class Contrast:
    """Gamma, gain, offset and limits: ``clip(gain sign(x) abs(x)^gamma + offset)``.

    Parameters
    ----------
    gain, offset : float
    gamma : float
        Positive. Below 1 dark pixels become lighter (pixels in 0 to 1).
    clip : (float, float), optional
        Limits of the result.

    Raises
    ------
    StimulusError
        A parameter.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    gain: float = 1.0
    offset: float = 0.0
    gamma: float = 1.0
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            parameters.set_field(self, name, parameters.number(name, getattr(self, name)))
        gamma = parameters.number("gamma", self.gamma, low=0.0, above=True)
        parameters.set_field(self, "gamma", gamma)
        if self.clip is not None:
            parameters.set_field(self, "clip", _limits(self.clip))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images of shape (n, ...) to floats of the same shape: float32 stays, others float64."""
        xp, images = pixels.batch(images)
        values = pixels.floats(xp, images)
        if self.gamma != 1.0:
            values = xp.sign(values) * xp.abs(values) ** self.gamma
        if self.gain != 1.0:
            values = values * self.gain
        if self.offset:
            values = values + self.offset
        return values if self.clip is None else pixels.limited(xp, values, *self.clip)


def _limits(clip: Any) -> tuple[float, float]:
    try:
        low, high = clip
    except (TypeError, ValueError):
        low = high = math.nan
    if low != low or not low < high:
        raise StimulusError(
            f"'clip' is a pair (lower limit, upper limit), not {clip!r}.", name="clip"
        )
    return parameters.number("clip", low), parameters.number("clip", high)


@dataclass(frozen=True)
class Flatten:
    """Images of shape (n, ...) to (n, pixels), in C order; the dtype stays.

    Encoders flatten by themselves.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Flatten a batch, without a copy where pixels lie side by side."""
        return pixels.flat(*pixels.batch(images))
