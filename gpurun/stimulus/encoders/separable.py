"""Filters of the image plane that work on rows and columns one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpurun.errors import StimulusError


def plane_last(xp: Any, images: Any, axes: tuple[int, int]) -> tuple[Any, tuple[int, ...]]:
    """The batch with rows and columns as the last two axes, and the order that undoes it."""
    found = [axis + images.ndim if axis < 0 else axis for axis in axes]
    if not all(0 < axis < images.ndim for axis in found) or found[0] == found[1]:
        raise StimulusError(
            f"Images of shape {tuple(images.shape)} have no axes {axes} of rows and columns beside "
            "axis 0, which counts images. Set axes=, or reshape them.",
            name="axes",
        )
    order = [axis for axis in range(images.ndim) if axis not in found] + found
    undo = tuple(order.index(axis) for axis in range(images.ndim))
    if order == list(range(images.ndim)):
        return images, undo
    return xp.permute_dims(images, tuple(order)), undo


def filtered(xp: Any, images: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """``rows @ image @ columns.T`` for every image."""
    left = xp.asarray(rows, dtype=images.dtype)
    right = xp.asarray(np.ascontiguousarray(columns.T), dtype=images.dtype)
    return xp.matmul(xp.matmul(left, images), right)
