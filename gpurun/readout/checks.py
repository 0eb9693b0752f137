"""Checks of counts, labels and classes, and the import of optional libraries."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import NotSupportedError, StimulusError

SILENT = -1
"""Stands where a class cannot be given: the name of a neuron that never fired."""


def to_host(name: str, value: Any) -> NDArray[Any]:
    """`value` as a NumPy array; arrays of CuPy and of a session's card are copied.

    Raises
    ------
    StimulusError
        It is not an array of numbers; `name` says which argument it is.
    """
    if hasattr(type(value), "__cuda_array_interface__") and hasattr(value, "get"):
        value = value.get()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise StimulusError(
            f"'{name}' is not an array of numbers ({error}). Give a NumPy or CuPy array.", name=name
        ) from error
    if array.dtype.kind not in "biuf":
        raise StimulusError(f"'{name}' is an array of type {array.dtype}. Give numbers.", name=name)
    # Without the unit of a Brian Quantity
    return array.view(np.ndarray)


def check_counts(counts: Any, neurons: int | None = None) -> NDArray[np.float64]:
    """Spike counts as float64 of shape (images, neurons).

    Raises
    ------
    StimulusError
        They have another shape, are empty, negative or not finite.
    """
    array = to_host("counts", counts)
    if array.ndim != 2:
        raise StimulusError(
            f"'counts' has the shape {array.shape}, expected (images, neurons). A single image is "
            "given as counts[None].",
            name="counts",
        )
    if not array.size:
        raise StimulusError(
            f"'counts' has the shape {array.shape}: there is nothing to read.", name="counts"
        )
    if neurons is not None and array.shape[1] != neurons:
        raise StimulusError(
            f"'counts' has {array.shape[1]} neurons, but the assignment has {neurons}. Give the "
            "counts of the neurons that were named, in the same order.",
            name="counts",
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise StimulusError(
            "'counts' has values that are negative, nan or infinite. Give numbers of spikes.",
            name="counts",
        )
    return array.astype(np.float64, copy=False)


def check_integers(name: str, values: Any, length: int | None = None) -> NDArray[np.int64]:
    """A flat int64 array, of `length` elements if that is given.

    Raises
    ------
    StimulusError
        It has another shape, is empty, or holds something other than integers.
    """
    array = to_host(name, values)
    if array.ndim != 1 or not array.size:
        raise StimulusError(
            f"'{name}' has the shape {array.shape}, expected a flat array that is not empty.",
            name=name,
        )
    if array.dtype.kind == "f":
        raise StimulusError(
            f"'{name}' is of type {array.dtype}. Give integers, for example {name}.astype(int).",
            name=name,
        )
    if length is not None and len(array) != length:
        raise StimulusError(
            f"'{name}' has {len(array)} elements, expected {length}, one for each image.", name=name
        )
    return array.astype(np.int64)


def check_classes(classes: Any, **labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes in ascending order, each once; those that occur if `classes` is None.

    Raises
    ------
    StimulusError
        One of `labels` has a value that is not among them.
    """
    if classes is None:
        return np.unique(np.concatenate(list(labels.values())))
    known = np.unique(check_integers("classes", classes))
    for name, values in labels.items():
        unknown = np.setdiff1d(values, known)
        if unknown.size:
            raise StimulusError(
                f"'{name}' has {_shortened(unknown)}, not among the classes {_shortened(known)}. "
                "Name all classes with classes=.",
                name=name,
            )
    return known


def check_label_classes(classes: Any, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes of labelled images, see `check_classes`.

    Raises
    ------
    StimulusError
        -1 is among them: it is the name of silent neurons.
    """
    known = check_classes(classes, labels=labels)
    if SILENT in known:
        raise StimulusError(
            f"'labels' has the class {SILENT}, which is the name of silent neurons. Number the "
            "classes otherwise.",
            name="labels",
        )
    return known


def _shortened(values: NDArray[np.int64]) -> str:
    shown = ", ".join(str(value) for value in values[:10])
    return f"{shown}, ..." if len(values) > 10 else shown


def require(module: str, library: str, what: str) -> Any:
    """Import a module of an optional library.

    Raises
    ------
    NotSupportedError
        It cannot be imported; `what` says what needs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise NotSupportedError(
            f"{what} needs {library}, which cannot be imported ({error}). Install it with pip "
            f"install 'gpurun[images]', or pip install {library}.",
            what=library,
        ) from error
