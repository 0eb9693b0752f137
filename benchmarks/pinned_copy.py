"""A bare copy from pinned memory to a card, through the CUDA runtime and nothing else."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gpurun.bench.clocks import Stopwatch
from gpurun.errors import ToolchainError
from gpurun.toolchain_cuda import CudaToolkit

_TO_DEVICE = 1


class PinnedCopy:
    """Copies the same bytes again and again, and waits until they have arrived.

    Parameters
    ----------
    size : int
        In bytes.
    measure : str
        What its time is called.
    toolkit : CudaToolkit
        Whose runtime library is used.

    Raises
    ------
    ToolchainError
        There is no runtime library.
    """

    name = "bare copy from pinned memory"

    def __init__(self, size: int, measure: str, toolkit: CudaToolkit) -> None:
        self._runtime = _load(toolkit)
        self._size, self._measure = ctypes.c_size_t(size), measure
        self._source, self._target = ctypes.c_void_p(), ctypes.c_void_p()
        self._stream = ctypes.c_void_p()
        self._call("cudaSetDevice", 0)
        self._call("cudaHostAlloc", ctypes.byref(self._source), self._size, 0)
        self._call("cudaMalloc", ctypes.byref(self._target), self._size)
        self._call("cudaStreamCreate", ctypes.byref(self._stream))
        ctypes.memset(self._source, 1, size)

    def present(self, number: int) -> Mapping[str, float]:
        """One copy."""
        copy, wait = self._runtime.cudaMemcpyAsync, self._runtime.cudaStreamSynchronize
        with Stopwatch() as watch:
            status = copy(self._target, self._source, self._size, _TO_DEVICE, self._stream)
            status = status or wait(self._stream)
        self._check("cudaMemcpyAsync", status)
        return {self._measure: watch.seconds}

    def received(self) -> bytes:
        """What lies on the card now."""
        found = ctypes.create_string_buffer(self._size.value)
        self._call("cudaMemcpy", found, self._target, self._size, 2)
        return found.raw

    def close(self) -> None:
        """Give the memory back."""
        self._call("cudaStreamDestroy", self._stream)
        self._call("cudaFree", self._target)
        self._call("cudaFreeHost", self._source)

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(name, getattr(self._runtime, name)(*arguments))

    def _check(self, name: str, status: int) -> None:
        if status:
            raise RuntimeError(f"{name} failed with status {status}")


def _load(toolkit: CudaToolkit) -> ctypes.CDLL:
    for path in _libraries(toolkit):
        try:
            return ctypes.CDLL(path)
        except OSError:
            continue
    raise ToolchainError(
        f"The CUDA runtime's library (libcudart.so) was not found in {toolkit.root}.",
        missing="libcudart.so",
        fix="",
    )


def _libraries(toolkit: CudaToolkit) -> Iterator[str]:
    """Where the runtime may be: the one in use by an emulated card, or the toolkit's."""
    maps = Path("/proc/self/maps")
    if maps.is_file():
        text = maps.read_text(encoding="utf-8", errors="replace")
        yield from dict.fromkeys(re.findall(r"/\S*/libcuda_emulator\.so", text))
    for folder in toolkit.library_dirs:
        yield from sorted(str(path) for path in Path(folder).glob("libcudart.so*"))
    major = toolkit.version.partition(".")[0]
    yield from ("libcudart.so", f"libcudart.so.{major}")
