"""What all sources share: indices that are checked, and what is taken by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from gpurun.errors import DatasetError


def check_indices(indices: Any, count: int | None, *, what: str, file: str | None = None) -> Any:
    """`indices` as an ``int64`` array, shape (n,).

    Parameters
    ----------
    indices : array_like of int
    count : int or None
        Number of images; None: not known, any index that is not negative will do.
    what : str
        What is read, for messages.
    file : str, optional
        For the exception.

    Raises
    ------
    DatasetError
        They are not whole numbers in a row, or one of them is out of range.
    """
    try:
        array = np.asarray(indices)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{what}: these indices cannot be used ({error}).", file=file) from error
    if array.ndim == 1 and not array.size:
        return np.empty(0, np.int64)  # an empty list is an array of floats to NumPy
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DatasetError(
            f"{what}: indices are a one-dimensional array of integers, not one of {array.dtype} "
            f"with the shape {array.shape}.",
            file=file,
        )
    limit = 2**63 if count is None else count
    # As Python integers: NumPy compares uint64 with int64 as floats
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= limit:
        wrong = low if low < 0 else high
        raise DatasetError(
            f"{what}: there is no image {wrong}. Indices lie in [0, {limit}); negative ones do not "
            "count from the end.",
            file=file,
        )
    return array.astype(np.int64, copy=False)


def consecutive(indices: np.ndarray) -> slice | None:
    """The slice that stands for `indices`, None if they do not follow one another."""
    if not indices.size:
        return slice(0, 0)
    first, last = int(indices[0]), int(indices[-1])
    if last - first != indices.size - 1 or (np.diff(indices) != 1).any():
        return None
    return slice(first, last + 1)


def take(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """``array[indices]`` in the machine's byte order: a view if nothing has to be copied."""
    piece = consecutive(indices)
    taken = array[indices if piece is None else piece]
    return taken.astype(native(taken.dtype), copy=False)


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """`dtype` in the machine's byte order, the only one that cards know."""
    return dtype.newbyteorder("=")


class StoredSource(ABC):
    """A source whose images can be read in any order, and whose labels are known.

    Parameters
    ----------
    shape : tuple of int
        Of one image.
    dtype : numpy.dtype
        Of images as they are stored, in either byte order.
    count : int
    labels : ndarray, shape (count,), optional
    file : str, optional
        Where images come from, for messages.
    """

    sequential: bool = False
    on_device: bool = False

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        count: int,
        labels: np.ndarray | None = None,
        file: str | None = None,
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = native(dtype)
        self.count: int | None = int(count)
        self._labels = labels
        self._path = file

    @property
    def labels(self) -> np.ndarray | None:
        """All labels, shape (count,), or None."""
        return self._labels

    def read(self, indices: Any) -> tuple[Any, np.ndarray | None]:
        """Images, shape (n, *shape), and labels, shape (n,), in the order of `indices`.

        Parameters
        ----------
        indices : array_like of int, shape (n,)
            Any order; an index may be there several times.

        Raises
        ------
        DatasetError
            An index is no integer or out of range, or an image cannot be read.
        """
        numbers = check_indices(indices, self.count, what=self._path or repr(self), file=self._path)
        return self._images(numbers), None if self._labels is None else take(self._labels, numbers)

    @abstractmethod
    def _images(self, indices: np.ndarray) -> Any:
        """Images at checked indices."""

    def __repr__(self) -> str:
        return describe(self, self._labels is not None)


def describe(source: Any, labelled: bool | None = None) -> str:
    """``<IdxSource: 60000 images of uint8, shape (28, 28), with labels>``."""
    count = "" if source.count is None else f"{source.count} "
    kind = {None: "", True: ", with labels", False: ", without labels"}[labelled]
    name = type(source).__name__
    return f"<{name}: {count}images of {source.dtype.name}, shape {source.shape}{kind}>"
