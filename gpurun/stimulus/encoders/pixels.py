"""Batches of images as encoders take them: any real dtype, any shape, on the host or a card."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders.parameters import HERTZ, ONE, number
from gpurun.values import check_dimensions

#: Pixel values that stand for full intensity where nothing else is said.
_FULL_SCALE = {"uint8": 2.0**8 - 1, "uint16": 2.0**16 - 1}


def batch(images: Any, *, unit: str = "1") -> tuple[Any, Any]:
    """The array namespace of a batch, and the batch as a plain array.

    Parameters
    ----------
    images : array, shape (n, ...)
        Booleans, integers or floats.
    unit : str
        ``"1"`` or ``"Hz"``: what a Brian Quantity has to be.

    Raises
    ------
    StimulusError
        It is no array, has no axis that counts images, no pixels, or holds no real numbers.
    UnitMismatchError
        It is a Quantity of another dimension.
    """
    check_dimensions("images", images, HERTZ if unit == "Hz" else ONE, unit, require_unit=False)
    if isinstance(images, np.ndarray) and type(images) is not np.ndarray:
        images = images.view(np.ndarray)
    try:
        xp: Any = array_namespace(images)
    except TypeError:
        xp = None
    if xp is None or not images.ndim:
        raise StimulusError(
            f"'images' is a NumPy or CuPy array whose first axis counts images, not "
            f"{type(images).__name__}{'' if xp is None else ' without axes'}.",
            name="images",
        )
    if not xp.isdtype(images.dtype, ("bool", "integral", "real floating")):
        raise StimulusError(
            f"'images' are of type {images.dtype}; booleans, integers or floats are wanted.",
            name="images",
        )
    if not math.prod(images.shape[1:]):
        raise StimulusError(
            f"'images' of shape {tuple(images.shape)} have no pixels.", name="images"
        )
    return xp, images


def flat(xp: Any, images: Any) -> Any:
    """The batch in shape (n, pixels), pixels in C order; no copy where they lie like this."""
    images = xp.reshape(images, (images.shape[0], math.prod(images.shape[1:])))
    # The order in memory decides the order of sums, and so their last bits
    contiguous = getattr(xp, "ascontiguousarray", None)
    return images if contiguous is None else contiguous(images)


def floats(xp: Any, images: Any, dtype: str | None = None) -> Any:
    """The batch in `dtype`; without one, floats as they are and others as float64."""
    if dtype is None:
        if xp.isdtype(images.dtype, (xp.float32, xp.float64)):
            return images
        dtype = "float64"
    return xp.astype(images, getattr(xp, dtype), copy=False)


def full_scale(value: Any) -> float | None:
    """A positive float; None stands for the dtype's own."""
    return None if value is None else number("full_scale", value, low=0.0, above=True)


def scaled(xp: Any, images: Any, full: float | None, dtype: str) -> Any:
    """The batch in `dtype`, divided by the pixel value of full intensity.

    Raises
    ------
    StimulusError
        The dtype does not tell that value, and `full` is None.
    """
    if full is None and xp.isdtype(images.dtype, "integral"):
        full = _FULL_SCALE.get(_name(images.dtype))
        if full is None:
            raise StimulusError(
                f"'images' are of type {images.dtype}, which does not tell the value of a pixel of "
                "full intensity: say it with full_scale=, for example full_scale=255.",
                name="full_scale",
            )
    converted = floats(xp, images, dtype)
    return converted if full is None else converted / full


def intensities(xp: Any, images: Any, full: float | None, dtype: str = "float64") -> Any:
    """The batch in shape (n, pixels) and `dtype`, in 0 to 1.

    What a rounding puts outside (a millionth) is put back.

    Parameters
    ----------
    full : float or None
        Pixel value of full intensity; None: 255 for uint8, 65535 for uint16, 1 for floats and
        booleans.

    Raises
    ------
    StimulusError
        A pixel is outside, or the dtype does not tell what full intensity is.
    """
    images = flat(xp, images)
    result = scaled(xp, images, full, dtype)
    kind = _name(images.dtype)
    certain = _FULL_SCALE.get(kind, 1.0 if kind == "bool" else math.inf)
    if certain == math.inf or (full is not None and full < certain):
        in_range(xp, result, 1.0, "are intensities from 0 to 1 (after division by full_scale); "
                 "set full_scale=, or put a Scale, Normalise or Contrast before")  # fmt: skip
        result = limited(xp, result, 0.0, 1.0)
    return result


def limited(xp: Any, values: Any, low: float, high: float) -> Any:
    """Floats between `low` and `high`; nan stays."""
    # `clip` of array-api-compat uses masks, for which it waits for the card
    return xp.minimum(xp.maximum(values, low), high)


def in_range(xp: Any, images: Any, high: float, wanted: str) -> None:
    """Raise StimulusError unless all values lie in 0 to `high`, but for roundings; nan does not."""
    slack = 1e-6 * high
    if not images.shape[0] or bool(xp.all((images >= -slack) & (images <= high + slack))):
        return
    low, top = float(xp.min(images)), float(xp.max(images))
    raise StimulusError(f"'images' {wanted}. These reach from {low:g} to {top:g}.", name="images")


def _name(dtype: Any) -> str:
    return np.dtype(dtype).name
