"""Files of arrays: opened, compared with what their headers promise, and mapped or read."""

from __future__ import annotations

import math
import os
import stat
from typing import Any, BinaryIO

import numpy as np

from gpurun.errors import DatasetError

#: More is not decompressed into memory unless it is asked for.
MAXIMUM_BYTES = 4 * 2**30
_CHUNK = 2**20


def open_file(path: Any) -> BinaryIO:
    """Open a regular file for reading.

    Raises
    ------
    DatasetError
        There is none, or it cannot be opened.
    """
    name = os.fspath(path)
    try:
        # A named pipe would wait here for ever
        if not stat.S_ISREG(os.stat(name).st_mode):
            raise DatasetError(f"{name}: this is not a file.", file=name)
        return open(name, "rb")
    except FileNotFoundError as error:
        raise DatasetError(f"{name}: there is no such file.", file=name) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{name}: cannot be opened ({error}).", file=name) from error


def size_of(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> int:
    """Bytes of an array.

    Raises
    ------
    DatasetError
        NumPy has no arrays of this shape.
    """
    # NumPy's limit holds for the other axes also if one has the length 0
    if len(shape) > 64 or math.prod(n or 1 for n in shape) * dtype.itemsize >= 2**63:
        raise DatasetError(f"{name}: an array of shape {shape} is too large.", file=name)
    return math.prod(shape) * dtype.itemsize


def map_file(
    file: BinaryIO, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any = "C"
) -> np.ndarray:
    """The rest of a file, as an array whose pages are read when they are used.

    Raises
    ------
    DatasetError
        The rest is longer or shorter than the array.
    """
    offset = file.tell()
    needed = size_of(shape, dtype, name)
    found = os.fstat(file.fileno()).st_size - offset
    if found != needed:
        raise DatasetError(_wrong_length(name, shape, dtype, needed, str(found)), file=name)
    if not needed:
        return np.empty(shape, dtype, order)  # an empty file cannot be mapped
    try:
        # np.asarray: what is derived from a memmap should not claim to be a file
        return np.asarray(np.memmap(file, dtype, "r", offset, shape, order))
    except (OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"{name}: cannot be mapped ({error}).", file=name) from error


def read_rest(
    stream: Any,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    order: Any = "C",
    maximum_bytes: int = MAXIMUM_BYTES,
) -> np.ndarray:
    """The rest of a compressed stream as an array; no more is kept than it should hold.

    What the decompressor raises for damaged data is not caught here.

    Raises
    ------
    DatasetError
        The rest is longer or shorter than the array, or the array has over `maximum_bytes`.
    """
    needed = size_of(shape, dtype, name)
    check_size(needed, name, maximum_bytes)
    try:
        memory = np.empty(needed, np.uint8)
    except MemoryError as error:
        raise DatasetError(f"{name}: there is no memory for {needed} bytes.", file=name) from error
    done = 0
    # In pieces, because the streams' readinto makes a copy of what it reads
    while done < needed:
        piece = stream.read(min(_CHUNK, needed - done))
        if not piece:
            raise DatasetError(_wrong_length(name, shape, dtype, needed, str(done)), file=name)
        memory[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)
    if stream.read(1):  # which checks the checksum besides
        raise DatasetError(_wrong_length(name, shape, dtype, needed, "more"), file=name)
    return memory.view(dtype).reshape(shape, order=order)


def check_size(needed: int, name: str, maximum_bytes: int) -> None:
    """Raise DatasetError if `needed` bytes are over the limit."""
    if needed > maximum_bytes:
        raise DatasetError(
            f"{name}: holds {needed} bytes when it is decompressed, over the limit of "
            f"{maximum_bytes}. If you trust the file and have the memory, give a larger "
            "maximum_bytes; an uncompressed file is read in pieces and has no limit.",
            file=name,
        )


def _wrong_length(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], needed: int, found: str
) -> str:
    return (
        f"{name}: an array of {dtype.name} with the shape {shape} has {needed} bytes, but {found} "
        "follow its header. The file is damaged, or was not copied to its end; get it again."
    )
