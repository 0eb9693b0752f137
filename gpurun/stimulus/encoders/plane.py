"""Transforms of the image plane: size, parts, borders."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.separable import filtered, plane_last


@functools.lru_cache(maxsize=64)
def _resizing(method: str, size: int, new: int) -> np.ndarray:
    """Weights of `size` old pixels in each of `new` new ones, shape (new, size)."""
    scale = size / new
    if method == "area":
        edges = np.arange(new + 1) * scale
        left = np.maximum(edges[:-1, None], np.arange(size))
        right = np.minimum(edges[1:, None], np.arange(1, size + 1))
        weights = np.maximum(right - left, 0.0)
    else:
        centres = np.clip((np.arange(new) + 0.5) * scale - 0.5, 0, size - 1)
        weights = np.maximum(1.0 - np.abs(centres[:, None] - np.arange(size)), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Resize:
    """Images of another size.

    Parameters
    ----------
    shape : (int, int)
        New rows and columns.
    method : {"area", "linear", "nearest"}
        ``"area"``: the mean of what a new pixel covers; for smaller images. ``"linear"``:
        bilinear between the centres of pixels, constant beyond the outermost; for larger ones.
        ``"nearest"``: the pixel at the new one's centre; the dtype stays.
    axes : (int, int)
        Those of rows and columns: (1, 2) for images of shape (n, rows, columns, channels).

    Raises
    ------
    StimulusError
        A parameter, or images without these axes.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    shape: tuple[int, int]
    method: str = "area"
    axes: tuple[int, int] = (-2, -1)

    def __post_init__(self) -> None:
        parameters.set_field(self, "shape", parameters.shape("shape", self.shape))
        parameters.choice("method", self.method, ("area", "linear", "nearest"))
        parameters.set_field(self, "axes", parameters.axes(self.axes))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Resize a batch; floats keep their dtype, others become float64 (not for nearest)."""
        xp, images = pixels.batch(images)
        plane, undo = plane_last(xp, images, self.axes)
        sizes = plane.shape[-2:]
        if self.method == "nearest":
            for axis, size, new in zip((-2, -1), sizes, self.shape, strict=True):
                # In whole numbers: (2 i + 1) size / (2 new)
                places = (2 * np.arange(new) + 1) * size // (2 * new)
                plane = xp.take(plane, xp.asarray(places), axis=axis)
        else:
            rows, columns = (
                _resizing(self.method, size, new)
                for size, new in zip(sizes, self.shape, strict=True)
            )
            plane = filtered(xp, pixels.floats(xp, plane), rows, columns)
        return xp.permute_dims(plane, undo)


@dataclass(frozen=True)
class Crop:
    """A part of each image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the part.
    at : (int, int), optional
        Row and column where it begins; by default it is the middle (rounded down).
    axes : (int, int)
        Those of rows and columns.

    Raises
    ------
    StimulusError
        A parameter, or images that are too small.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    shape: tuple[int, int]
    at: tuple[int, int] | None = None
    axes: tuple[int, int] = (-2, -1)

    def __post_init__(self) -> None:
        parameters.set_field(self, "shape", parameters.shape("shape", self.shape))
        if self.at is not None:
            try:
                at = tuple(parameters.integer("at", place, low=0) for place in self.at)
            except TypeError:
                at = ()
            if len(at) != 2:
                raise StimulusError(f"'at' is a pair (row, column), not {self.at!r}.", name="at")
            parameters.set_field(self, "at", at)
        parameters.set_field(self, "axes", parameters.axes(self.axes))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """A view of the batch where its library has views; the dtype stays."""
        xp, images = pixels.batch(images)
        plane, undo = plane_last(xp, images, self.axes)
        (rows, columns), (height, width) = plane.shape[-2:], self.shape
        top, left = self.at or ((rows - height) // 2, (columns - width) // 2)
        if min(top, left) < 0 or top + height > rows or left + width > columns:
            raise StimulusError(
                f"A part of shape {self.shape} {'in the middle' if self.at is None else 'there'} "
                f"does not lie within images of {rows} rows and {columns} columns.",
                name="shape",
            )
        return xp.permute_dims(plane[..., top : top + height, left : left + width], undo)


@dataclass(frozen=True)
class Pad:
    """Images with a border that makes them larger; they are in the middle (rounded down).

    Parameters
    ----------
    shape : (int, int)
        New rows and columns.
    value : float
        Of the border's pixels.
    axes : (int, int)
        Those of rows and columns.

    Raises
    ------
    StimulusError
        A parameter, or images that are too large.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    shape: tuple[int, int]
    value: float = 0.0
    axes: tuple[int, int] = (-2, -1)

    def __post_init__(self) -> None:
        parameters.set_field(self, "shape", parameters.shape("shape", self.shape))
        parameters.set_field(self, "value", parameters.number("value", self.value))
        parameters.set_field(self, "axes", parameters.axes(self.axes))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Pad a batch; the dtype stays."""
        xp, images = pixels.batch(images)
        plane, undo = plane_last(xp, images, self.axes)
        (rows, columns), (height, width) = plane.shape[-2:], self.shape
        if rows > height or columns > width:
            raise StimulusError(
                f"Images of {rows} rows and {columns} columns do not fit into {self.shape}; "
                "use Crop or Resize.",
                name="shape",
            )
        value = self._value_in(images.dtype)
        padded = xp.full((*plane.shape[:-2], height, width), value, dtype=images.dtype)
        top, left = (height - rows) // 2, (width - columns) // 2
        padded[..., top : top + rows, left : left + columns] = plane
        return xp.permute_dims(padded, undo)

    def _value_in(self, dtype: Any) -> float | int | bool:
        kind = np.dtype(dtype)
        if kind.kind == "f":
            return self.value
        limits = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
        if not self.value.is_integer() or not limits[0] <= self.value <= limits[1]:
            raise StimulusError(
                f"A border of {self.value:g} is no pixel of type {kind}.", name="value"
            )
        return bool(self.value) if kind.kind == "b" else int(self.value)
