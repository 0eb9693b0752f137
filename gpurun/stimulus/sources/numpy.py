"""NumPy's own files: ``.npy`` and ``.npz``."""

from __future__ import annotations

import os
import zipfile
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
from gpurun.stimulus.sources.names import image_name, label_name
from gpurun.stimulus.sources.reading import StoredSource, native, take

_ZIP = b"PK"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NumpySource(StoredSource):
    """Images and labels of a ``.npy`` or ``.npz`` file, told apart by content.

    A ``.npy`` file is mapped into memory: only what is read is loaded. The arrays of an
    ``.npz`` file are read once, into memory. Pickled objects in files are never loaded. What is
    pickled are the paths.

    Parameters
    ----------
    path : path-like
    images : str, optional
        Name of the array in an ``.npz`` file. If left out, it is looked for: ``images``,
        ``x``, ``data``, ``x_train`` and the like.
    labels : path-like, str or False, optional
        Another ``.npy`` file for a ``.npy`` file. For an ``.npz`` file the name of the array;
        if left out, what goes with the images (``y_test`` with ``x_test``), if it is there.
        False: no labels.
    maximum_bytes : int, optional
        Limit for each array of an ``.npz`` file, 4 GiB if left out.

    Raises
    ------
    DatasetError
        A file or an array in it is missing, damaged, of another format or over the limit, or
        there are not as many labels as images.
    """

    def __init__(
        self,
        path: Any,
        images: str | None = None,
        labels: Any = None,
        *,
        maximum_bytes: int = MAXIMUM_BYTES,
    ) -> None:
        name = os.path.abspath(os.fspath(path))
        with open_file(name) as file:
            packed = file.read(2) == _ZIP
        if packed:
            self._array, read = _read_npz(name, images, labels, maximum_bytes)
        else:
            if images is not None:
                raise DatasetError(
                    f"{name}: a .npy file holds a single array, which has no name such as "
                    f"{images!r}.",
                    file=name,
                )
            self._array, read = _map_npy(name), None
            if labels is not None and labels is not False:
                labels = os.path.abspath(os.fspath(labels))
                read = _map_npy(labels)
        check_images(self._array, name, file=name)
        if read is not None:
            read = check_labels(read, len(self._array), file=name)
            read = read.astype(native(read.dtype))  # in memory: they are asked for all at once
        super().__init__(self._array.shape[1:], self._array.dtype, len(self._array), read, name)
        self._arguments = (name, images, labels, maximum_bytes)

    def _images(self, indices: np.ndarray) -> np.ndarray:
        return take(self._array, indices)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._arguments


def _again(path: str, images: str | None, labels: Any, maximum_bytes: int) -> NumpySource:
    return NumpySource(path, images, labels, maximum_bytes=maximum_bytes)


def _map_npy(name: str) -> np.ndarray:
    with open_file(name) as file:
        dtype, shape, order = _header(file, name)
        return map_file(file, name, dtype, shape, order)


def _read_npz(
    name: str, images: str | None, labels: Any, maximum_bytes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        with zipfile.ZipFile(name) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            images = image_name(names, images, what=name, file=name)
            labels = label_name(names, images, labels, what=name, file=name)
            array = _read_member(archive, name, images, maximum_bytes)
            read = None if labels is None else _read_member(archive, name, labels, maximum_bytes)
            return array, read
    except DatasetError:
        raise
    except Exception as error:  # zipfile and its decompressors raise a dozen kinds
        raise DatasetError(
            f"{name}: cannot be read ({error}). The file is damaged, or no .npz file.", file=name
        ) from error


def _read_member(
    archive: zipfile.ZipFile, name: str, member: str, maximum_bytes: int
) -> np.ndarray:
    where = f"{name}, array {member!r}"
    entry = archive.getinfo(member + ".npy")
    # Before anything is decompressed, the header included
    check_size(entry.file_size, where, maximum_bytes)
    with archive.open(entry) as stream:
        dtype, shape, order = _header(stream, where, name)
        return read_rest(stream, where, dtype, shape, order, maximum_bytes)


def _header(
    stream: Any, what: str, file: str | None = None
) -> tuple[np.dtype[Any], tuple[int, ...], str]:
    """dtype, shape and order ("C" or "F") of the array that follows."""
    file = file or what
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = _HEADERS[version](stream)
    except Exception as error:  # NumPy evaluates the header as Python does, with all its errors
        raise DatasetError(
            f"{what}: cannot be read as a NumPy array ({error}). The file is damaged or of another "
            "format.",
            file=file,
        ) from error
    if dtype.hasobject or not dtype.itemsize:
        raise DatasetError(
            f"{what}: holds Python objects or nothing ({dtype}), which are not loaded. Save arrays "
            "of numbers.",
            file=file,
        )
    if any(n < 0 for n in shape):
        raise DatasetError(f"{what}: a shape of {shape} is no shape; it is damaged.", file=file)
    size_of(shape, dtype, what)
    return dtype, shape, "F" if fortran else "C"
