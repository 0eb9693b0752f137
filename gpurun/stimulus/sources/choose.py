"""The right source for whatever holds images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import h5py

from gpurun.errors import DatasetError
from gpurun.stimulus.protocols import Source
from gpurun.stimulus.sources.arrays import ArraySource
from gpurun.stimulus.sources.conversion import lies_on_card
from gpurun.stimulus.sources.dataset import DatasetSource
from gpurun.stimulus.sources.events import EventSource
from gpurun.stimulus.sources.files import open_file
from gpurun.stimulus.sources.folder import FolderSource
from gpurun.stimulus.sources.hdf5 import HDF5Source
from gpurun.stimulus.sources.idx import IdxSource
from gpurun.stimulus.sources.iterable import IterableSource
from gpurun.stimulus.sources.mnist import has_mnist, mnist
from gpurun.stimulus.sources.names import image_name, label_name
from gpurun.stimulus.sources.numpy import NumpySource

_TAKEN = """\
- an array of NumPy, CuPy, PyTorch, JAX or any library with DLPack; (images, labels); a mapping
  with both
- the path of an IDX, .npy, .npz or HDF5 file, of a folder with the files of MNIST, or of a folder
  with a folder of images for each class; (path of images, path of labels)
- a data set with __len__ and __getitem__, such as those of torchvision, Hugging Face and Tonic
  (with sensor_size= for events), or any iterable of images or of (image, label), or a function
  that makes one"""


def source(data: Any, labels: Any = None, **options: Any) -> Any:
    """A `Source` for whatever holds images.

    Parameters
    ----------
    data : object
        - A source, which is given back.
        - An array: `ArraySource`. So are ``(images, labels)``, such as `gpurun.datasets.digits`
          gives, and a mapping, with the names that `NumpySource` looks for.
        - A path: by the file's content an `IdxSource`, `NumpySource` or `HDF5Source`; for a
          folder what `mnist` finds, or else a `FolderSource`. A pair of paths is one of
          images and labels.
        - Something with a length and items: `DatasetSource`, or `EventSource` if there is the
          option ``sensor_size``.
        - An iterable, or a function that makes one: `IterableSource`.
    labels : object, optional
        Of what the source takes: an array, a path, or the name of an array in a file.
    **options
        More arguments of that source.

    Returns
    -------
    Source

    Raises
    ------
    DatasetError
        It is none of these, or cannot be used.
    TypeError
        The source has no such option.

    Examples
    --------
    >>> from gpurun.datasets import digits
    >>> source(digits())
    <ArraySource: 1797 images of uint8, shape (8, 8), with labels>
    """
    if isinstance(data, Source):
        _refuse_labels(labels, data)
        if options:
            raise DatasetError(
                f"{data!r} is a source already; make it with {', '.join(options)}.", file=None
            )
        return data
    if isinstance(data, str | os.PathLike):
        return _from_path(os.fspath(data), labels, options)
    if isinstance(data, tuple) and len(data) == 2 and labels is None and not _is_item(data[1]):
        return source(data[0], data[1], **options)
    if isinstance(data, Mapping):
        return _from_mapping(data, labels, options)
    if _is_array(data):
        return ArraySource(data, labels, **options)
    return _from_items(data, labels, options)


def _from_path(path: str, labels: Any, options: dict[str, Any]) -> Any:
    if os.path.isdir(path):
        _refuse_labels(labels, path)
        if has_mnist(path, options.get("prefix", "")) or "part" in options:
            return mnist(path, **options)
        return FolderSource(path, **options)
    if not isinstance(labels, str | os.PathLike | bool | None):
        raise DatasetError(
            f"{path}: labels of a file are in a file too, so give a path or a name. For an array "
            "of them, give both as arrays: source(numpy.load(path), labels), say.",
            file=path,
        )
    with open_file(path) as file:
        begin = file.read(6)
    if begin == b"\x93NUMPY" or begin.startswith(b"PK"):
        return NumpySource(path, labels=labels, **options)
    if h5py.is_hdf5(path):
        return HDF5Source(path, labels=labels, **options)
    if begin.startswith((b"\x1f\x8b", b"\0\0")):
        return IdxSource(path, labels, **options)
    raise DatasetError(
        f"{path}: is not an IDX, .npy, .npz or HDF5 file: it begins with {begin.hex(' ')}. A "
        "stimulus source is made of\n" + _TAKEN,
        file=path,
    )


def _from_mapping(data: Mapping[Any, Any], labels: Any, options: dict[str, Any]) -> ArraySource:
    what = f"A mapping ({type(data).__name__})"
    names = [name for name in data if isinstance(name, str)]
    images = image_name(names, options.pop("images", None), what=what)
    if labels is None or isinstance(labels, str) or labels is False:
        name = label_name(names, images, labels, what=what)
        labels = None if name is None else data[name]
    return ArraySource(data[images], labels, **options)


def _from_items(data: Any, labels: Any, options: dict[str, Any]) -> Any:
    sized = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not sized and not isinstance(data, Iterable) and not callable(data):
        raise DatasetError(
            f"{data!r}, of type {type(data).__name__}, holds no images that are understood. A "
            "stimulus source is made of\n" + _TAKEN,
            file=None,
        )
    _refuse_labels(labels, data)
    if not sized:
        return IterableSource(data, **options)
    if "sensor_size" in options:
        return EventSource(data, **options)
    return DatasetSource(data, **options)


def _is_array(data: Any) -> bool:
    """Whether all of `data` is images: an array, or a list of them."""
    if isinstance(data, list | tuple):
        return bool(data) and not _is_item(data[0])
    speaks = ("__dlpack__", "__array_interface__", "__array__")
    return lies_on_card(data) or any(hasattr(data, name) for name in speaks)


def _is_item(value: Any) -> bool:
    """Whether a list of such things is one of items with labels, or of Pillow's images."""
    return isinstance(value, tuple | Mapping) or hasattr(value, "getpalette")


def _refuse_labels(labels: Any, data: Any) -> None:
    if labels is not None:
        raise DatasetError(
            f"{type(data).__name__ if not isinstance(data, str) else data} brings its own labels. "
            "Leave labels out, or say with label= where they are in the items.",
            file=data if isinstance(data, str) else None,
        )
