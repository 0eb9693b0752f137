"""Arrays in the memory of a card: given as overrides, and lent by a session.

Whatever speaks the CUDA array interface (CuPy, PyTorch, Numba, JAX) or DLPack is understood,
without importing any of them. See
https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpurun.errors import (
    DtypeMismatchError,
    NotSupportedError,
    OverrideError,
    ShapeMismatchError,
)

# A card's own memory, and managed memory
_DLPACK_CUDA = (2, 13)


@dataclass(frozen=True)
class DeviceSource:
    """Elements in a card's memory that are to be copied from there.

    Attributes
    ----------
    address : int
    size : int
        Number of elements.
    dtype : numpy.dtype
    stream : int or None
        The stream that fills the memory: 1 is the legacy default stream, 2 the per-thread one.
        None: it is ready.
    """

    address: int
    size: int
    dtype: np.dtype[Any]
    stream: int | None
    _owner: Any = field(repr=False, default=None)


def on_device(value: Any) -> bool:
    """Whether `value` lies in a card's memory."""
    # First what knows: PyTorch and JAX have the attribute for arrays of the host, too
    try:
        return int(value.__dlpack_device__()[0]) in _DLPACK_CUDA
    except (AttributeError, TypeError, BufferError, RuntimeError):
        return hasattr(type(value), "__cuda_array_interface__")


def _interface(name: str, value: Any) -> dict[str, Any]:
    if not hasattr(type(value), "__cuda_array_interface__"):
        try:
            cupy = require_cupy(f"'{name}', an array in a card's memory that only speaks DLPack,")
        except NotSupportedError as error:
            raise OverrideError(error.message, name=name) from error
        value = cupy.from_dlpack(value)
    return {**value.__cuda_array_interface__, "owner": value}


def device_source(
    name: str, value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> DeviceSource:
    """What to copy for a variable of `dtype` and `shape`.

    Raises
    ------
    DtypeMismatchError, ShapeMismatchError
        Nothing is converted on the card.
    OverrideError
        The elements are not side by side, or are not to be had.
    """
    interface = _interface(name, value)
    found = np.dtype(interface["typestr"])
    if found != dtype:
        raise DtypeMismatchError(
            f"'{name}' is of type {dtype.name}, but the array on the card is of type {found.name}. "
            f"Convert it there with astype('{dtype.name}').",
            name=name,
            expected=dtype.name,
            got=found.name,
        )
    got = tuple(int(n) for n in interface["shape"])
    if got != shape:
        raise ShapeMismatchError(
            f"'{name}' has the shape {shape}, but the array on the card has the shape {got}.",
            name=name,
            expected=shape,
            got=got,
        )
    strides = interface.get("strides")
    size = math.prod(got)
    if strides is not None and size > 1 and tuple(strides) != _contiguous(got, dtype.itemsize):
        raise OverrideError(
            f"'{name}' was given an array on the card whose elements are not side by side. Copy it "
            "there with ascontiguousarray().",
            name=name,
        )
    address = interface["data"][0]
    return DeviceSource(int(address or 0), size, dtype, interface.get("stream"), interface["owner"])


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides, step = [], itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))


def require_cupy(why: str) -> Any:
    """Import CuPy.

    Raises
    ------
    NotSupportedError
        It is not installed, or does not start; `why` says what needs it.
    """
    try:
        import cupy  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NotSupportedError(
            f"{why} needs CuPy, which cannot be imported ({error}). Install it (pip install "
            "cupy-cuda13x for CUDA 13), or do without.",
            what="cupy",
        ) from error
    return cupy


class DeviceArray:
    """A variable of a session where it is: in the card's memory.

    It shows the values of the moment when it was made until the session runs, writes or
    closes; copy it to keep them. ``cupy.asarray(array)`` and ``torch.as_tensor(array)`` make
    arrays of their own kind of it without copying.

    Parameters
    ----------
    owner : object
        Keeps the memory.
    address : int
    shape : tuple of int
    dtype : numpy.dtype
    fetch : callable
        Copies bytes from an address to a NumPy array.
    """

    def __init__(
        self,
        owner: Any,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fetch: Callable[[int, np.ndarray], None],
    ) -> None:
        self._owner = owner
        self._fetch = fetch
        self.shape = shape
        self.dtype = dtype
        self._address = address

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self._address, True),
            "strides": None,
            "stream": None,  # the session waits before it lends
            "version": 3,
        }

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def get(self) -> np.ndarray:
        """A copy as a NumPy array."""
        array = np.empty(self.shape, self.dtype)
        if array.size:
            self._fetch(self._address, array)
        return array

    def to_cupy(self, card: int, *, copy: bool) -> Any:
        """The elements as a CuPy array, a copy of its own or this memory.

        Parameters
        ----------
        card : int
            CUDA's number of the card.
        copy : bool
        """
        cupy = require_cupy("An array on the card")
        with cupy.cuda.Device(card):
            if not self.size:
                return cupy.empty(self.shape, self.dtype)
            array = cupy.asarray(self)
            if copy:
                array = array.copy()
                # The session may write to its memory as soon as this returns
                cupy.cuda.get_current_stream().synchronize()
            return array

    def __repr__(self) -> str:
        return f"<DeviceArray of {self.dtype.name}, shape {self.shape}>"
