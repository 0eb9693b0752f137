"""Every exception: its base classes, its fields, and that it survives a worker process."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from gpurun import errors
from gpurun.errors import GpurunError

CLASSES = [
    value
    for _, value in sorted(vars(errors).items())
    if inspect.isclass(value) and issubclass(value, GpurunError)
]
FIELDS: dict[str, Any] = {
    "name": "cells.v", "expected": (4,), "got": (3,), "candidates": ("a", "b"), "command": ["c++"],
    "returncode": 1, "output": "line 1\nline 2", "directory": "/tmp/x", "needed": 2**40,
}  # fmt: skip


def test_there_are_some() -> None:
    assert len(CLASSES) > 15


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_round_trip(kind: type[GpurunError]) -> None:
    error = kind("The value's 'name' is\n\"wrong\".", **FIELDS)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is kind
        assert str(copy) == str(error) == "The value's 'name' is\n\"wrong\"."
        assert copy.message == error.message
        assert copy.fields == FIELDS
        for name, value in FIELDS.items():
            assert getattr(copy, name) == value


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_says_what_it_is(kind: type[GpurunError]) -> None:
    assert kind.__doc__
    assert issubclass(kind, Exception)
    with pytest.raises(GpurunError, match=r"^something$"):
        raise kind("something")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("ConfigError", ValueError),
        ("CacheError", OSError),
        ("DurationError", ValueError),
        ("SeedError", ValueError),
        ("OverrideError", ValueError),
        ("UnknownVariableError", KeyError),
        ("AmbiguousVariableError", KeyError),
        ("ReadOnlyVariableError", TypeError),
        ("UnitMismatchError", TypeError),
        ("ShapeMismatchError", TypeError),
        ("DtypeMismatchError", TypeError),
        ("NotSupportedError", NotImplementedError),
        ("SessionError", RuntimeError),
        ("SessionBusyError", errors.SessionError),
        ("SessionClosedError", errors.SessionError),
        ("NonFiniteValueError", errors.OverrideError),
        ("SimulationError", RuntimeError),
        ("BuildError", RuntimeError),
        ("LibraryError", RuntimeError),
    ],
)
def test_who_else_catches_it(name: str, base: type[Exception]) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, base)
    with pytest.raises(base) as caught:
        raise kind("'a' is wrong")
    # KeyError would show the repr
    assert str(caught.value) == "'a' is wrong"


def test_brians_own_unit_error() -> None:
    from brian2 import DimensionMismatchError

    from gpurun.brian.keys import BrianUnitMismatchError

    error = BrianUnitMismatchError("'cells.v' has the unit volt", name="cells.v", expected="V")
    assert isinstance(error, DimensionMismatchError)
    assert isinstance(error, errors.UnitMismatchError)
    assert str(error) == "'cells.v' has the unit volt"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is BrianUnitMismatchError
    assert str(copy) == str(error)
    assert copy.fields == {"name": "cells.v", "expected": "V"}
