"""What a call asks of a session, checked before anything happens."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from gpurun.errors import DurationError, OverrideError, ReadOnlyVariableError
from gpurun.model import Manifest, Model
from gpurun.overrides import Target, resolve, shown
from gpurun.values import check_dimensions

_SECOND = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def _number(model: Model, name: str) -> int:
    return model.index[name]


def variable_name(model: Model, target: Target) -> str:
    """Name of the single variable that `target` stands for; OverrideError if it is none."""
    if target.kind == "variable":
        return target.name
    if target.kind == "timed_array":
        return model.manifest.timed_arrays[target.name]
    raise OverrideError(
        f"'{target.name}' is not a single variable and cannot be read as one.",
        name=target.name,
    )


def select(target: Target, array: np.ndarray) -> np.ndarray:
    """The part of `array` that `target` stands for."""
    if target.selection is None:
        return array
    first, count = target.selection
    return array[first : first + count]


def record_targets(model: Model, record: Iterable[Any]) -> list[Target]:
    """What `record` names: variables and monitors. Raises OverrideError and its subclasses."""
    targets = []
    for key in as_list(record, "record"):
        target = resolve(model.manifest, key, model.resolver)
        if target.kind != "monitor":
            variable_name(model, target)
        targets.append(target)
    return targets


def carried_numbers(model: Model, carry: Iterable[Any]) -> list[int]:
    """Numbers of the variables that `carry` names. Raises OverrideError and its subclasses."""
    numbers: list[int] = []
    for key in as_list(carry, "carry"):
        target = resolve(model.manifest, key, model.resolver)
        if target.kind == "monitor":
            raise ReadOnlyVariableError(
                f"'{target.name}' is a monitor and cannot be carried: a run starts at t = 0. "
                "Use advance() to go on recording.",
                name=target.name,
            )
        if target.selection is not None:
            raise OverrideError(
                f"'{target.name}' can only be carried as a whole, not for a subgroup.",
                name=target.name,
            )
        if target.kind == "spikes":
            numbers += [
                _number(model, f"{target.name}.{v}")
                for v in ("neuron_index", "spike_time", "_timebins", "spike_number")
            ]
        elif target.kind == "poisson":
            owner, _, quantity = target.name.rpartition(".")
            poisson = model.manifest.poisson_inputs[owner]
            name = poisson.parameters if quantity == "rate" else poisson.weight
            if name is not None:
                numbers.append(_number(model, name))
        else:
            name = variable_name(model, target)
            info = model.manifest.variables[_number(model, name)]
            if not info.writable:
                belongs = {"clock": "belongs to a clock", "monitor": "belongs to a monitor"}
                raise ReadOnlyVariableError(
                    f"'{name}' {belongs.get(info.role, 'is read-only')} and cannot be carried. "
                    "Use advance() to go on from where a run ended.",
                    name=name,
                )
            numbers.append(_number(model, name))
    return numbers


def check_duration(manifest: Manifest, duration: Any, call: str) -> float | None:
    """`duration` in seconds, None for the script's own.

    Parameters
    ----------
    manifest : Manifest
    duration : Quantity, float (s) or None
    call : {"run", "advance"}
        Named in messages; a script with several runs cannot advance.

    Raises
    ------
    DurationError, UnitMismatchError
    """
    if len(manifest.durations) != 1 and (duration is not None or call == "advance"):
        raise DurationError(
            f"The script has {len(manifest.durations)} run() calls; it is one run made of "
            f"these parts, and {call}() cannot change or continue it.",
            duration=duration,
        )
    if duration is None:
        return None
    check_dimensions("duration", duration, _SECOND, "second", require_unit=False)
    seconds = _number_of_seconds(duration)
    if not math.isfinite(seconds) or seconds < 0:
        raise DurationError(
            f"A duration is finite and not negative, got {seconds:g} s.", duration=seconds
        )
    steps = [dt for dt in manifest.clocks.values() if dt > 0 and math.isfinite(dt)]
    if steps:
        dt = min(steps)
        if seconds / dt > 2**53:
            raise DurationError(
                f"A duration of {seconds:g} s has more time steps of {dt:g} s than can be counted.",
                duration=seconds,
                dt=dt,
            )
        count = round(seconds / dt)
        # Far from zero the numbers themselves are coarser than the tolerance
        if abs(count * dt - seconds) > 1e-6 * dt + 4 * math.ulp(seconds):
            below = math.floor(seconds / dt) * dt
            raise DurationError(
                f"A duration is a multiple of the time step {dt:g} s; {seconds:g} s is not. "
                f"The nearest are {below:g} s and {below + dt:g} s.",
                duration=seconds,
                dt=dt,
            )
    return seconds


def _number_of_seconds(duration: Any) -> float:
    try:
        array = np.asarray(duration)
    except ValueError:  # a list of lists of different lengths
        array = np.asarray(None)
    if array.ndim or array.dtype.kind not in "iuf":
        raise DurationError(
            f"A duration is a number of seconds, not {shown(duration)}.", duration=shown(duration)
        )
    return float(array)


def label(target: Target) -> str:
    """Name under which a result is stored."""
    if target.selection is None:
        return target.name
    first, count = target.selection
    return f"{target.name}[{first}:{first + count}]"


def as_list(entries: Any, what: str) -> list[Any]:
    """`entries` as a list; OverrideError if it is not a list of keys."""
    # A VariableView is iterable but stands for one variable.
    one_variable = hasattr(entries, "variable") and hasattr(entries, "group_name")
    if one_variable or isinstance(entries, str) or not isinstance(entries, Iterable):
        raise OverrideError(
            f"{what} is a list of variables, not {shown(entries)}. Write {what}=[...].", name=what
        )
    return list(entries)
