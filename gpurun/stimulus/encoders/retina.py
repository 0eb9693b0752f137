"""The filter of the retina."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.separable import filtered, plane_last


@functools.lru_cache(maxsize=64)
def _blurring(sigma: float, size: int) -> np.ndarray:
    """Gaussian weights, shape (size, size); those beyond the border go to the others."""
    places = np.arange(size)
    weights = np.exp(-((places[:, None] - places) ** 2) / (2.0 * sigma**2))
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class DifferenceOfGaussians:
    """What ganglion cells of the retina respond to: a narrow blur minus a wide one.

    ``d = G(centre) * x - G(surround) * x``, each G a normalised Gaussian. Near the border, where
    a part of a Gaussian would lie outside, the rest is normalised again, so that a uniform image
    gives 0 everywhere.

    Parameters
    ----------
    centre, surround : float
        Standard deviations of the Gaussians, in pixels; ``centre < surround``.
    on_off : bool
        Whether the result has two channels, ``max(d, 0)`` of ON cells and ``max(-d, 0)`` of OFF
        cells, or is d itself.
    axes : (int, int)
        Those of rows and columns.

    Raises
    ------
    StimulusError
        A parameter, or images without these axes.

    Notes
    -----
    The model of a receptive field: R. W. Rodieck, *Quantitative analysis of cat retinal ganglion
    cell response to visual stimuli*, Vision Research 5 (1965), 583-601. As the first layer of a
    spiking network, with 1 and 2 pixels: S. R. Kheradpisheh, M. Ganjtabesh, S. J. Thorpe and
    T. Masquelier, *STDP-based spiking deep convolutional neural networks for object recognition*,
    Neural Networks 99 (2018), 56-67; they cut the Gaussians to 7 by 7 pixels, which is not done
    here.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    centre: float = 1.0
    surround: float = 2.0
    on_off: bool = True
    axes: tuple[int, int] = (-2, -1)

    def __post_init__(self) -> None:
        for name in ("centre", "surround"):
            value = parameters.number(name, getattr(self, name), low=0.0, above=True)
            parameters.set_field(self, name, value)
        if not self.centre < self.surround or not math.isfinite(self.centre**-2):
            raise StimulusError(
                f"'centre' ({self.centre:g} pixels) has to be smaller than 'surround' "
                f"({self.surround:g} pixels).",
                name="centre",
            )
        parameters.set_field(self, "axes", parameters.axes(self.axes))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images (n, ...) to (n, 2, ...), ON and OFF, or (n, ...); float32 stays, else float64."""
        xp, images = pixels.batch(images)
        plane, undo = plane_last(xp, pixels.floats(xp, images), self.axes)
        # What is left of a uniform image must be 0 and not rounding, which would be normalised
        plane = plane - plane[..., :1, :1]
        height, width = plane.shape[-2:]
        narrow, wide = (
            filtered(xp, plane, _blurring(sigma, height), _blurring(sigma, width))
            for sigma in (self.centre, self.surround)
        )
        difference = xp.permute_dims(narrow - wide, undo)
        if not self.on_off:
            return difference
        return xp.stack([xp.maximum(difference, 0.0), xp.maximum(-difference, 0.0)], axis=1)
