"""The order in which neurons fired."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.checks import to_host


def firing_order(i: Any, t: Any) -> NDArray[np.int64]:
    """Indices of neurons in the order of their spikes, as :class:`NGram` takes them.

    Parameters
    ----------
    i : array_like of int
        Index of the neuron of each spike, shape (spikes,), as a SpikeMonitor records it.
    t : array_like
        Time of each spike in any unit, shape (spikes,).

    Returns
    -------
    numpy.ndarray
        ``int64`` of shape (spikes,), ordered by time; spikes of the same time by index, because
        a card records them in any order.

    Raises
    ------
    StimulusError
        `i` and `t` are not flat arrays of the same length, or `i` holds no indices.

    Examples
    --------
    >>> firing_order([4, 0, 2], [0.003, 0.001, 0.003])
    array([0, 2, 4])
    """
    indices, times = _indices("i", i), to_host("t", t)
    if times.shape != indices.shape:
        raise StimulusError(
            f"'t' has the shape {times.shape}, but 'i' has the shape {indices.shape}. Give the "
            "time and the neuron of each spike.",
            name="t",
        )
    return indices[np.lexsort((indices, times))]


class Orders(NamedTuple):
    """The firing orders of several images, one after the other.

    Attributes
    ----------
    neurons : numpy.ndarray
        ``int64`` of shape (spikes,).
    image : numpy.ndarray
        Number of the image of each spike, ascending, shape (spikes,).
    images : int
        Number of images.
    """

    neurons: NDArray[np.int64]
    image: NDArray[np.int64]
    images: int


def read_orders(spikes: Any) -> Orders:
    """Join firing orders, or find them in spike trains.

    Parameters
    ----------
    spikes : array_like of bool, or iterable of array_like of int
        Spike trains of shape (images, time, neurons), or the firing order of each image.

    Raises
    ------
    StimulusError
        It is neither, or there is no image.
    """
    if hasattr(spikes, "shape") or not hasattr(spikes, "__iter__"):
        return _from_trains(to_host("spikes", spikes))
    orders = [_indices("spikes", order) for order in spikes]
    if not orders:
        raise StimulusError("'spikes' has no image: there is nothing to read.", name="spikes")
    image = np.repeat(np.arange(len(orders)), [len(order) for order in orders])
    return Orders(np.concatenate(orders), image, len(orders))


def _from_trains(trains: NDArray[Any]) -> Orders:
    if trains.ndim != 3 or not len(trains):
        raise StimulusError(
            f"'spikes' is an array of the shape {trains.shape}, expected spike trains of the shape "
            "(images, time, neurons), or a list with the firing order of each image.",
            name="spikes",
        )
    if trains.dtype != bool and not np.isin(trains, (0, 1)).all():
        raise StimulusError(
            "'spikes' has other values than 0 and 1. Give trains with at most one spike of a "
            "neuron in a time step.",
            name="spikes",
        )
    image, _, neurons = np.nonzero(trains)
    return Orders(neurons, image, len(trains))


def _indices(name: str, values: Any) -> NDArray[np.int64]:
    array = to_host(name, values)
    if not array.size and array.ndim == 1:
        return np.zeros(0, np.int64)  # [] is of floating point type
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0:
        raise StimulusError(
            f"'{name}' has to hold the indices of neurons in flat arrays, integers from 0 on; got "
            f"an array of type {array.dtype} with the shape {array.shape}"
            + (f" and the value {array.min()}." if array.size else "."),
            name=name,
        )
    return array.astype(np.int64)
