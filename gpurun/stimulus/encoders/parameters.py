"""Checks of what transforms and encoders are made with."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from gpurun.errors import StimulusError
from gpurun.values import check_dimensions, check_seed

#: A Brian Quantity or a bare SI number; encoders keep the number.
type SI = Any

_SECOND = (0, 0, 1, 0, 0, 0, 0)
HERTZ = (0, 0, -1, 0, 0, 0, 0)
ONE = (0, 0, 0, 0, 0, 0, 0)
#: brian2 takes a time for the next step's from this part of a step before it.
TOLERANCE = 1e-3


def set_field(instance: Any, name: str, value: Any) -> None:
    """Put a checked value into a frozen dataclass that is being made."""
    object.__setattr__(instance, name, value)


def number(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    dimensions: tuple[int, ...] = ONE,
    unit: str = "1",
) -> float:
    """`value` as a finite float in [low, high], or in (low, high] where `above`.

    Raises
    ------
    StimulusError
        It is something else.
    UnitMismatchError
        It is a Quantity of another dimension.
    """
    check_dimensions(name, value, dimensions, unit, require_unit=False)
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in "iuf":
        raise StimulusError(f"'{name}' is a number, not {value!r}.", name=name)
    result = float(array)
    if not math.isfinite(result) or not low <= result <= high or (above and result == low):
        wanted = f"a number above {low:g}" if above else f"a number from {low:g}"
        if low == -math.inf:
            wanted = "a finite number"
        to = "" if high == math.inf else f" to {high:g}"
        of = "" if unit == "1" else f" (in {unit})"
        raise StimulusError(f"'{name}' is {wanted}{to}{of}, not {result:g}.", name=name)
    return result


def seconds(name: str, value: Any, *, zero: bool = False) -> float:
    """A time in seconds that is positive, or may be 0."""
    return number(name, value, low=0.0, above=not zero, dimensions=_SECOND, unit="s")


def hertz(name: str, value: Any) -> float:
    """A rate in Hz that is not negative."""
    return number(name, value, low=0.0, dimensions=HERTZ, unit="Hz")


def integer(name: str, value: Any, *, low: int) -> int:
    """`value` as an int of at least `low`.

    Raises
    ------
    StimulusError
        It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise StimulusError(f"'{name}' is an integer from {low} on, not {value!r}.", name=name)
    return operator.index(value)


def shape(name: str, value: Any) -> tuple[int, int]:
    """Rows and columns, both positive.

    Raises
    ------
    StimulusError
        It is something else.
    """
    try:
        rows, columns = value
    except (TypeError, ValueError):
        raise StimulusError(
            f"'{name}' is a pair (rows, columns), not {value!r}.", name=name
        ) from None
    return integer(name, rows, low=1), integer(name, columns, low=1)


def axes(value: Any) -> tuple[int, int]:
    """The axes of rows and columns, neither of them the batch's.

    Raises
    ------
    StimulusError
        They are something else.
    """
    try:
        rows, columns = (operator.index(axis) for axis in value)
    except (TypeError, ValueError):
        rows = columns = 0
    if rows == columns or 0 in (rows, columns):
        raise StimulusError(
            "'axes' are the numbers of two axes, of rows and of columns, such as (-2, -1) for "
            "images with the channels first and (1, 2) with the channels last; axis 0 counts "
            f"images. Got {value!r}.",
            name="axes",
        )
    return rows, columns


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """`value`, one of the strings `choices`.

    Raises
    ------
    StimulusError
        It is something else.
    """
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(repr(one) for one in choices)
        raise StimulusError(f"'{name}' is one of {known}, not {value!r}.", name=name)
    return value


def float_dtype(value: Any) -> str:
    """``"float64"`` or ``"float32"`` from anything that NumPy takes for them.

    Raises
    ------
    StimulusError
        It is something else.
    """
    try:
        name = np.dtype(value).name
    except TypeError:
        name = ""
    return choice("dtype", name if name.startswith("float") else value, ("float64", "float32"))


def steps_in(name: str, duration: float, dt: float, *, low: int = 1) -> int:
    """Number of time steps of `dt` in `duration`, both in seconds.

    Raises
    ------
    StimulusError
        It is no whole number, or below `low`.
    """
    steps = round(duration / dt)
    if abs(duration / dt - steps) > TOLERANCE or steps < low:
        raise StimulusError(
            f"'{name}' of {duration:g} s is not a multiple of the time step, {dt:g} s.", name=name
        )
    return steps


def seed(value: Any) -> int:
    """`value` as an int in [0, 2**32).

    Raises
    ------
    StimulusError
        It is None: an encoder's numbers can always be drawn again.
    SeedError
        It is something else.
    """
    number = check_seed(value)
    if number is None:
        raise StimulusError("'seed' is an integer, not None.", name="seed")
    return number
