"""Data sets of other libraries, read item by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.conversion import as_host_array, check_labels
from gpurun.stimulus.sources.items import Gathering
from gpurun.stimulus.sources.reading import check_indices, describe, take


class DatasetSource:
    """A data set with a length, whose items are got by number.

    Those of torchvision, Hugging Face and Tonic, and PyTorch's own, are such; none of these
    libraries is needed here. An item is ``(image, label)``, a mapping such as
    ``{"image": ..., "label": ...}``, or an image alone; an image is one of Pillow's, an array,
    or a tensor on the CPU. All images need one shape and type.

    Labels are known beforehand where the data set has them in ``targets`` or ``labels``, or in
    a column (Hugging Face), and does not change them.

    Parameters
    ----------
    dataset : object
        With ``__len__`` and ``__getitem__``.
    image : key, position or callable, optional
        Where the image is in an item; a callable takes the item.
    label : key, position, callable or False, optional
        Where the label is. False: there are no labels.

    Raises
    ------
    DatasetError
        The data set is empty, or its items are not understood. Reading raises it for an image
        that is not like the first, and for labels that are not those known beforehand.
    """

    sequential: bool = False
    on_device: bool = False

    def __init__(self, dataset: Any, image: Any = None, label: Any = None) -> None:
        if isinstance(dataset, Mapping):
            raise DatasetError(
                f"This is a mapping with the keys {', '.join(map(repr, list(dataset)[:10]))}. If "
                "these are parts of a data set, give one of them, such as dataset['train'].",
                file=None,
            )
        self._dataset = dataset
        self.count: int | None = len(dataset)
        if not self.count:
            raise DatasetError(f"The data set ({type(dataset).__name__}) has no items.", file=None)
        self._gathering = self._gather_like(dataset[0], image, label)
        self.shape: tuple[int, ...] = self._gathering.shape
        self.dtype: np.dtype[Any] = self._gathering.dtype
        self._labels = self._known_labels()

    @property
    def labels(self) -> np.ndarray | None:
        """All labels, shape (count,), or None where only items have them."""
        return self._labels

    def read(self, indices: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Images, shape (n, *shape), and labels, shape (n,), in the order of `indices`.

        Raises
        ------
        DatasetError
            An index is no integer or out of range, an image is not like the first, or labels
            are not those known beforehand.
        """
        numbers = check_indices(indices, self.count, what=repr(self))
        listed = numbers.tolist()
        # NumPy's integers are not taken by every data set
        images, labels = self._gathering.gather([self._dataset[n] for n in listed], listed)
        if self._labels is not None and labels is not None:
            known = take(self._labels, numbers)
            if not np.array_equal(known, labels):
                wrong = listed[int(np.argmax(known != labels))]
                raise DatasetError(
                    f"Item {wrong} has another label than the data set's list of labels says. Say "
                    "where the right one is, with label= (a function of the item, say).",
                    file=None,
                )
        return images, labels

    def _gather_like(self, first: Any, image: Any, label: Any) -> Gathering:
        return Gathering(first, image, label)

    def _known_labels(self) -> np.ndarray | None:
        form = self._gathering.format
        if form.label is None or callable(form.label):
            return None
        try:
            found = _column(self._dataset, form.label)
            if found is None:
                return None
            labels = check_labels(found, int(self.count or 0))
        except DatasetError:
            return None  # of another kind: boxes, several for each image
        # A transform of labels that could not be seen
        return labels if labels[0] == self._gathering.first_label else None

    def __repr__(self) -> str:
        return describe(self, self._gathering.label_dtype is not None)


def _column(dataset: Any, key: Any) -> Any:
    """All labels of a data set, or None if it does not have them in one place."""
    if isinstance(key, str):
        # Hugging Face
        return dataset[key][:] if key in (getattr(dataset, "column_names", None) or ()) else None
    if hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        # A subset, as PyTorch has them
        whole = _column(dataset.dataset, key)
        if whole is None:
            return None
        return as_host_array(whole, "labels")[as_host_array(dataset.indices, "indices")]
    for owner in (dataset, getattr(dataset, "transforms", None)):
        if getattr(owner, "target_transform", None) is not None:
            return None
    for name in ("targets", "labels"):
        found = getattr(dataset, name, None)
        if found is not None:
            return found
    return None
