"""Images and trains as what a TimedArray takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.parameters import SI


@dataclass(frozen=True)
class Frames:
    """Images, or trains, to the values of a two-dimensional TimedArray: time, then pixel.

    An image is shown for `repeat` time steps of the TimedArray. With ``trains=True`` axis 1 of
    what comes in is time, and each of its frames is shown for `repeat` time steps. Around this
    are `before` and `after` steps without an image.

    Parameters
    ----------
    repeat, before, after : int, or Quantity or float together with `dt`
        Numbers of time steps; with `dt` times in seconds, multiples of it.
    dt : Quantity or float, optional
        Time step of the TimedArray, in seconds.
    blank : float
        Value of each pixel in `before` and `after`.
    trains : bool
        Whether (n, time, ...) comes in instead of (n, ...).
    dtype : {"float64", "float32"}

    Raises
    ------
    StimulusError
        A parameter, or trains without an axis of time.
    UnitMismatchError
        A Quantity that is no time.

    Examples
    --------
    >>> import numpy as np
    >>> frames = Frames(repeat=2, after=1)
    >>> frames(np.array([[3.0, 4.0]]))
    array([[[3., 4.],
            [3., 4.],
            [0., 0.]]])
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = None
    repeat: SI = 1
    before: SI = 0
    after: SI = 0
    dt: SI = None
    blank: float = 0.0
    trains: bool = False
    dtype: Any = "float64"

    def __post_init__(self) -> None:
        if self.dt is not None:
            parameters.set_field(self, "dt", parameters.seconds("dt", self.dt))
        for name, low in (("repeat", 1), ("before", 0), ("after", 0)):
            value = getattr(self, name)
            if self.dt is None:
                if getattr(value, "dim", None) is not None or isinstance(value, float):
                    raise StimulusError(
                        f"'{name}' is a number of time steps, not {value!r}. For a time give the "
                        "time step dt=, too.",
                        name=name,
                    )
                parameters.set_field(self, name, parameters.integer(name, value, low=low))
            else:
                parameters.set_field(self, name, parameters.seconds(name, value, zero=not low))
                self._count(name)
        parameters.set_field(self, "blank", parameters.number("blank", self.blank))
        parameters.set_field(self, "dtype", parameters.float_dtype(self.dtype))

    def _count(self, name: str) -> int:
        value = getattr(self, name)
        return value if self.dt is None else parameters.steps_in(name, value, self.dt, low=0)

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """Images (n, ...) or trains (n, time, ...) to frames, (n, steps, pixels)."""
        xp, images = pixels.batch(images)
        repeat, before, after = map(self._count, ("repeat", "before", "after"))
        n, *rest = images.shape
        frames = 1
        if self.trains:
            if not rest:
                raise StimulusError(
                    f"Trains have an axis of time after the first one; these are of shape ({n},).",
                    name="images",
                )
            frames, *rest = rest
        values = xp.reshape(images, (n, frames, math.prod(rest)))
        shown = frames * repeat
        shape = (n, before + shown + after, values.shape[2])
        out = xp.empty(shape, dtype=getattr(xp, self.dtype))
        out[:, :before, :] = self.blank
        out[:, before + shown :, :] = self.blank
        for k in range(repeat):
            # Every repeat-th step, from the k-th on, without a copy of what is repeated
            out[:, before + k : before + shown : repeat, :] = values
        return out
