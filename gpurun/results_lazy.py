"""An array in a results file, read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np


class LazyArray:
    """Part of an array on disk. Slices read only the chunks that they need.

    ``array[...]`` and ``numpy.asarray(array)`` give NumPy arrays. It takes what NumPy takes as
    an index, but for several lists at once and for new axes.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    attributes : mapping of str to str
        ``units`` and the like.
    """

    def __init__(
        self,
        read: Callable[[tuple[Any, ...]], Any],
        start: int,
        stop: int,
        *,
        dtype: np.dtype[Any],
        row_shape: tuple[int, ...] = (),
        transposed: bool = False,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        # Takes a slice with a positive step, a number, or a sorted list for each axis
        self._read = read
        self._start = start
        self._stop = stop
        self._transposed = transposed and bool(row_shape)
        self.dtype = dtype
        self.attributes = dict(attributes or {})
        stored = (stop - start, *row_shape)
        self._stored = stored
        self.shape: tuple[int, ...] = stored[::-1] if self._transposed else stored

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all elements in memory."""
        return self.size * self.dtype.itemsize

    @property
    def rows(self) -> LazyArray:
        """The same with rows (time steps) first, as it is stored."""
        return LazyArray(
            self._read,
            self._start,
            self._stop,
            dtype=self.dtype,
            row_shape=self._stored[1:],
            attributes=self.attributes,
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("An array on disk cannot be had without a copy.")
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, key: Any) -> Any:
        keys = self._expanded(key)
        if self._transposed:
            keys = keys[::-1]
        selectors, after = [], []
        for axis, (part, length) in enumerate(zip(keys, self._stored, strict=True)):
            selector, rest = _selector(part, length)
            selectors.append(_shifted(selector, self._start) if axis == 0 else selector)
            if rest is not None:
                after.append(rest)
        array = np.asarray(self._read(tuple(selectors)))
        if array.ndim:
            array = array[tuple(after)]
        if array.ndim == 0:
            return array[()]
        return array.T if self._transposed else array

    def _expanded(self, key: Any) -> list[Any]:
        keys = list(key) if isinstance(key, tuple) else [key]
        dots = [n for n, part in enumerate(keys) if part is Ellipsis]
        if dots:
            missing = self.ndim - len(keys) + 1
            keys[dots[0] : dots[0] + 1] = [slice(None)] * missing
        keys += [slice(None)] * (self.ndim - len(keys))
        lists = [part for part in keys if not isinstance(part, slice | int | np.integer)]
        if len(keys) != self.ndim or len(lists) > 1 or any(part is None for part in keys):
            raise IndexError(
                f"{key!r} is no index of an array of shape {self.shape} on disk: one list at a "
                "time, and no new axes. Take [:] first."
            )
        return keys

    def __repr__(self) -> str:
        units = self.attributes.get("units")
        shown = "" if units in (None, "1") else f", in {units}"
        return f"<LazyArray of {self.dtype.name}, shape {self.shape}{shown}>"


def _shifted(selector: Any, start: int) -> Any:
    if isinstance(selector, slice):
        return slice(selector.start + start, selector.stop + start, selector.step)
    return selector + start


def _selector(part: Any, length: int) -> tuple[Any, Any]:
    """What to read along one axis, and the index to apply to it then (None: it is gone)."""
    if isinstance(part, slice):
        start, stop, step = part.indices(length)
        if step > 0:
            return slice(start, max(start, stop), step), slice(None)
        count = len(range(start, stop, step))
        last = start + (count - 1) * step
        return (slice(last, start + 1, -step) if count else slice(0, 0, 1)), slice(None, None, -1)
    if isinstance(part, int | np.integer):
        if not -length <= part < length:
            raise IndexError(f"index {part} is out of bounds for {length} elements")
        return int(part) % length, None
    numbers = np.asarray(part)
    if numbers.dtype == bool:
        if numbers.shape != (length,):
            raise IndexError(f"a mask for {length} elements has the shape {numbers.shape}")
        numbers = np.flatnonzero(numbers)
    elif numbers.size == 0:
        numbers = numbers.astype(np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise IndexError(f"{part!r} is no index along one axis")
    if numbers.size and not -length <= numbers.min() <= numbers.max() < length:
        raise IndexError(f"an index is out of bounds for {length} elements")
    numbers = numbers.astype(np.int64) % max(1, length)
    if not numbers.size:
        return slice(0, 0, 1), slice(None)
    # zarr wants them sorted
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return distinct, inverse
