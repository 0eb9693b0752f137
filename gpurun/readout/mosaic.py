"""Weights as tables and mosaics of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.checks import check_integers, to_host


def weight_matrix(
    weights: Any, i: Any, j: Any, inputs: int | None = None, neurons: int | None = None
) -> NDArray[np.float64]:
    """The weights of synapses as a table.

    Parameters
    ----------
    weights : array_like
        One for each synapse, shape (synapses,).
    i, j : array_like of int
        The synapse's source and target, shape (synapses,).
    inputs, neurons : int, optional
        Number of sources and of targets; by default the largest index and one more.

    Returns
    -------
    numpy.ndarray
        ``float64`` of shape (inputs, neurons); nan where there is no synapse. Several synapses
        between the same two are added up.

    Raises
    ------
    StimulusError
        The arrays are not of the same length or empty, a weight is not finite, or an index is
        out of range.

    Examples
    --------
    >>> weight_matrix([0.5, 1.5, 2.0], [0, 1, 1], [1, 0, 0])
    array([[nan, 0.5],
           [3.5, nan]])
    """
    flat = to_host("weights", weights).astype(np.float64)
    if flat.ndim != 1 or not np.isfinite(flat).all():
        raise StimulusError(
            f"'weights' has the shape {flat.shape} or values that are not finite; with i and j, "
            "give one finite weight for each synapse.",
            name="weights",
        )
    ends = []
    for name, indices, size in (("i", i, inputs), ("j", j, neurons)):
        if indices is None:
            raise StimulusError(
                f"'{name}' is missing. Give both ends of the synapses, i and j.", name=name
            )
        end = check_integers(name, indices)
        if len(end) != len(flat):
            raise StimulusError(
                f"'{name}' has {len(end)} elements, but there are {len(flat)} weights.", name=name
            )
        size = int(end.max()) + 1 if size is None else size
        if end.min() < 0 or end.max() >= size:
            raise StimulusError(
                f"'{name}' ranges from {end.min()} to {end.max()}, expected 0 to {size - 1}.",
                name=name,
            )
        ends.append((end, size))
    (source, rows), (target, columns) = ends
    cell = source * columns + target
    total = np.bincount(cell, flat, rows * columns)
    total[np.bincount(cell, minlength=rows * columns) == 0] = np.nan
    return total.reshape(rows, columns)


def lay_out(
    weights: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images side by side, with a frame of nan around each.

    Parameters
    ----------
    weights : numpy.ndarray
        Shape (inputs, neurons).
    shape : tuple of int
        Rows and columns of an image.

    Returns
    -------
    mosaic : numpy.ndarray
        ``float64``, two-dimensional.
    corners : numpy.ndarray
        Row and column of the first pixel of each image, shape (neurons, 2).
    """
    neurons = weights.shape[1]
    height, width = shape
    columns = min(neurons, int(np.ceil(np.sqrt(1.6 * neurons * height / width))))
    rows = -(-neurons // columns)
    tiles = np.full((rows * columns, height + 1, width + 1), np.nan)
    tiles[:neurons, 1:, 1:] = weights.T.reshape(neurons, height, width)
    grid = tiles.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)
    flat = grid.reshape(rows * (height + 1), columns * (width + 1))
    mosaic = np.pad(flat, ((0, 1), (0, 1)), constant_values=np.nan)
    place = np.arange(neurons)
    corners = np.stack((place // columns * (height + 1), place % columns * (width + 1)), axis=1) + 1
    return mosaic, corners
