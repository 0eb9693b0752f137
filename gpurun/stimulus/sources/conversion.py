"""Arrays of any library as NumPy's or CuPy's, without a copy where that is possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpurun.arrays import require_cupy
from gpurun.errors import DatasetError

#: DLPack's numbers for memory of a CUDA card, and for memory that moves there when it is used.
_CUDA = (2, 13)
_NUMBERS = "biuf"


def lies_on_card(value: Any) -> bool:
    """Whether the elements of `value` are in a card's memory.

    Arrays of PyTorch and JAX have ``__cuda_array_interface__`` in their class wherever they
    are, so DLPack is asked first.
    """
    try:
        return int(value.__dlpack_device__()[0]) in _CUDA
    except Exception:  # what a library raises for an array that it cannot share is its own matter
        pass
    try:
        return value.__cuda_array_interface__ is not None
    except Exception:
        return False


def as_array(value: Any, what: str, *, file: str | None = None) -> Any:
    """`value` as a NumPy array, or as a CuPy array if it is in a card's memory.

    Parameters
    ----------
    value : array_like
        Of any library that speaks DLPack, the CUDA array interface or NumPy's protocols.
    what : str
        Name for messages.
    file : str, optional
        For the exception.

    Raises
    ------
    DatasetError
        It is no array.
    NotSupportedError
        It is in a card's memory and there is no CuPy.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise DatasetError(
            f"{what} is a masked array. Say what stands in the place of missing values, with "
            "filled().",
            file=file,
        )
    if getattr(value, "requires_grad", False) is True:
        value = value.detach()  # PyTorch does not share what it differentiates
    if lies_on_card(value):
        return _on_card(value)
    if isinstance(value, np.ndarray):
        return value.view(np.ndarray)
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # a type that DLPack or NumPy lacks; the library may convert it itself
    try:
        return np.asarray(value)
    except Exception as error:  # every library has its own
        raise DatasetError(f"{what} cannot be made an array: {error}", file=file) from error


def _on_card(value: Any) -> Any:
    cupy = require_cupy("A data set in a card's memory")
    if isinstance(value, cupy.ndarray):
        array = value
    elif hasattr(value, "__cuda_array_interface__"):
        array = cupy.asarray(value)
    else:
        array = cupy.from_dlpack(value)
    # Not every library says which stream still writes to the memory, and batches are read in
    # other streams
    array.device.synchronize()
    return array


def as_host_array(value: Any, what: str, *, file: str | None = None) -> np.ndarray:
    """`value` as a NumPy array, copied from a card if it is there. Raises as `as_array`."""
    array = as_array(value, what, file=file)
    return array.get() if lies_on_card(array) else array


def check_images(array: Any, what: str, *, file: str | None = None) -> None:
    """Raise DatasetError unless `array` holds numbers, and images along its first axis."""
    check_numbers(array.dtype, what, file=file)
    if not array.ndim:
        raise DatasetError(
            f"{what}: a single number is no array of images. The first axis counts images.",
            file=file,
        )


def check_numbers(dtype: np.dtype[Any], what: str, *, file: str | None = None) -> None:
    """Raise DatasetError unless `dtype` is one of real numbers or of booleans."""
    if dtype.names:
        raise DatasetError(
            f"{what}: records with the fields {', '.join(dtype.names)} are no images. Events are "
            "made into frames by EventSource, or source(..., sensor_size=...).",
            file=file,
        )
    if dtype.kind not in _NUMBERS:
        raise DatasetError(
            f"{what}: images are arrays of real numbers, not of {dtype}. All images of a data set "
            "need the same shape.",
            file=file,
        )


def check_labels(labels: Any, count: int, *, file: str | None = None) -> np.ndarray:
    """`labels` as a NumPy array of shape (count,); one of shape (count, 1) will do.

    Raises
    ------
    DatasetError
        There are more or fewer, or they are neither numbers nor text.
    """
    array = as_host_array(labels, "labels", file=file)
    if array.shape == (count, 1):
        array = array.reshape(count)
    if array.ndim != 1:
        raise DatasetError(
            f"Labels are one number for each image; these have the shape {array.shape}. If that is "
            "one column for each class, give labels.argmax(axis=1).",
            file=file,
        )
    if array.shape != (count,):
        raise DatasetError(f"There are {count} images, but {len(array)} labels.", file=file)
    if array.dtype.kind not in _NUMBERS + "U":
        raise DatasetError(f"Labels are numbers or text, not {array.dtype}.", file=file)
    return array
