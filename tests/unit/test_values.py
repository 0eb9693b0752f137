"""Checks and conversions of single values."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import (
    DtypeMismatchError,
    NonFiniteValueError,
    SeedError,
    ShapeMismatchError,
    UnitMismatchError,
)
from gpurun.values import check_dimensions, check_seed, convert, dimension_text, fit
from tests.unit.manifests import NONE, SECOND, VOLT, Quantity

FLOAT, SINGLE, INT, BOOL = (np.dtype(name) for name in ("float64", "float32", "int32", "bool"))


# -- units ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dimensions", "text"),
    [
        (NONE, "1"),
        (SECOND, "s"),
        (VOLT, "m^2 kg s^-3 A^-1"),
        ((0.5, 0, 0, 0, 0, 0, 0), "m^0.5"),
    ],
)
def test_dimension_text(dimensions: tuple[float, ...], text: str) -> None:
    assert dimension_text(dimensions) == text


def check(value: Any, dimensions: tuple[float, ...], *, require_unit: bool) -> None:
    check_dimensions("cells.v", value, dimensions, "volt", require_unit=require_unit)


@pytest.mark.parametrize("require_unit", [True, False])
def test_units_that_fit(require_unit: bool) -> None:
    check(Quantity(1.0, VOLT), VOLT, require_unit=require_unit)
    check(Quantity([1.0, 2.0], VOLT), VOLT, require_unit=require_unit)
    check([Quantity(1.0, VOLT), Quantity(2.0, VOLT)], VOLT, require_unit=require_unit)
    check(3.0, NONE, require_unit=require_unit)
    check(Quantity(3.0, NONE), NONE, require_unit=require_unit)
    check([], NONE, require_unit=require_unit)


@pytest.mark.parametrize("require_unit", [True, False])
@pytest.mark.parametrize(
    ("value", "dimensions"),
    [
        (Quantity(1.0, SECOND), VOLT),
        (Quantity(1.0, SECOND), NONE),
        ([Quantity(1.0, VOLT), Quantity(1.0, SECOND)], VOLT),
        (Quantity(1.0, NONE), VOLT),
    ],
)
def test_units_that_do_not_fit(
    value: Any, dimensions: tuple[float, ...], require_unit: bool
) -> None:
    with pytest.raises(UnitMismatchError, match=r"cells\.v.*volt"):
        check(value, dimensions, require_unit=require_unit)


@pytest.mark.parametrize("value", [1.0, 0, np.ones(3), [1.0, 2.0], [Quantity(1.0, VOLT), 1.0]])
def test_bare_numbers(value: Any) -> None:
    """By name they are SI values; for ``group.v`` they are mistakes."""
    check(value, VOLT, require_unit=False)
    with pytest.raises(UnitMismatchError) as caught:
        check(value, VOLT, require_unit=True)
    assert caught.value.fields == {
        "name": "cells.v", "expected": "m^2 kg s^-3 A^-1", "got": "1"
    }  # fmt: skip


# -- conversion ------------------------------------------------------------------------

NUMBERS = st.one_of(
    hnp.arrays(
        st.sampled_from(["<f8", ">f8", "<f4", ">f4", "<f2"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    hnp.arrays(hnp.integer_dtypes(), hnp.array_shapes(min_dims=0, max_dims=2)),
    hnp.arrays(bool, hnp.array_shapes(min_dims=0, max_dims=2)),
)


@hypothesis.given(NUMBERS)
def test_numbers_keep_their_values(array: np.ndarray) -> None:
    converted = convert("x", array, FLOAT)
    assert converted.dtype == FLOAT
    assert converted.flags.c_contiguous
    assert converted.shape == array.shape
    assert np.array_equal(converted, array.astype(float))


@hypothesis.given(NUMBERS, st.data())
def test_any_slice_of_any_order(array: np.ndarray, data: st.DataObject) -> None:
    hypothesis.assume(array.ndim > 0)
    part = data.draw(hnp.basic_indices(array.shape))
    view = np.asarray(np.asfortranarray(array)[part])
    assert np.array_equal(convert("x", view, FLOAT), view.astype(float))


@hypothesis.given(NUMBERS, st.sampled_from([FLOAT, SINGLE, INT, BOOL]))
def test_conversion_is_exact_or_refused(array: np.ndarray, dtype: np.dtype[Any]) -> None:
    before = array.copy()
    try:
        converted = convert("x", array, dtype)
    except DtypeMismatchError:
        # Rightly: the values would not survive
        assert dtype != FLOAT
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            there = array.astype(dtype)
        assert [float(x) for x in there.reshape(-1)] != [float(x) for x in array.reshape(-1)]
    else:
        assert converted.dtype == dtype
        assert np.isfinite(converted.astype(float)).all()
        if dtype == SINGLE:
            with np.errstate(over="ignore"):
                assert np.array_equal(converted, array.astype(np.float32))
        else:
            assert np.array_equal(converted, array)
    # What the caller gave is his
    assert np.array_equal(array, before)


@pytest.mark.parametrize(
    "value", [2**31, -(2**31) - 1, np.float32(2**31), 1e10, np.uint64(2**63), 0.5, [1, 2.5]]
)
def test_integers_out_of_range_or_with_a_fraction(value: Any) -> None:
    with pytest.raises(DtypeMismatchError) as caught:
        convert("x", value, INT)
    assert caught.value.expected == "int32"  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31), 3.0, -0.0, True, np.float32(2)])
def test_integers(value: Any) -> None:
    assert convert("x", value, INT) == value


@pytest.mark.parametrize("value", [2, -1, 0.5, [0, 1, 2]])
def test_not_booleans(value: Any) -> None:
    with pytest.raises(DtypeMismatchError, match="True and False"):
        convert("x", value, BOOL)


@pytest.mark.parametrize("value", [1e39, -1e39, 2**200])
def test_too_large_for_single_precision(value: float) -> None:
    with pytest.raises(DtypeMismatchError):
        convert("x", value, SINGLE)


def test_small_numbers_lose_nothing_but_precision() -> None:
    assert convert("x", 1e-46, SINGLE) == 0
    assert convert("x", 0.1, SINGLE) == np.float32(0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_values(bad: float) -> None:
    value = np.array([1.0, bad, bad])
    with pytest.raises(NonFiniteValueError, match=r"2 value\(s\).*allow_nonfinite"):
        convert("x", value, FLOAT)
    allowed = convert("x", value, FLOAT, allow_nonfinite=True)
    assert np.array_equal(allowed, value, equal_nan=True)
    assert not np.isfinite(convert("x", bad, SINGLE, allow_nonfinite=True))
    for dtype in (INT, BOOL):
        with pytest.raises(DtypeMismatchError):
            convert("x", value, dtype, allow_nonfinite=True)


@pytest.mark.parametrize(
    "value",
    [
        "1", b"1", None, 1j, object(), [None], ["a"], {"a": 1}, np.zeros(2, "M8[s]"),
        np.zeros(2, "V4"), np.array([1, "a"], object), {1.0}, lambda: 1.0, np.zeros(2, complex),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize("dtype", [FLOAT, INT, BOOL])
def test_no_numbers(value: Any, dtype: np.dtype[Any]) -> None:
    with pytest.raises(DtypeMismatchError, match="'x'"):
        convert("x", value, dtype)


def test_ragged_lists() -> None:
    with pytest.raises(ShapeMismatchError, match="'x'"):
        convert("x", [[1, 2], [3]], FLOAT)


def test_subclasses_of_arrays_are_taken_as_arrays() -> None:
    class Labelled(np.ndarray):
        pass

    converted = convert("x", np.arange(3.0).view(Labelled), FLOAT)
    assert type(converted) is np.ndarray


def test_device_arrays_are_fetched() -> None:
    class OnCard:
        __cuda_array_interface__: ClassVar[dict[str, Any]] = {}

        def get(self) -> np.ndarray:
            return np.arange(3)

    assert convert("x", OnCard(), FLOAT).tolist() == [0, 1, 2]


# -- shapes ----------------------------------------------------------------------------


@hypothesis.given(hnp.arrays(float, hnp.array_shapes(max_dims=3), elements=st.floats(0, 1)))
def test_an_array_that_fits(array: np.ndarray) -> None:
    assert np.array_equal(fit("x", array, array.shape), array.reshape(-1))
    flat = fit("x", np.asfortranarray(array), array.shape)
    assert flat.flags.c_contiguous
    assert np.array_equal(flat, array.reshape(-1))


@pytest.mark.parametrize("value", [2.5, [2.5]])
@pytest.mark.parametrize("shape", [(1,), (4,), (2, 3)])
def test_a_single_value_fills(value: Any, shape: tuple[int, ...]) -> None:
    filled = fit("x", np.asarray(value), shape)
    assert filled.tolist() == [2.5] * int(np.prod(shape))


def test_a_single_value_for_nothing() -> None:
    assert fit("x", np.asarray(1.0), (0,)).size == 0


@pytest.mark.parametrize(
    ("given", "shape"),
    [((3,), (4,)), ((4,), (2, 2)), ((1, 4), (4,)), ((0,), (4,)), ((2, 3), (3, 2)), ((1, 1), (4,))],
)
def test_shapes_that_do_not_fit(given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeMismatchError) as caught:
        fit("x", np.zeros(given), shape)
    error: Any = caught.value
    assert (error.name, error.expected, error.got) == ("x", shape, given)
    assert str(given) in str(error)
    assert str(shape) in str(error)


# -- seeds -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, np.int64(7), np.uint8(3)])
def test_seeds(seed: Any) -> None:
    checked = check_seed(seed)
    assert checked == seed
    assert type(checked) is int


def test_no_seed() -> None:
    assert check_seed(None) is None


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", True, np.bool_(True), [1], 1j, np.nan])
def test_not_seeds(seed: Any) -> None:
    with pytest.raises(SeedError) as caught:
        check_seed(seed)
    assert isinstance(caught.value, ValueError)
