"""Files and arrays for the tests of sources, made here."""

from __future__ import annotations

import ctypes
import gzip
import struct
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

#: By the code in an IDX header.
IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file with the elements of `array`."""
    code = IDX_CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path: Path, array: np.ndarray, *, packed: bool = False) -> Path:
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return path


class Tensor:
    """An array of another library that shares CPU memory through DLPack, and nothing else.

    As PyTorch's and JAX's, its class has ``__cuda_array_interface__`` wherever it is.
    """

    def __init__(self, array: np.ndarray, *, requires_grad: bool = False) -> None:
        self._array = array
        self.requires_grad = requires_grad

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AttributeError("this tensor is on the CPU")

    def __dlpack__(self, **arguments: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def detach(self) -> Tensor:
        return Tensor(self._array)

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self._array[key])


class CardArray(np.ndarray):
    """What CuPy's arrays are to sources; its memory is the host's."""

    def __array_finalize__(self, _: Any) -> None:
        self.waited = 0

    @property
    def device(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return SimpleNamespace(id=0, synchronize=self._wait)

    def _wait(self) -> None:
        self.waited += 1

    def __dlpack_device__(self) -> Any:
        return (2, 0)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        data = (self.ctypes.data, False)
        return {"shape": self.shape, "typestr": self.dtype.str, "data": data, "version": 3}

    def __getitem__(self, key: Any) -> Any:
        # NumPy's indices are on the host, and CuPy's arrays are not
        assert not isinstance(key, np.ndarray) or isinstance(key, CardArray)
        return super().__getitem__(key)

    def get(self) -> np.ndarray:
        return np.array(self)


class CardTensor:
    """An array of another library in a card's memory."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        data = (self.array.ctypes.data, False)
        shape, typestr = self.array.shape, self.array.dtype.str
        return {"shape": shape, "typestr": typestr, "data": data, "version": 2}


class CardCapsule:
    """One that speaks DLPack only."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, **_: Any) -> Any:
        raise AssertionError("this memory is not the host's")


def fake_cupy() -> ModuleType:
    """As much of CuPy as sources call."""

    class Device:
        def __init__(self, number: int) -> None:
            assert number == 0

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

    def asarray(value: Any) -> CardArray:
        if isinstance(value, CardArray):
            return value
        if isinstance(value, np.ndarray):
            return np.array(value).view(CardArray)
        lent = value.__cuda_array_interface__
        dtype = np.dtype(lent["typestr"])
        size = int(np.prod(lent["shape"])) * dtype.itemsize
        memory = (ctypes.c_ubyte * size).from_address(lent["data"][0])
        return np.frombuffer(memory, dtype).reshape(lent["shape"]).view(CardArray)

    cupy: Any = ModuleType("cupy")
    cupy.ndarray = CardArray
    cupy.asarray = asarray
    cupy.from_dlpack = lambda value: value.array.view(CardArray)
    cupy.cuda = SimpleNamespace(Device=Device)
    return cupy
