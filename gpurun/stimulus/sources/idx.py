"""IDX files, the format of MNIST and its relatives."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from typing import Any

import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.conversion import check_images, check_labels
from gpurun.stimulus.sources.files import (
    MAXIMUM_BYTES,
    check_size,
    map_file,
    open_file,
    read_rest,
    size_of,
)
from gpurun.stimulus.sources.reading import StoredSource, native, take

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
#: Nothing that deflate makes of one byte is longer, https://zlib.net/zlib_tech.html.
_DEFLATE_RATIO = 1032


def read_idx(path: Any, *, maximum_bytes: int = MAXIMUM_BYTES) -> np.ndarray:
    """The array of an IDX file, big-endian as it is stored.

    A plain file is mapped into memory, a compressed one (which is told by its content) is
    decompressed.

    Parameters
    ----------
    path : path-like
    maximum_bytes : int, optional
        Limit for what is decompressed.

    Raises
    ------
    DatasetError
        This is no such file, it is not as long as its header says, or it is over the limit.

    Notes
    -----
    Two zero bytes, one for the type of elements, one for the number of axes, then the lengths
    of the axes as big-endian 32-bit integers, then the elements: Y. LeCun, C. Cortes and
    C. Burges, "The MNIST database of handwritten digits", file formats.
    """
    name = os.fspath(path)
    with open_file(name) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            dtype, shape = _header(file, name)
            return map_file(file, name, dtype, shape)
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                dtype, shape = _header(stream, name)
                needed = size_of(shape, dtype, name)
                check_size(needed, name, maximum_bytes)
                stored = os.fstat(file.fileno()).st_size
                if needed > stored * _DEFLATE_RATIO:
                    raise DatasetError(
                        f"{name}: {stored} compressed bytes cannot hold the {needed} that its "
                        "header promises. The file is damaged; get it again.",
                        file=name,
                    )
                return read_rest(stream, name, dtype, shape, maximum_bytes=maximum_bytes)
        except (EOFError, OSError, zlib.error) as error:
            raise DatasetError(
                f"{name}: cannot be decompressed ({error}). The file is damaged, or was not "
                "copied to its end; get it again.",
                file=name,
            ) from error


def _header(file: Any, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DatasetError(
            f"{name}: this is no IDX file. One begins with two zero bytes, this with "
            f"{magic[:4].hex(' ') or 'nothing'}.",
            file=name,
        )
    code, rank = magic[2], magic[3]
    if code not in _DTYPES:
        known = ", ".join(f"0x{number:02x}" for number in _DTYPES)
        raise DatasetError(
            f"{name}: IDX has no type of elements 0x{code:02x}, only {known}. The file is damaged "
            "or of another format.",
            file=name,
        )
    if not rank:
        raise DatasetError(f"{name}: an IDX file without axes holds no images.", file=name)
    lengths = file.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise DatasetError(
            f"{name}: ends within its header, which should have {4 + 4 * rank} bytes. The file is "
            "damaged, or was not copied to its end; get it again.",
            file=name,
        )
    return np.dtype(_DTYPES[code]), struct.unpack(f">{rank}I", lengths)


class IdxSource(StoredSource):
    """Images and labels of IDX files, plain or compressed with gzip.

    Plain files are mapped into memory: only what is read is loaded. Compressed ones are
    decompressed once, into memory. What is pickled are the paths.

    Parameters
    ----------
    images : path-like
        File of at least one axis, the first of which counts images.
    labels : path-like, optional
        File of one axis.
    maximum_bytes : int, optional
        Limit for what is decompressed, 4 GiB if left out.

    Raises
    ------
    DatasetError
        A file is missing, damaged, of another format or over the limit, or there are not as
        many labels as images.
    """

    def __init__(
        self, images: Any, labels: Any = None, *, maximum_bytes: int = MAXIMUM_BYTES
    ) -> None:
        name = os.path.abspath(os.fspath(images))
        self._labels_path = None if labels is None else os.path.abspath(os.fspath(labels))
        self._maximum = maximum_bytes
        self._array = read_idx(name, maximum_bytes=maximum_bytes)
        check_images(self._array, name, file=name)
        count = len(self._array)
        read = None
        if self._labels_path is not None:
            read = read_idx(self._labels_path, maximum_bytes=maximum_bytes)
            read = check_labels(read, count, file=self._labels_path)
            read = read.astype(native(read.dtype))  # in memory: they are asked for all at once
        super().__init__(self._array.shape[1:], self._array.dtype, count, read, name)

    def _images(self, indices: np.ndarray) -> np.ndarray:
        return take(self._array, indices)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._path, self._labels_path, self._maximum)


def _again(images: str, labels: str | None, maximum_bytes: int) -> IdxSource:
    return IdxSource(images, labels, maximum_bytes=maximum_bytes)
