"""Single image files, read with Pillow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.errors import DatasetError, NotSupportedError, StimulusError

#: What Pillow calls the kinds of pixels, and their types in NumPy.
_MODES = {"1": "?", "L": "u1", "RGB": "u1", "RGBA": "u1", "I": "i4", "F": "f4"}
_RESAMPLING = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
#: Pillow cuts off what does not fit into 8 bits instead of scaling it.
_DEEP = ("I", "F")
_BYTES = ("L", "RGB", "RGBA", "1")


def require_pillow() -> Any:
    """Import Pillow.

    Raises
    ------
    NotSupportedError
        It is not installed.
    """
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise NotSupportedError(
            f"Reading image files needs Pillow, which cannot be imported ({error}). Install it: "
            "pip install pillow.",
            what="pillow",
        ) from error
    return PIL


@dataclass(frozen=True)
class ImageReader:
    """How image files become arrays.

    Parameters
    ----------
    mode : str
        ``"L"`` (grey), ``"RGB"``, ``"RGBA"``, ``"1"``, ``"I"`` (``int32``) or ``"F"``
        (``float32``), as in Pillow.
    shape : tuple of int or None
        Height and width to which images are resized.
    resampling : str
        ``"nearest"``, ``"box"``, ``"bilinear"``, ``"hamming"``, ``"bicubic"``, ``"lanczos"``.

    Raises
    ------
    StimulusError
        One of them is none of these.
    """

    mode: str = "L"
    shape: tuple[int, int] | None = None
    resampling: str = "bilinear"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("mode", self.mode, tuple(_MODES)),
            ("resampling", self.resampling, _RESAMPLING),
        ):
            if value not in known:
                raise StimulusError(
                    f"{name} is one of {', '.join(known)}, not {value!r}.", name=name
                )
        if self.shape is not None:
            good = isinstance(self.shape, tuple | list) and len(self.shape) == 2
            if not good or not all(isinstance(n, int | np.integer) and n > 0 for n in self.shape):
                raise StimulusError(
                    f"shape is (height, width) in pixels, not {self.shape!r}.", name="shape"
                )
            object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the arrays."""
        return np.dtype(_MODES[self.mode])

    def read(self, path: str) -> np.ndarray:
        """Pixels of a file, shape (height, width) or (height, width, channels).

        Raises
        ------
        DatasetError
            It cannot be read, is too large, or has more bits than `mode`.
        """
        pillow = require_pillow()
        bombs = (pillow.Image.DecompressionBombError, pillow.Image.DecompressionBombWarning)
        try:
            with pillow.Image.open(path) as image:
                self._check(image, path, pillow.Image.MAX_IMAGE_PIXELS)
                # Cameras say how they were held
                upright = pillow.ImageOps.exif_transpose(image).convert(self.mode)
                if self.shape is not None and upright.size != self.shape[::-1]:
                    method = pillow.Image.Resampling[self.resampling.upper()]
                    upright = upright.resize(self.shape[::-1], method)
                return np.asarray(upright, self.dtype)
        except DatasetError:
            raise
        except bombs as error:
            raise _too_large(path, error) from error
        except Exception as error:  # Pillow's readers of damaged files raise nearly everything
            raise DatasetError(
                f"{path}: cannot be read as an image ({type(error).__name__}: {error}). Replace "
                "the file or take it out of the folder.",
                file=path,
            ) from error

    def _check(self, image: Any, path: str, limit: int | None) -> None:
        width, height = image.size
        # Where Pillow would only warn
        if limit is not None and width * height > limit:
            raise _too_large(path, f"{width} x {height} pixels, the limit is {limit}")
        if image.mode.split(";")[0] in _DEEP and self.mode in _BYTES:
            raise DatasetError(
                f"{path}: has more than 8 bits in a pixel (Pillow's mode {image.mode}), which do "
                f"not fit into mode='{self.mode}'. Give mode='I' or mode='F'.",
                file=path,
            )


def _too_large(path: str, why: Any) -> DatasetError:
    return DatasetError(
        f"{path}: is suspiciously large ({why}). If it is meant to be, raise "
        "PIL.Image.MAX_IMAGE_PIXELS.",
        file=os.fspath(path),
    )
