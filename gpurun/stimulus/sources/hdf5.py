"""HDF5 files, read in pieces."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.conversion import check_images, check_labels
from gpurun.stimulus.sources.files import MAXIMUM_BYTES, check_size, open_file
from gpurun.stimulus.sources.names import image_name, label_name
from gpurun.stimulus.sources.reading import StoredSource, consecutive, native


class HDF5Source(StoredSource):
    """Images and labels of an HDF5 file.

    Images are read when they are asked for. The file is open from the first read to `close`, or
    as long as the source exists; it is opened anew by a read after that, in another process,
    and where the source was pickled to.

    Parameters
    ----------
    path : path-like
    images : str, optional
        Name of the dataset, such as ``"train/images"``. If left out, it is looked for at the
        top of the file: ``images``, ``x``, ``data``, ``x_train`` and the like.
    labels : str or False, optional
        Name of the dataset; if left out, what goes with the images (``train/labels`` with
        ``train/images``), if it is there. False: no labels.
    maximum_bytes : int, optional
        Limit for labels, which are read at once; 4 GiB if left out.

    Raises
    ------
    DatasetError
        The file or a dataset is missing, damaged or of another format, or there are not as many
        labels as images.
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
        open_file(name).close()
        self._file: h5py.File | None = None
        self._process = 0
        with _readable(name), h5py.File(name, "r") as file:
            if images is None:
                images = image_name(_names(file, ""), None, what=name, file=name)
            dataset = _dataset(file, images, name)
            check_images(dataset, f"{name}, dataset {images!r}", file=name)
            if labels is None:
                beside = _names(file, images.rpartition("/")[0])
                labels = label_name(beside, images, None, what=name, file=name)
            read = None
            if labels is not None and labels is not False:
                found = _dataset(file, labels, name)
                check_size(found.size * found.dtype.itemsize, f"{name}, labels", maximum_bytes)
                read = check_labels(found[()], len(dataset), file=name)
                read = read.astype(native(read.dtype), copy=False)
            super().__init__(dataset.shape[1:], dataset.dtype, len(dataset), read, name)
        self._name = name
        self._images_name = images

    def _images(self, indices: np.ndarray) -> np.ndarray:
        with _readable(self._name):
            dataset = self._open()[self._images_name]
            piece = consecutive(indices)
            if piece is not None:
                images = dataset[piece]
            else:
                # HDF5 reads increasing indices only
                increasing, places = np.unique(indices, return_inverse=True)
                images = dataset[increasing][places]
            return images.astype(self.dtype, copy=False)

    def _open(self) -> Any:
        # The library's own state does not survive a fork
        if self._file is None or self._process != os.getpid():
            self._file = h5py.File(self._name, "r")
            self._process = os.getpid()
        return self._file

    def close(self) -> None:
        """Close the file; twice does no harm."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Report what h5py raises for damaged files as DatasetError."""
    try:
        yield
    except DatasetError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise DatasetError(
            f"{name}: cannot be read ({error}). The file is damaged, or no HDF5 file.", file=name
        ) from error


def _names(file: Any, group: str) -> list[str]:
    """Full names of the datasets in a group."""
    names = [f"{group}/{key}" if group else key for key in (file[group] if group else file)]
    return [name for name in names if isinstance(_member(file, name), h5py.Dataset)]


def _member(file: Any, key: str) -> Any:
    """What is called `key`, None if that is a link to nowhere."""
    try:
        return file[key]
    except (KeyError, OSError):
        return None


def _dataset(file: Any, key: str, name: str) -> Any:
    found = _member(file, key)
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        there: list[str] = []
        file.visititems(lambda k, v: there.append(k) if isinstance(v, h5py.Dataset) else None)
        raise DatasetError(
            f"{name}: there is no dataset {key!r}, only {', '.join(there[:20]) or 'none at all'}.",
            file=name,
        )
    return found
