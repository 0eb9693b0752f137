"""Items of data sets, taken apart: pairs, mappings, or just images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.conversion import as_host_array, check_numbers, lies_on_card
from gpurun.stimulus.sources.names import image_name, label_name

#: The item itself is the image.
WHOLE: Any = ...


@dataclass(frozen=True)
class ItemFormat:
    """Where images and labels are in the items of a data set.

    Parameters
    ----------
    image : key, position, callable or WHOLE
        A callable takes the item.
    label : key, position, callable or None
        None: there are no labels.
    """

    image: Any
    label: Any

    @classmethod
    def of(cls, item: Any, image: Any = None, label: Any = None) -> ItemFormat:
        """The format that fits the first item, as far as it was not said.

        Parameters
        ----------
        item : object
            ``(image, label)``, a mapping with keys such as "image" and "label", or an image.
        image, label : key, position or callable, optional
            What was said. ``label=False``: there are no labels.

        Raises
        ------
        DatasetError
            The image is not found.
        """
        if isinstance(item, Mapping):
            names = [name for name in item if isinstance(name, str)]
            if image is None:
                image = image_name(names, None, what="The data set's items")
            if label is None and isinstance(image, str):
                label = label_name(names, image, None, what="The data set's items")
        elif _is_tuple(item):
            image = 0 if image is None else image
            label = 1 if label is None and len(item) > 1 and image != 1 else label
        elif image is None:
            image = WHOLE
        return cls(image, None if label is False else label)

    def split(self, item: Any, where: str) -> tuple[Any, Any]:
        """Image and label of an item as they are; the label is None where there is none.

        Raises
        ------
        DatasetError
            They are not there.
        """
        image = item if self.image is WHOLE else _part(item, self.image, where)
        label = None if self.label is None else _part(item, self.label, where)
        if self.label is not None and label is None:
            raise DatasetError(
                f"{where} has no label. If labels are not needed, give label=False.", file=None
            )
        return image, label


def _is_tuple(item: Any) -> bool:
    """Whether an item is (image, label, ...). A list may be one, or an image itself."""
    if isinstance(item, tuple):
        return True
    if not isinstance(item, list) or len(item) != 2:
        return False
    try:
        return np.ndim(item[0]) != np.ndim(item[1])
    except ValueError:
        return False


def _part(item: Any, key: Any, where: str) -> Any:
    if callable(key):
        return key(item)
    try:
        return item[key]
    except (KeyError, IndexError, TypeError) as error:
        keys = f", only {', '.join(map(repr, item))}" if isinstance(item, Mapping) else ""
        raise DatasetError(
            f"{where}, of type {type(item).__name__}, has no {key!r}{keys}. Say where images and "
            "labels are, with image= and label=.",
            file=None,
        ) from error


def pixels_of(image: Any, where: str) -> np.ndarray:
    """The image of an item as an array of numbers.

    Raises
    ------
    DatasetError
        It is none, lies on a card, or is a Pillow image with a palette.
    """
    if getattr(image, "mode", None) in ("P", "PA") and hasattr(image, "getpalette"):
        raise DatasetError(
            f"{where} has a palette (Pillow's mode {image.mode}), so its numbers are no "
            "brightnesses. Convert it in the data set, with image.convert('L') or 'RGB'.",
            file=None,
        )
    if lies_on_card(image):
        raise DatasetError(
            f"{where} lies in a card's memory, one image at a time. Give all images as one array, "
            "ArraySource(images, labels), or let the data set's items stay on the CPU.",
            file=None,
        )
    array = as_host_array(image, where)
    check_numbers(array.dtype, where)
    return array


def label_of(label: Any, where: str) -> Any:
    """The label of an item as a NumPy scalar.

    Raises
    ------
    DatasetError
        It is not a single number or text.
    """
    array = as_host_array(label, f"The label of {where}")
    if array.size != 1 or array.dtype.kind not in "biufU":
        raise DatasetError(
            f"The label of {where} is no single number or text, but of type "
            f"{type(label).__name__}, shape {array.shape}. Say where it is with label= (a key, a "
            "position, or a function of the item), or label=False for none. A loader of batches "
            "is not taken; give the data set that it loads.",
            file=None,
        )
    return array.reshape(())[()]


class Gathering:
    """Items that become a batch.

    Parameters
    ----------
    first : object
        Item that all others have to be like.
    image, label : key, position or callable, optional
        See `ItemFormat`.
    convert : callable, optional
        Makes an array of an image as it is in an item and what to call it in messages.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        Of one image.
    label_dtype : numpy.dtype or None
        None: there are no labels.
    """

    def __init__(
        self,
        first: Any,
        image: Any = None,
        label: Any = None,
        convert: Callable[[Any, str], np.ndarray] = pixels_of,
    ) -> None:
        self._convert = convert
        self.format = ItemFormat.of(first, image, label)
        found, label = self.format.split(first, "Item 0")
        pixels = convert(found, "Item 0")
        self.shape = pixels.shape
        self.dtype = pixels.dtype.newbyteorder("=")
        self.first_label = None if label is None else label_of(label, "item 0")
        self.label_dtype = None if label is None else np.asarray(self.first_label).dtype

    def gather(self, items: list[Any], numbers: list[int]) -> tuple[np.ndarray, np.ndarray | None]:
        """Images, shape (n, *shape), and labels, shape (n,), of items with these numbers.

        Raises
        ------
        DatasetError
            One of them is not like the first.
        """
        images = np.empty((len(items), *self.shape), self.dtype)
        labels: list[Any] = []
        for place, (item, number) in enumerate(zip(items, numbers, strict=True)):
            found, label = self.format.split(item, f"Item {number}")
            pixels = self._convert(found, f"Item {number}")
            if pixels.shape != self.shape or pixels.dtype.newbyteorder("=") != self.dtype:
                raise DatasetError(
                    f"Image {number} is of {pixels.dtype} with the shape {pixels.shape}, but image "
                    f"0 of {self.dtype} with the shape {self.shape}. Let the data set's own "
                    "transform make all of them alike.",
                    file=None,
                )
            images[place] = pixels
            if self.label_dtype is not None:
                labels.append(label_of(label, f"item {number}"))
        if self.label_dtype is None:
            return images, None
        return images, np.asarray(labels) if labels else np.empty(0, self.label_dtype)
