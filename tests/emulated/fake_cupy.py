"""As much of CuPy as gpurun calls, for memory of an emulated card, which is memory of the host.

``sys.modules["cupy"] = fake_cupy`` puts it in the place of the real one, whose own runtime
would look for a real card.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

#: What was called, in order: ("device", 0), "copy", "synchronize".
calls: list[Any] = []


#: Bytes of the memory of the card that arrays have, by address.
allocations: dict[int, int] = {}


def _library() -> ctypes.CDLL | None:
    """The emulated CUDA runtime that a session of this process has loaded."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {line.split()[-1] for line in lines if line.endswith("/libcuda_emulator.so")}
    return ctypes.CDLL(paths.pop()) if paths else None


class _Memory:
    """Memory of the card for one array."""

    def __init__(self, size: int) -> None:
        library = _library()
        assert library is not None, "no session has loaded the emulator yet"
        address = ctypes.c_void_p()
        assert library.cudaMalloc(ctypes.byref(address), ctypes.c_size_t(max(1, size))) == 0
        self.address = int(address.value or 0)
        allocations[self.address] = size
        self.__array_interface__ = {
            "shape": (size,), "typestr": "|u1", "data": (self.address, False), "version": 3,
        }  # fmt: skip
        self._free = library.cudaFree

    def __del__(self) -> None:
        del allocations[self.address]
        self._free(ctypes.c_void_p(self.address))


class Array(np.ndarray):
    """An array "on the card"; ``base`` is None for one that NumPy has made of others."""

    def __dlpack_device__(self) -> tuple[int, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return 2, 0

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        here = self.__array_interface__
        return {**here, "stream": None, "strides": here["strides"]}

    def get(self) -> np.ndarray:
        """A copy on the host."""
        calls.append("get")
        return np.array(self)

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        """Copy from the host."""
        calls.append("set")
        self[...] = array

    def copy(self, order: Any = "C") -> Array:
        """A copy on the card."""
        calls.append("copy")
        return super().copy(order).view(Array)


#: What `array_api_compat` knows CuPy's arrays by.
ndarray = Array


class _Device:
    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        calls.append(("device", self.number))

    def __exit__(self, *_: object) -> None:
        pass


class _Stream:
    ptr = 0

    def __init__(self, non_blocking: bool = False) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        calls.append("synchronize")

    def record(self) -> str:
        """An event."""
        return "event"

    def wait_event(self, event: str) -> None:
        """Wait for one."""
        calls.append("wait")


runtime = SimpleNamespace(getDeviceCount=lambda: 1, memGetInfo=lambda: (2**26, 2**28))
cuda = SimpleNamespace(
    Device=_Device,
    Stream=_Stream,
    get_current_stream=_Stream,
    alloc_pinned_memory=bytearray,
    runtime=runtime,
)


def _on_card(array: np.ndarray) -> bool:
    return any(a <= array.ctypes.data < a + max(1, n) for a, n in allocations.items())


def asarray(value: Any) -> Array:
    """An array that shares the memory of `value`, or a copy of one on the host."""
    if isinstance(value, Array) and (_on_card(value) or _library() is None):
        return value
    if isinstance(value, np.ndarray) or not hasattr(value, "__cuda_array_interface__"):
        host = np.asarray(value)
        if _library() is None:
            return np.array(host).view(Array)
        there = empty(host.shape, host.dtype)
        np.copyto(there, host)
        return there
    interface = value.__cuda_array_interface__
    assert interface["strides"] is None
    dtype = np.dtype(interface["typestr"])
    size = int(np.prod(interface["shape"])) * dtype.itemsize
    memory = (ctypes.c_ubyte * size).from_address(interface["data"][0])
    return np.frombuffer(memory, dtype).reshape(interface["shape"]).view(Array)


def ascontiguousarray(array: Any) -> Array:
    """An array on the card, in C's order."""
    array = asarray(array)
    return array if array.flags.c_contiguous else asarray(np.ascontiguousarray(array))


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array in memory of its own."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.asarray(_Memory(size)).view(dtype).reshape(shape).view(Array)


def isfinite(array: Any) -> Any:
    """Element-wise."""
    return np.isfinite(array)
