"""Checks and conversions of values given for a variable.

Nothing here touches a session: a value is either turned into an array that can
be written as it is, or an exception says what is wrong with it.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpurun.errors import (
    DtypeMismatchError,
    NonFiniteValueError,
    SeedError,
    ShapeMismatchError,
    UnitMismatchError,
)

_BASE_UNITS = ("m", "kg", "s", "A", "K", "mol", "cd")


def dimension_text(dimensions: Sequence[float]) -> str:
    """Seven SI exponents as text: ``"m^2 kg s^-3 A^-1"``, or ``"1"``."""
    parts = [
        unit if exponent == 1 else f"{unit}^{exponent:g}"
        for unit, exponent in zip(_BASE_UNITS, dimensions, strict=True)
        if exponent
    ]
    return " ".join(parts) or "1"


def _dimensions_of(value: Any) -> tuple[float, ...] | None:
    """SI exponents of a Brian Quantity, None for anything else."""
    dimensions = getattr(getattr(value, "dim", None), "_dims", None)
    return None if dimensions is None else tuple(float(d) for d in dimensions)


def check_dimensions(
    name: str,
    value: Any,
    dimensions: Sequence[float],
    unit: str,
    *,
    require_unit: bool,
    error: type[UnitMismatchError] = UnitMismatchError,
) -> None:
    """Raise UnitMismatchError unless `value` has the SI exponents `dimensions`.

    Bare numbers pass when `require_unit` is false: they are taken as SI values.
    """
    if isinstance(value, list | tuple) and value:
        # [1*mV, 2*mV]: every element carries its unit
        for element in value:
            if _dimensions_of(element) is not None:
                check_dimensions(
                    name, element, dimensions, unit, require_unit=require_unit, error=error
                )
        if all(_dimensions_of(element) is not None for element in value):
            return
    got = _dimensions_of(value)
    expected = tuple(float(d) for d in dimensions)
    if got is None:
        if not require_unit or not any(expected):
            return
        got = (0.0,) * 7
    if got != expected:
        raise error(
            f"'{name}' has the unit {unit} ({dimension_text(expected)}), but the value has "
            f"{dimension_text(got)}. Multiply the value by the right unit, or use the variable's "
            f"name as a string for a bare SI value.",
            name=name,
            expected=dimension_text(expected),
            got=dimension_text(got),
        )


def _bare(name: str, value: Any) -> np.ndarray:
    if isinstance(value, str | bytes):
        raise DtypeMismatchError(
            f"'{name}' was given the string {value!r}. Overrides are numbers or arrays; string "
            "expressions are evaluated only in the script's set-up code.",
            name=name,
            expected="numbers",
            got="str",
        )
    if value is None:
        raise DtypeMismatchError(
            f"'{name}' was given None; leave the entry out to use the model's own value.",
            name=name,
            expected="numbers",
            got="NoneType",
        )
    if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
        value = value.get()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as problem:
        raise ShapeMismatchError(
            f"'{name}' was given something that is not an array of numbers: {problem}",
            name=name,
            expected="numbers",
            got=type(value).__name__,
        ) from None
    return array.view(np.ndarray)


def convert(
    name: str, value: Any, dtype: np.dtype[Any], *, allow_nonfinite: bool = False
) -> np.ndarray:
    """`value` as a C-contiguous array of `dtype`, or an exception.

    Parameters
    ----------
    name : str
        Used in messages.
    value : array_like
        Any shape; Brian Quantities are taken in SI units.
    dtype : numpy.dtype
        dtype of the variable.
    allow_nonfinite : bool
        Whether nan and inf may be given for a floating point variable.

    Raises
    ------
    DtypeMismatchError
        The value is no number, or would be changed by the conversion (fractions for an
        integer, anything but 0 and 1 for a boolean, out of range).
    NonFiniteValueError
        The value holds nan or inf.
    """
    array = _bare(name, value)
    kind = array.dtype.kind

    def refuse(reason: str) -> DtypeMismatchError:
        return DtypeMismatchError(
            f"'{name}' is of type {dtype.name}; {reason}.",
            name=name,
            expected=dtype.name,
            got=str(array.dtype),
        )

    if kind not in "biuf":
        raise refuse(f"an array of type {array.dtype} cannot be converted to it")
    if kind == "f" and not allow_nonfinite and not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise NonFiniteValueError(
            f"'{name}' was given {bad} value(s) that are nan or infinite. If that is meant, "
            "say so with allow_nonfinite=True.",
            name=name,
        )
    if dtype.kind == "b":
        if kind != "b" and not np.isin(array, (0, 1)).all():
            raise refuse("it takes only True and False (or 1 and 0)")
    elif dtype.kind in "iu":
        if kind == "f" and not (np.isfinite(array).all() and (array == np.floor(array)).all()):
            raise refuse("the value has a fractional part")
        limits = np.iinfo(dtype)
        # As Python integers: in single precision 2**31 - 1 and 2**31 are the same
        if array.size and not limits.min <= int(array.min()) <= int(array.max()) <= limits.max:
            raise refuse(f"the value is outside [{limits.min}, {limits.max}]")
    if array.dtype == dtype:
        return np.ascontiguousarray(array).reshape(array.shape)
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    may_overflow = dtype.kind == "f" and kind in "iuf" and not allow_nonfinite
    if may_overflow and not np.isfinite(converted).all():
        raise refuse(f"the value is too large for it (over {np.finfo(dtype).max:g})")
    return converted


def fit(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`array` as a contiguous flat array for a target of `shape`.

    A single value fills the target; otherwise the shapes have to be equal.

    Raises
    ------
    ShapeMismatchError
        They are not.
    """
    if array.shape == shape:
        return np.ascontiguousarray(array).reshape(-1)
    if array.size == 1 and array.ndim <= len(shape):
        return np.full(int(np.prod(shape)), array.reshape(-1)[0], array.dtype)
    raise ShapeMismatchError(
        f"'{name}' has the shape {shape}, but the value has the shape {array.shape}. Give a "
        f"single value or one value for each of the {int(np.prod(shape))} elements.",
        name=name,
        expected=shape,
        got=array.shape,
    )


def check_seed(seed: Any) -> int | None:
    """`seed` as an int, None for None; SeedError unless it is in [0, 2**32)."""
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise SeedError(f"A seed is an integer or None, not {seed!r}.", seed=seed)
    number = int(seed)
    if not 0 <= number < 2**32:
        raise SeedError(
            f"A seed lies in [0, 2**32), the range of the Mersenne Twister's seeds; got {number}.",
            seed=number,
        )
    return number
