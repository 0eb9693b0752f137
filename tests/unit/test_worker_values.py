"""What goes to a session in another process: values without brian2, errors with their fields."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2.units import Hz, ms, mV

from gpurun import errors
from gpurun.errors import (
    DeviceMemoryError,
    GpurunError,
    OverrideError,
    ShapeMismatchError,
    UnitMismatchError,
    UnknownVariableError,
    WorkerError,
    WorkerTimeoutError,
)
from gpurun.values import check_dimensions, convert
from gpurun.worker_card import pinned
from gpurun.worker_values import pack_error, portable, unpack_error

MODEL: Any = SimpleNamespace(resolver=None)
VOLT = (2.0, 1.0, -3.0, -1.0, 0.0, 0.0, 0.0)


def sent(value: Any) -> Any:
    data = pickle.dumps(portable("cells.v", value))
    assert b"brian2" not in data
    return pickle.loads(data)


@pytest.mark.parametrize(
    "value",
    [
        3 * mV,
        np.arange(4) * mV,
        [1 * mV, 2 * mV],
        (np.arange(40_000) * mV)[::2],
        np.arange(4) * mV * 1.0,
        mV,
    ],
    ids=["number", "array", "list", "strided", "product", "unit"],
)
def test_units_travel_without_brian(value: Any) -> None:
    got = sent(value)
    check_dimensions("cells.v", got, VOLT, "volt", require_unit=True)
    with pytest.raises(UnitMismatchError):
        check_dimensions("cells.v", got, (0, 0, 1, 0, 0, 0, 0), "second", require_unit=False)
    expected = convert("cells.v", value, np.dtype(float))
    arrived = convert("cells.v", got, np.dtype(float))
    assert type(arrived) is np.ndarray
    assert arrived.shape == expected.shape
    assert np.array_equal(arrived, expected)


@pytest.mark.parametrize(
    "value",
    [1, 2.5, True, np.float32(3), [1, 2, 3], [[1.0], [2.0]], np.arange(5), range(4), b"", "x"],
    ids=repr,
)
def test_bare_values(value: Any) -> None:
    got = sent(value)
    assert np.array_equal(np.asarray(got), np.asarray(value))
    check_dimensions("cells.v", got, VOLT, "volt", require_unit=False)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "1*mV",
        object(),
        [1, [2, 3]],
        np.array([1, None, 1 * mV], object),
        {1, 2},
        lambda: 1,
        1j,
    ],
    ids=["none", "text", "object", "ragged", "objects", "set", "function", "complex"],
)
def test_what_is_wrong_stays_wrong(value: Any) -> None:
    with pytest.raises(OverrideError) as here:
        convert("cells.v", value, np.dtype(float))
    with pytest.raises(OverrideError) as there:
        convert("cells.v", sent(value), np.dtype(float))
    assert type(there.value) is type(here.value)
    assert there.value.fields == here.value.fields


def test_spikes() -> None:
    indices, times = sent(([0, 1], np.array([1, 2]) * ms))
    assert indices == [0, 1]
    check_dimensions("gen.times", times, (0, 0, 1, 0, 0, 0, 0), "second", require_unit=True)
    assert sent({"indices": np.arange(2), "times": [0.1, 0.2]})["times"] == [0.1, 0.2]
    with pytest.raises(UnitMismatchError):
        check_dimensions(
            "gen.times",
            sent([1 * Hz, 2 * Hz]),
            (0, 0, 1, 0, 0, 0, 0),
            "second",
            require_unit=False,
        )


class OnlyOnCard:
    """Speaks the CUDA array interface."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AssertionError("nobody has a card here")


class OnCard(OnlyOnCard):
    """Can be copied to the host like a CuPy array."""

    def get(self) -> np.ndarray:
        return np.arange(3)


def test_arrays_of_a_card_go_through_the_host() -> None:
    assert sent(OnCard()).tolist() == [0, 1, 2]
    with pytest.raises(OverrideError, match="as a NumPy array") as caught:
        portable("cells.v", OnlyOnCard())
    assert caught.value.fields == {"name": "cells.v"}


# -- errors ------------------------------------------------------------------------


def every_error() -> list[type[GpurunError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, GpurunError)]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_errors_keep_class_and_fields(kind: type[GpurunError]) -> None:
    error = kind("what happened", name="cells.v", needed=3, files=("a", "b"))
    got = unpack_error(pickle.loads(pickle.dumps(pack_error(error))), MODEL)
    assert type(got) is kind
    assert str(got) == "what happened"
    assert isinstance(got, GpurunError)
    assert got.fields == error.fields
    assert not hasattr(got, "__notes__")


def test_other_errors_tell_where_they_come_from() -> None:
    with pytest.raises(IndexError) as caught:
        [].pop()
    got = unpack_error(pack_error(caught.value), MODEL)
    assert type(got) is IndexError
    assert "test_worker_values.py" in got.__notes__[0]


class StubbornError(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


class ClosedError(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("not me")


@pytest.mark.parametrize(
    "error", [StubbornError(1, 2), ClosedError("shop")], ids=["arguments", "reduce"]
)
def test_errors_that_cannot_be_sent(error: Exception) -> None:
    got = unpack_error(pack_error(error), MODEL)
    assert type(got) is WorkerError
    assert type(error).__name__ in str(got)
    assert str(error) in str(got)
    assert got.fields == {"exitcode": None, "signal": None}


def test_units_are_those_of_the_users_library() -> None:
    class BrianError(UnitMismatchError):
        pass

    model: Any = SimpleNamespace(resolver=SimpleNamespace(unit_error=BrianError))
    error = UnitMismatchError("wrong", name="v", expected="V")
    got = unpack_error(pack_error(error), model)
    assert type(got) is BrianError
    assert got.fields == error.fields
    for other in (ShapeMismatchError("x", name="v"), UnknownVariableError("x", name="v")):
        assert type(unpack_error(pack_error(other), model)) is type(other)


def test_memory_and_time_are_builtin_errors_too() -> None:
    got = unpack_error(pack_error(DeviceMemoryError("full", needed=2, free=1)), MODEL)
    assert isinstance(got, MemoryError)
    got = unpack_error(pack_error(WorkerTimeoutError("late", seconds=2.0)), MODEL)
    assert isinstance(got, TimeoutError)
    assert got.seconds == 2.0  # type: ignore[attr-defined]


# -- the card ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uuid", "visible", "number", "expected"),
    [
        ("GPU-7", None, 1, "GPU-7"),
        ("GPU-7", "3,2", 1, "GPU-7"),
        ("MIG-9", "GPU-1", 0, "MIG-9"),
        (None, None, 2, "2"),
        (None, "3, 2", 1, "2"),
        (None, "GPU-1,MIG-2", 1, "MIG-2"),
        (None, "3,2", 2, "-1"),
        (None, "", 0, ""),
    ],
)
def test_a_worker_sees_its_card_only(
    monkeypatch: pytest.MonkeyPatch,
    uuid: str | None,
    visible: str | None,
    number: int,
    expected: str,
) -> None:
    from gpurun import nvml

    monkeypatch.setattr(nvml, "uuid_of", lambda index: (uuid if index == number else "other", None))
    before = {"PATH": "/bin"} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    after = pinned("cuda", number, before)
    assert after == {**before, "CUDA_VISIBLE_DEVICES": expected}
    assert pinned("cpu", 0, before) == before
