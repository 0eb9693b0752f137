"""Images that come one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.items import Gathering
from gpurun.stimulus.sources.reading import check_indices, consecutive, describe

_END: Any = object()


class IterableSource:
    """An iterable of items, read from the first on.

    An item is what `DatasetSource` takes: ``(image, label)``, a mapping, or an image. The first
    item is read at once, because it says what images are like.

    Parameters
    ----------
    iterable : iterable or callable
        A callable gives a new iterator whenever it is called: a generator function, say. An
        iterator that is given itself can be read once.
    image, label : key, position or callable, optional
        See `DatasetSource`.

    Attributes
    ----------
    count : int or None
        What ``len(iterable)`` says; None if it has no length.

    Raises
    ------
    DatasetError
        There are no items, or they are not understood.
    """

    sequential: bool = True
    on_device: bool = False

    def __init__(self, iterable: Any, image: Any = None, label: Any = None) -> None:
        self._iterable = iterable
        self.count: int | None = len(iterable) if hasattr(iterable, "__len__") else None
        self._iterator: Iterator[Any] | None = self._begin()
        self._once = self._iterator is iterable
        self._ahead = [next(self._iterator, _END)]
        if self._ahead[0] is _END:
            raise DatasetError(
                f"The iterable ({type(iterable).__name__}) gives no items.", file=None
            )
        self._next = 0
        self._ended = False
        self._gathering = Gathering(self._ahead[0], image, label)
        self.shape: tuple[int, ...] = self._gathering.shape
        self.dtype: np.dtype[Any] = self._gathering.dtype

    @property
    def labels(self) -> None:
        """None: labels are not known before items are read."""
        return None

    def read(self, indices: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """The next images, shape (n, *shape), and labels, shape (n,).

        Parameters
        ----------
        indices : array_like of int, shape (n,)
            Those that come next, or from 0 on, which starts again.

        Returns
        -------
        images : ndarray
            Fewer than asked for, perhaps none, at the end.
        labels : ndarray or None

        Raises
        ------
        DatasetError
            Others come next, an iterator that was given itself is to start again, an image is
            not like the first, or there are fewer than ``len()`` says.
        """
        numbers = check_indices(indices, self.count, what=repr(self))
        piece = consecutive(numbers)
        if piece is None or (numbers.size and not self._reaches(piece.start)):
            raise DatasetError(
                f"{self!r} is read in order: image {self._next} comes next, or 0 again. For "
                "another order give a data set with __len__ and __getitem__, or arrays.",
                file=None,
            )
        start = self._next
        items: list[Any] = []
        while len(items) < numbers.size and not self._ended:
            items += self._take()
        if self._ended and self._next < (self.count or 0):
            raise DatasetError(
                f"{self!r} came to its end after {self._next} items, although its len() is "
                f"{self.count}.",
                file=None,
            )
        return self._gathering.gather(items, list(range(start, self._next)))

    def _reaches(self, start: int) -> bool:
        """Whether the image with this number comes next, if need be after starting again."""
        if start == self._next:
            return True
        if start == 0:
            self._restart()
            return True
        return self._ended and start > self._next

    def _restart(self) -> None:
        if self._once:
            raise DatasetError(
                f"{self!r} was given an iterator, which can be read once only, and {self._next} "
                "images were read. Give what makes it: a function without arguments, a generator "
                "function, or an iterable such as a list.",
                file=None,
            )
        self._iterator, self._ahead, self._next, self._ended = None, [], 0, False

    def _take(self) -> list[Any]:
        """The next item in a list, an empty one at the end."""
        if self._iterator is None:
            self._iterator = self._begin()
        item = self._ahead.pop() if self._ahead else next(self._iterator, _END)
        if item is not _END:
            self._next += 1
            return [item]
        self._ended = True
        if not self._next:
            raise DatasetError(
                f"{self!r} gave items once, and none when it was started again. Give a function "
                "that makes a new iterator whenever it is called.",
                file=None,
            )
        return []

    def _begin(self) -> Iterator[Any]:
        made = self._iterable
        if not isinstance(made, Iterable) and callable(made):
            made = made()
        if not isinstance(made, Iterable):
            raise DatasetError(
                f"An iterable, or a function that makes one, is needed; {made!r} is none.",
                file=None,
            )
        return iter(made)

    def __getstate__(self) -> dict[str, Any]:
        # What was read is forgotten with the iterator, unless it is all that there is
        state = dict(self.__dict__)
        if not self._once:
            state.update(_iterator=None, _ahead=[], _next=0, _ended=False)
        return state

    def __repr__(self) -> str:
        return describe(self, self._gathering.label_dtype is not None)
