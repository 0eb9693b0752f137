"""What goes to a session in another process and comes back: overrides, results, errors.

The other process has no brian2, so nothing that is sent may need it.
"""

from __future__ import annotations

import dataclasses
import pickle
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpurun.arrays import on_device
from gpurun.errors import GpurunError, OverrideError, UnitMismatchError, WorkerError
from gpurun.model import Model
from gpurun.overrides import Target, pairs, resolve
from gpurun.results import MonitorRecord, RunResult
from gpurun.results_schema import origin_of

_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)
# Of a result, what is not sent, because the other side knows it better
_LOCAL = ("_name_of", "_origin")

# -- overrides -----------------------------------------------------------------------------


class Measured(np.ndarray):
    """An array with the unit of a Brian Quantity, as far as checks look at it."""

    dim: Any = None

    def __array_finalize__(self, other: Any) -> None:
        self.dim = getattr(other, "dim", None)


def _measured(array: np.ndarray, exponents: tuple[float, ...]) -> Measured:
    measured = array.view(Measured)
    measured.dim = SimpleNamespace(_dims=exponents)
    return measured


@dataclasses.dataclass(frozen=True)
class _Travelling:
    """Arrives as a `Measured`. A Quantity itself would import brian2 there."""

    array: np.ndarray
    exponents: tuple[float, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return _measured, (self.array, self.exponents)


def portable(name: str, value: Any) -> Any:
    """`value` of the override `name` as something that any process can unpickle.

    Its unit stays with it. What is no array of numbers stays wrong in the same way.

    Raises
    ------
    OverrideError
        It lies in a card's memory and cannot be copied from there.
    """
    if isinstance(value, np.ndarray):
        return _portable_array(value, value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        parts = [portable(name, part) for part in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, Mapping):
        return {str(key): portable(name, part) for key, part in value.items()}
    if on_device(value):
        if not hasattr(value, "get"):
            raise OverrideError(
                f"'{name}' was given an array in a card's memory, which a session in another "
                "process cannot see. Give it as a NumPy array.",
                name=name,
            )
        value = value.get()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        array = np.empty((), object)
    return _portable_array(value, array)


def _portable_array(value: Any, array: np.ndarray) -> Any:
    array = array.view(np.ndarray)
    if array.dtype.kind == "O":
        # Refused as what it is, whatever it holds
        return np.empty(array.shape, object)
    if not array.flags.forc:
        array = np.ascontiguousarray(array)
    exponents = getattr(getattr(value, "dim", None), "_dims", None)
    if exponents is None:
        return array
    return _Travelling(array, tuple(float(exponent) for exponent in exponents))


def portable_overrides(
    model: Model, overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None
) -> list[tuple[Target, Any]]:
    """Keys as targets and values as `portable` gives them, in their order.

    Raises
    ------
    OverrideError
        And its subclasses: a key is not known, or as `portable`.
    """
    found = []
    for key, value in pairs(overrides):
        target = resolve(model.manifest, key, model.resolver)
        found.append((target, portable(target.name, value)))
    return found


# -- results -------------------------------------------------------------------------------


def pack_result(result: RunResult) -> dict[str, Any]:
    """The facts and arrays of a result, by field, without what belongs to its process."""
    facts = {
        field.name: getattr(result, field.name)
        for field in dataclasses.fields(result)
        if field.name not in _LOCAL
    }
    facts["monitors"] = {
        name: {variable: record[variable] for variable in record}
        for name, record in result.monitors.items()
    }
    return facts


def unpack_result(
    facts: Mapping[str, Any], model: Model, name_of: Callable[[Any], str]
) -> RunResult:
    """Inverse of `pack_result`, for a session of `model` in this process."""
    monitors = {
        name: MonitorRecord(name, {v: own(array) for v, array in values.items()})
        for name, values in facts["monitors"].items()
    }
    values = {name: own(array) for name, array in facts["values"].items()}
    return RunResult(
        **{**facts, "values": values, "monitors": monitors},
        _name_of=name_of,
        _origin=origin_of(model),
    )


def own(array: np.ndarray) -> np.ndarray:
    """`array`, which the caller may write to. A small one that was lent arrives without that."""
    return array if array.flags.writeable else array.copy()


# -- errors --------------------------------------------------------------------------------


def pack_error(error: BaseException) -> tuple[bytes | None, str, str]:
    """An exception as (its pickle, its own text, its traceback), all of which can be sent."""
    text = "".join(traceback.format_exception(error))
    said = "".join(traceback.format_exception_only(error)).strip()
    try:
        data = pickle.dumps(error)
    except Exception:  # whatever its fields do
        return None, said, text
    return (data if type(_unpickled(data)) is type(error) else None), said, text


def unpack_error(packed: tuple[bytes | None, str, str], model: Model) -> BaseException:
    """The exception to raise here for one that was raised there.

    It has the class and the fields of the original, or is a WorkerError with its traceback
    where the original cannot be pickled.
    """
    data, said, text = packed
    error = None if data is None else _unpickled(data)
    if error is None:
        return WorkerError(
            f"A call of a session in another process failed: {said}\n{text}",
            exitcode=None,
            signal=None,
        )
    if type(error) is UnitMismatchError and model.resolver is not None:
        # What Brian users catch; the other process knows nothing of Brian
        return model.resolver.unit_error(error.message, **error.fields)
    if not isinstance(error, GpurunError):
        error.add_note(f"In the session's process:\n{text}")
    return error


def _unpickled(data: bytes) -> BaseException | None:
    try:
        return pickle.loads(data)
    except Exception:  # whatever the class of the exception does
        return None
