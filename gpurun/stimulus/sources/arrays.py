"""Images that are in memory: the host's, or a card's."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpurun.arrays import require_cupy
from gpurun.stimulus.sources.conversion import (
    as_array,
    check_images,
    check_labels,
    lies_on_card,
)
from gpurun.stimulus.sources.reading import StoredSource, consecutive, take


class ArraySource(StoredSource):
    """Images and labels of arrays.

    Nothing is copied: arrays of CuPy, PyTorch, JAX and others stay where they are, on a card
    too, and what is read at consecutive indices is a view. Do not change the arrays as long as
    the source is in use.

    Parameters
    ----------
    images : array_like, shape (count, ...)
        Real numbers or booleans of any type.
    labels : array_like, shape (count,), optional
        Numbers or text. They are always kept on the host.

    Raises
    ------
    DatasetError
        These are no arrays of numbers, or they are not of the same length.
    NotSupportedError
        Images are in a card's memory and there is no CuPy to read them.

    Examples
    --------
    >>> import numpy as np
    >>> data = ArraySource(np.zeros((10, 28, 28), np.uint8), labels=np.arange(10))
    >>> images, labels = data.read([3, 1])
    >>> images.shape, labels.tolist()
    ((2, 28, 28), [3, 1])
    """

    def __init__(self, images: Any, labels: Any = None) -> None:
        array = as_array(images, "images")
        check_images(array, "images")
        count = len(array)
        if labels is not None:
            labels = check_labels(labels, count)
        super().__init__(array.shape[1:], array.dtype, count, labels)
        self.on_device = lies_on_card(array)
        self._array = array
        if not self.on_device:
            self._array = array.view()
            self._array.flags.writeable = False  # views of it are handed out

    def _images(self, indices: np.ndarray) -> Any:
        if not self.on_device:
            return take(self._array, indices)
        piece = consecutive(indices)
        if piece is not None:
            return self._array[piece]
        cupy = require_cupy("A data set in a card's memory")
        with cupy.cuda.Device(self._array.device.id):
            return self._array[cupy.asarray(indices)]
