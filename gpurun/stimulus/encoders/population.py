"""Values spread over populations of neurons with overlapping receptive fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels


@dataclass(frozen=True)
class Population:
    """Each value as the activations of several neurons with Gaussian receptive fields.

    Neuron i = 1 ... m of a value in `minimum` to `maximum` has its centre at
    ``minimum + (2 i - 3)/2 (maximum - minimum)/(m - 2)``, and the activation
    ``exp(-(x - centre)² / (2 σ²))`` with ``σ = (maximum - minimum)/(beta (m - 2))``.

    Parameters
    ----------
    neurons : int
        m, for each value; 3 or more.
    minimum, maximum : float or sequence of float
        Range of the values; a sequence has one for each value of an image. Values outside are
        allowed, and activate the outermost neurons.
    beta : float
        Narrows the fields.
    dtype : {"float64", "float32"}

    Raises
    ------
    StimulusError
        A parameter, or images with another number of values than `minimum` and `maximum` have.

    Notes
    -----
    S. M. Bohte, J. N. Kok and H. La Poutré, *Error-backpropagation in temporally encoded networks
    of spiking neurons*, Neurocomputing 48 (2002), 17-37, with beta = 1.5. `Latency` turns the
    activations into times, as they do.

    Examples
    --------
    >>> import numpy as np
    >>> Population(4, minimum=0, maximum=1)(np.array([[0.25]])).round(3)
    array([[0.325, 1.   , 0.325, 0.011]])
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "1"
    neurons: int
    minimum: float | tuple[float, ...]
    maximum: float | tuple[float, ...]
    beta: float = 1.5
    dtype: Any = "float64"

    def __post_init__(self) -> None:
        parameters.set_field(self, "neurons", parameters.integer("neurons", self.neurons, low=3))
        for name in ("minimum", "maximum"):
            value = getattr(self, name)
            if isinstance(value, list | tuple) or np.ndim(value) == 1:
                value = tuple(parameters.number(name, one) for one in value)
            else:
                value = parameters.number(name, value)
            parameters.set_field(self, name, value)
        beta = parameters.number("beta", self.beta, low=0.0, above=True)
        parameters.set_field(self, "beta", beta)
        parameters.set_field(self, "dtype", parameters.float_dtype(self.dtype))
        low, high = np.asarray(self.minimum), np.asarray(self.maximum)
        if low.ndim and high.ndim and low.shape != high.shape:
            raise StimulusError(
                f"'minimum' has {low.size} values and 'maximum' {high.size}.", name="maximum"
            )
        if not np.all(low < high):
            raise StimulusError(
                "'minimum' has to be smaller than 'maximum' for every value.", name="minimum"
            )

    @property
    def centres(self) -> np.ndarray:
        """Centres of the fields, float64 (neurons,) or (values, neurons)."""
        low, high = np.asarray(self.minimum), np.asarray(self.maximum)
        places = (2.0 * np.arange(1, self.neurons + 1) - 3.0) / 2.0 / (self.neurons - 2)
        return low[..., None] + places * (high - low)[..., None]

    @property
    def width(self) -> np.ndarray:
        """σ of the fields, float64 () or (values,)."""
        span = np.asarray(self.maximum) - np.asarray(self.minimum)
        return span / (self.beta * (self.neurons - 2))

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Values of shape (n, ...) to activations, (n, values * neurons), neurons fastest."""
        xp, images = pixels.batch(images)
        values = pixels.floats(xp, pixels.flat(xp, images), self.dtype)
        n, count = values.shape
        centres, width = self.centres, self.width
        if centres.ndim == 2 and centres.shape[0] != count:
            raise StimulusError(
                f"'minimum' and 'maximum' are for {centres.shape[0]} values, and images of shape "
                f"{tuple(images.shape)} have {count}.",
                name="minimum",
            )
        distance = values[:, :, None] - xp.asarray(centres, dtype=values.dtype)
        distance /= xp.asarray(width[..., None], dtype=values.dtype)
        return xp.reshape(xp.exp(distance * distance * -0.5), (n, count * self.neurons))
