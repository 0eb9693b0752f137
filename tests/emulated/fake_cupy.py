"""As much of CuPy as gpurun calls, for memory of an emulated card, which is memory of the host.

``sys.modules["cupy"] = fake_cupy`` puts it in the place of the real one, whose own runtime
would look for a real card.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

#: What was called, in order: ("device", 0), "copy", "synchronize".
calls: list[Any] = []


class Array(np.ndarray):
    """An array "on the card"; ``base`` is None for one that has its own memory."""

    def get(self) -> np.ndarray:
        """A copy on the host."""
        return np.array(self)

    def copy(self, order: Any = "C") -> Array:
        """A copy on the card."""
        calls.append("copy")
        return super().copy(order).view(Array)


class _Device:
    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        calls.append(("device", self.number))

    def __exit__(self, *_: object) -> None:
        pass


class _Stream:
    ptr = 0

    def synchronize(self) -> None:
        calls.append("synchronize")


cuda = SimpleNamespace(Device=_Device, get_current_stream=_Stream)


def asarray(value: Any) -> Array:
    """An array that shares the memory of `value`, or a copy of one on the host."""
    if isinstance(value, Array):
        return value
    if not hasattr(value, "__cuda_array_interface__"):
        return np.array(value).view(Array)
    interface = value.__cuda_array_interface__
    assert interface["strides"] is None
    dtype = np.dtype(interface["typestr"])
    size = int(np.prod(interface["shape"])) * dtype.itemsize
    memory = (ctypes.c_ubyte * size).from_address(interface["data"][0])
    return np.frombuffer(memory, dtype).reshape(interface["shape"]).view(Array)


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of its own."""
    return np.empty(shape, dtype).view(Array)


def isfinite(array: Any) -> Any:
    """Element-wise."""
    return np.isfinite(array)
