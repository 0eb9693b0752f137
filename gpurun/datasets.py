"""The real images that come with gpurun.

They are read from the installed package: no download, no network.
"""

from __future__ import annotations

import gzip
import zlib
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import DatasetError

__all__ = ["Digits", "digits"]

_FILE = "digits.csv.gz"
_IMAGES = 1797
_SIDE = 8
_INK = 16
_CLASSES = 10


class Digits(NamedTuple):
    """Handwritten digits with their labels.

    Attributes
    ----------
    images : numpy.ndarray
        Pixels, ``uint8`` of shape (1797, 8, 8): image, row (from the top),
        column (from the left). 0 is paper, 16 is full ink.
    labels : numpy.ndarray
        The digit shown, 0 to 9, ``int64`` of shape (1797,).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def digits() -> Digits:
    """Read the UCI set of handwritten digits, 8x8 pixels.

    Returns
    -------
    Digits
        1,797 images and labels, in the order of the source. The arrays are
        the caller's own: changing them does not change what the next call
        returns.

    Raises
    ------
    gpurun.errors.DatasetError
        If the file in the package is missing, damaged, or not this data set.

    Notes
    -----
    Source: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak,
    UCI Machine Learning Repository, 1998 [1]_, licence CC BY 4.0. The file is the
    test part of that set; ``gpurun/data/DIGITS-LICENSE.txt`` has the details.

    References
    ----------
    .. [1] https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> images, labels = digits()
    >>> images.shape, int(images.max()), int(labels[0])
    ((1797, 8, 8), 16, 0)
    """
    try:
        packed = resources.files("gpurun.data").joinpath(_FILE).read_bytes()
    except (FileNotFoundError, ModuleNotFoundError) as error:
        raise _damaged(f"the file is missing ({error})") from error
    return _parse(packed)


def _parse(packed: bytes) -> Digits:
    """Turn the bytes of the file into checked arrays."""
    try:
        # gzip reports a cut file as EOFError and a wrong checksum as OSError;
        # a flipped bit inside the stream surfaces as zlib.error.
        text = gzip.decompress(packed).decode("ascii")
        table = np.array([line.split(",") for line in text.splitlines()], dtype=np.int64)
    except (EOFError, OSError, zlib.error, ValueError) as error:
        raise _damaged(f"it cannot be read ({error})") from error

    expected = (_IMAGES, _SIDE * _SIDE + 1)
    if table.shape != expected:
        raise _damaged(f"it holds a table of shape {table.shape}, expected {expected}")
    pixels, labels = table[:, :-1], table[:, -1]
    if pixels.min() < 0 or pixels.max() > _INK:
        raise _damaged(f"pixels range from {pixels.min()} to {pixels.max()}, expected 0 to {_INK}")
    if not np.array_equal(np.unique(labels), np.arange(_CLASSES)):
        raise _damaged(f"labels are {np.unique(labels).tolist()}, expected 0 to {_CLASSES - 1}")
    images = pixels.astype(np.uint8).reshape(_IMAGES, _SIDE, _SIDE)
    return Digits(images, labels.copy())


def _damaged(reason: str) -> DatasetError:
    return DatasetError(
        f"gpurun/data/{_FILE}: {reason}. Reinstall gpurun to get the file back.", file=_FILE
    )
