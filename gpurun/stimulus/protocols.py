"""What sources, encoders and streams expect of each other."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Source(Protocol):
    """A data set that is read in pieces.

    Attributes
    ----------
    shape : tuple of int
        Of one image.
    dtype : numpy.dtype
        Of an image as it is stored; a stream moves images to the card as they are.
    count : int or None
        Number of images; None if only reading to the end can tell.
    sequential : bool
        Whether images can only be read one after the other, from the first on.
    on_device : bool
        Whether images lie in a card's memory already.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    count: int | None
    sequential: bool
    on_device: bool

    @property
    def labels(self) -> np.ndarray | None:
        """All labels, shape (count,), where they are known without reading the images."""
        ...

    def read(self, indices: np.ndarray) -> tuple[Any, np.ndarray | None]:
        """Images, shape ``(n, *shape)``, and labels, shape (n,), in the order of `indices`.

        A sequential source is asked for consecutive indices, and gives fewer images, perhaps
        none, when it has come to its end; asked for index 0 it starts again.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns a batch of images, shape (n, ...), into another array, shape (n, ...).

    Attributes
    ----------
    random : bool
        Whether it draws random numbers, and is to be told by ``first`` which ones.
    unit : str or None
        Unit of what comes out: ``"Hz"``, ``"1"``; None if it is that of what goes in.
    """

    random: ClassVar[bool]
    unit: ClassVar[str | None]

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Encode a batch whose first image has the number `first` among all presentations."""
        ...
