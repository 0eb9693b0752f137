"""From what the user wrote to what is written into a session's memory.

Every entry is checked before anything is written. The result of `plan` is a list
of `Write` and `Resize` steps that cannot fail for a reason the user could mend.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gpurun.arrays import DeviceSource, device_source, on_device
from gpurun.errors import (
    AmbiguousVariableError,
    NonFiniteValueError,
    OverrideError,
    ReadOnlyVariableError,
    ShapeMismatchError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.model import Manifest, SpikeGeneratorInfo, VariableInfo
from gpurun.poisson import binomial_parameters
from gpurun.values import check_dimensions, convert, fit

# The queue has one slot per time step of the longest delay; more than this is a mistake.
_LONGEST_DELAY = 10**8


@dataclass(frozen=True)
class Target:
    """What a key stands for.

    Attributes
    ----------
    name : str
        A variable, TimedArray, SpikeGeneratorGroup, PoissonInput quantity or monitor.
    kind : str
        ``"variable"``, ``"timed_array"``, ``"spikes"``, ``"poisson"`` or ``"monitor"``.
    selection : (int, int) or None
        First element and number of elements, for a subgroup.
    require_unit : bool
        Whether a bare number is refused where the variable has a unit.
    """

    name: str
    kind: str
    selection: tuple[int, int] | None = None
    require_unit: bool = False


class Resolver(Protocol):
    """Finds the target of a Brian object. Handed in by the Brian layer."""

    unit_error: type[UnitMismatchError]

    def resolve(self, key: Any) -> Target | None:
        """The target of `key`, or None if it is no Brian object."""
        ...

    def before_run(self, session: Any, values: Mapping[str, np.ndarray]) -> None:
        """Called with the values of overridden TimedArrays before a run."""
        ...

    def after_run(self, session: Any) -> None:
        """Called when `session` has run: Brian objects read from it from now on."""
        ...


@dataclass(frozen=True)
class Write:
    """Write `values` (flat, of the variable's dtype) from element `first` on.

    With `resize` the variable gets the size of `values` first. With a `source` the elements
    come from a card's memory instead.
    """

    number: int
    values: np.ndarray
    first: int = 0
    resize: bool = False
    source: DeviceSource | None = None


def shown(value: Any) -> str:
    """`value` for a message: its repr where that is short, else its type.

    The repr of a Brian object may read from the session that is at work.
    """
    if value is None or isinstance(value, str | bytes | int | float | complex):
        return reprlib.repr(value)
    return f"an object of type {type(value).__name__}"


def pairs(
    entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None,
) -> list[tuple[Any, Any]]:
    """`entries` as a list of pairs; accepts a mapping or pairs.

    Raises
    ------
    OverrideError
        It is neither.
    """
    if entries is None:
        return []
    if isinstance(entries, Mapping):
        return list(entries.items())
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        raise OverrideError(
            f"Overrides are a mapping or a list of (key, value) pairs, not {shown(entries)}.",
            name=shown(entries),
        )
    found = list(entries)
    for entry in found:
        if not isinstance(entry, tuple | list) or len(entry) != 2:
            raise OverrideError(
                f"Each override is a pair of key and value, not {shown(entry)}.", name=shown(entry)
            )
    return [(key, value) for key, value in found]


def resolve(manifest: Manifest, key: Any, resolver: Resolver | None) -> Target:
    """Find what `key` stands for.

    Raises
    ------
    UnknownVariableError, AmbiguousVariableError
    """
    if isinstance(key, Target):
        return key
    if isinstance(key, str):
        return _resolve_name(manifest, key)
    if resolver is not None:
        target = resolver.resolve(key)
        if target is not None:
            return target
        hint = "variables (group.v), TimedArrays, SpikeGeneratorGroups, monitors or names"
    else:
        hint = "names such as 'group.v' (this Model was unpickled and knows no Brian objects)"
    raise UnknownVariableError(
        f"Not a key for a variable: {shown(key)}. Use {hint}.",
        name=shown(key),
        candidates=(),
    )


def _resolve_name(manifest: Manifest, name: str) -> Target:
    by_name = {info.name for info in manifest.variables}
    if name in manifest.timed_arrays:
        return Target(name, "timed_array")
    if name.endswith(".values") and name.removesuffix(".values") in manifest.timed_arrays:
        return Target(name.removesuffix(".values"), "timed_array")
    if name in manifest.spike_generators:
        return Target(name, "spikes")
    if name in manifest.monitors:
        return Target(name, "monitor")
    owner, _, quantity = name.rpartition(".")
    if owner in manifest.poisson_inputs and quantity in ("rate", "weight"):
        return Target(name, "poisson")
    if name in by_name:
        return Target(name, "variable")
    candidates = manifest.aliases.get(name, ())
    if len(candidates) == 1:
        return Target(candidates[0], "variable")
    if candidates:
        raise AmbiguousVariableError(
            f"'{name}' could be any of {', '.join(candidates)}. Use one of these names.",
            name=name,
            candidates=tuple(candidates),
        )
    _raise_unknown(manifest, name, by_name)
    raise AssertionError  # pragma: no cover


def _raise_unknown(manifest: Manifest, name: str, by_name: set[str]) -> None:
    import difflib

    last = name.rpartition(".")[2]
    if last in manifest.constants and (name == last or name.rpartition(".")[0]):
        value = manifest.constants[last]
        raise UnknownVariableError(
            f"'{last}' is a constant of the script's namespace ({value}) and part of the compiled "
            f"code. To change it between runs, declare it as a parameter in the equations, for "
            f"example '{last} : 1 (constant, shared)' with its unit, and set group.{last}.",
            name=name,
            candidates=(),
        )
    known = sorted(
        by_name
        | set(manifest.timed_arrays)
        | set(manifest.spike_generators)
        | set(manifest.monitors)
        | {f"{n}.{q}" for n in manifest.poisson_inputs for q in ("rate", "weight")}
    )
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    visible = [n for n in known if not n.rpartition(".")[2].startswith("_")]
    hint = f"Did you mean {', '.join(close)}?" if close else f"There are: {', '.join(visible)}."
    raise UnknownVariableError(
        f"The model has no variable '{name}'. {hint}", name=name, candidates=tuple(close)
    )


class Planner:
    """Turns overrides into writes for one session.

    Parameters
    ----------
    manifest : Manifest
    index : mapping of str to int
        Numbers of the variables.
    size : callable
        Current number of elements of a variable, by number.
    resolver : Resolver or None
    allow_nonfinite : bool or iterable of keys
        Variables that may be given nan or inf.
    count_nonfinite : callable, optional
        Number of nans and infinities in a `DeviceSource`; models for the CPU have none.
    """

    def __init__(
        self,
        manifest: Manifest,
        index: Mapping[str, int],
        size: Callable[[int], int],
        resolver: Resolver | None,
        allow_nonfinite: bool | Iterable[Any] = False,
        count_nonfinite: Callable[[DeviceSource], int] | None = None,
    ) -> None:
        self.manifest = manifest
        self.count_nonfinite = count_nonfinite
        self.index = index
        self.size = size
        self.resolver = resolver
        self.all_nonfinite = allow_nonfinite is True
        self.nonfinite: set[str] = set()
        if not isinstance(allow_nonfinite, bool):
            if isinstance(allow_nonfinite, str) or not isinstance(allow_nonfinite, Iterable):
                raise OverrideError(
                    "allow_nonfinite is True, False or a list of variables, not "
                    f"{shown(allow_nonfinite)}.",
                    name="allow_nonfinite",
                )
            self.nonfinite = {resolve(manifest, key, resolver).name for key in allow_nonfinite}
        #: Values of overridden TimedArrays, by name, in their own shape.
        self.timed_arrays: dict[str, np.ndarray] = {}

    def plan(self, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None) -> list[Write]:
        """All writes for `entries`, in their order. Raises before anything is written."""
        writes: list[Write] = []
        seen: set[tuple[str, tuple[int, int] | None]] = set()
        poisson: dict[str, dict[str, float]] = {}
        for key, value in pairs(entries):
            target = resolve(self.manifest, key, self.resolver)
            if (target.name, target.selection) in seen:
                raise OverrideError(
                    f"'{target.name}' is given twice; keep one of the two.", name=target.name
                )
            seen.add((target.name, target.selection))
            if target.kind == "monitor":
                raise ReadOnlyVariableError(
                    f"'{target.name}' is a monitor; it can be recorded but not overridden.",
                    name=target.name,
                )
            if target.kind == "spikes":
                writes += self._spikes(target, value)
            elif target.kind == "timed_array":
                writes += self._timed_array(target, value)
            elif target.kind == "poisson":
                writes += self._poisson(target, value, poisson)
            else:
                writes += self._variable(target, value)
        return writes

    def _number(self, name: str) -> int:
        return self.index[name]

    def _info(self, name: str) -> VariableInfo:
        return self.manifest.variables[self.index[name]]

    def _allows_nonfinite(self, name: str) -> bool:
        return self.all_nonfinite or name in self.nonfinite

    def _check_unit(self, target: Target, value: Any, info: VariableInfo) -> None:
        error = UnitMismatchError if self.resolver is None else self.resolver.unit_error
        check_dimensions(
            target.name,
            value,
            info.dimensions,
            info.unit,
            require_unit=target.require_unit,
            error=error,
        )

    def _comes_from_card(self, value: Any) -> bool:
        return self.manifest.backend == "cuda" and on_device(value)

    def _from_card(
        self,
        name: str,
        value: Any,
        info: VariableInfo,
        shape: tuple[int, ...],
        number: int,
        first: int,
    ) -> Write:
        """A write from memory of the card; such arrays hold bare SI values."""
        source = device_source(name, value, info.numpy_dtype, shape)
        checked = info.numpy_dtype.kind == "f" and not self._allows_nonfinite(name)
        if checked and self.count_nonfinite is not None:
            bad = self.count_nonfinite(source)
            if bad:
                raise NonFiniteValueError(
                    f"'{name}' was given {bad} value(s) that are nan or infinite. If that is "
                    "meant, say so with allow_nonfinite=True.",
                    name=name,
                )
        return Write(number, np.empty(0, info.numpy_dtype), first, source=source)

    def _variable(self, target: Target, value: Any) -> list[Write]:
        info = self._info(target.name)
        if not info.writable:
            owner = target.name.rpartition(".")[0]
            hint = ""
            if owner in self.manifest.spike_generators:
                hint = f" Override '{owner}' with a pair (indices, times)."
            raise ReadOnlyVariableError(
                f"'{target.name}' is read-only: it is computed or recorded by the model and cannot "
                f"be set.{hint}",
                name=target.name,
            )
        number = self._number(target.name)
        if self._comes_from_card(value) and info.role != "delay":
            first, count = target.selection or (0, self.size(number))
            return [self._from_card(target.name, value, info, (count,), number, first)]
        self._check_unit(target, value, info)
        array = convert(
            target.name,
            value,
            info.numpy_dtype,
            allow_nonfinite=self._allows_nonfinite(target.name),
        )
        first, count = target.selection or (0, self.size(number))
        if info.role == "delay":
            self._check_delay(target.name, array, count)
        return [Write(number, fit(target.name, array, (count,)), first)]

    def _check_delay(self, name: str, array: np.ndarray, count: int) -> None:
        if array.size > 1 and count == 1:
            raise ShapeMismatchError(
                f"'{name}' is one delay for all synapses, because the Synapses were made with "
                "delay=...; it takes a single value. Set the delays after connect() instead "
                "(S.delay = ...) to have one for each synapse.",
                name=name,
                expected=(1,),
                got=array.shape,
            )
        if array.size and array.min() < 0:
            raise OverrideError(f"'{name}' cannot be negative.", name=name)
        steps = [dt for dt in self.manifest.clocks.values() if dt > 0]
        if array.size and steps and array.max() / min(steps) >= _LONGEST_DELAY:
            raise OverrideError(
                f"'{name}' is {array.max():g} s at most; a spike queue holds less than "
                f"{_LONGEST_DELAY} time steps of {min(steps):g} s.",
                name=name,
            )

    def _timed_array(self, target: Target, value: Any) -> list[Write]:
        name = self.manifest.timed_arrays[target.name]
        info = self._info(name)
        if self._comes_from_card(value) and hasattr(value, "get"):
            number = self._number(name)
            write = self._from_card(target.name, value, info, info.shape, number, 0)
            # Python-side reads of the TimedArray need it on the host, too
            self.timed_arrays[target.name] = np.asarray(value.get()).reshape(info.shape)
            return [write]
        self._check_unit(target, value, info)
        array = convert(
            target.name,
            value,
            info.numpy_dtype,
            allow_nonfinite=self._allows_nonfinite(target.name),
        )
        flat = fit(target.name, array, info.shape)
        self.timed_arrays[target.name] = flat.reshape(info.shape)
        return [Write(self._number(name), flat)]

    # -- spike generators -------------------------------------------------------

    def _spikes(self, target: Target, value: Any) -> list[Write]:
        name, info = target.name, self.manifest.spike_generators[target.name]
        if isinstance(value, Mapping) and {"indices", "times"} <= set(value):
            value = (value["indices"], value["times"])
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ShapeMismatchError(
                f"'{name}' is a SpikeGeneratorGroup and takes a pair (indices, times).",
                name=name,
                expected="(indices, times)",
                got=type(value).__name__,
            )
        indices = convert(f"{name}.indices", value[0], np.dtype(np.int32)).reshape(-1)
        times_info = self._info(f"{name}.spike_time")
        times_target = Target(f"{name}.times", "spikes", None, target.require_unit)
        if len(np.shape(value[1])) and np.size(value[1]):
            self._check_unit(times_target, value[1], times_info)
        times = convert(f"{name}.times", value[1], times_info.numpy_dtype).reshape(-1)
        indices, times, bins = check_spikes(name, info, indices, times)
        numbers = np.arange(len(indices), dtype=np.int32)
        by_variable = {
            "neuron_index": indices,
            "spike_time": times,
            "_timebins": bins,
            "spike_number": numbers,
        }
        writes = [
            Write(self._number(f"{name}.{variable}"), array, resize=True)
            for variable, array in by_variable.items()
        ]
        writes.append(Write(self._number(f"{name}._lastindex"), np.zeros(1, np.int32)))
        return writes

    # -- Poisson inputs ---------------------------------------------------------

    def _poisson(
        self, target: Target, value: Any, pending: dict[str, dict[str, float]]
    ) -> list[Write]:
        owner, _, quantity = target.name.rpartition(".")
        info = self.manifest.poisson_inputs[owner]
        if quantity == "rate":
            hertz = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
            error = UnitMismatchError if self.resolver is None else self.resolver.unit_error
            check_dimensions(
                target.name, value, hertz, "hertz", require_unit=target.require_unit, error=error
            )
            rate = convert(target.name, value, np.dtype(float))
            rate = float(fit(target.name, rate, (1,))[0])
            if not 0 <= rate * info.dt <= 1:
                raise OverrideError(
                    f"'{target.name}' has to lie between 0 and {1 / info.dt:g} Hz (one event per "
                    f"time step and input), not {rate:g} Hz.",
                    name=target.name,
                )
            number = self._number(info.parameters)
            return [Write(number, binomial_parameters(info.n, rate * info.dt))]
        if info.weight is None:
            raise ReadOnlyVariableError(
                f"The weight of '{owner}' is a string expression and part of the compiled code. "
                "Use a parameter of the target group in it, and override that parameter.",
                name=target.name,
            )
        weight_target = Target(target.name, "variable", None, target.require_unit)
        weight = self._info(info.weight)
        self._check_unit(weight_target, value, weight)
        array = convert(target.name, value, weight.numpy_dtype)
        return [Write(self._number(info.weight), fit(target.name, array, (1,)))]


def check_spikes(
    name: str, info: SpikeGeneratorInfo, indices: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort spikes and compute their time bins, with Brian's rules.

    Parameters
    ----------
    indices : ndarray of int32, shape (n,)
    times : ndarray of float64, shape (n,), in seconds

    Returns
    -------
    indices, times, bins : ndarrays of int32, float64, int32, shape (n,)
        Sorted by time, then index.

    Raises
    ------
    ShapeMismatchError, OverrideError
    """
    if not math.isfinite(info.dt):
        raise OverrideError(
            f"'{name}' runs on an event clock, which has no time step, and takes no other spikes.",
            name=name,
        )
    if len(indices) != len(times):
        raise ShapeMismatchError(
            f"'{name}' was given {len(indices)} indices and {len(times)} times; both need the "
            "same length.",
            name=name,
            expected=len(indices),
            got=len(times),
        )
    if len(indices) and (indices.min() < 0 or indices.max() >= info.size):
        raise OverrideError(
            f"Indices of '{name}' have to lie in [0, {info.size}), got "
            f"{indices.min()} to {indices.max()}.",
            name=name,
        )
    if len(times) and times.min() < 0:
        raise OverrideError(f"Spike times of '{name}' cannot be negative.", name=name)
    order = np.lexsort((indices, times))
    indices, times = indices[order], times[order]
    # Times on the grid must not fall into the bin before: brian2 shifts by dt/1000
    steps = np.floor((times + 1e-3 * info.dt) / info.dt)
    if len(steps) and steps[-1] > np.iinfo(np.int32).max:
        raise OverrideError(
            f"Spike times of '{name}' go beyond the {np.iinfo(np.int32).max} time steps of "
            f"{info.dt:g} s that Brian can count.",
            name=name,
        )
    bins = steps.astype(np.int32)
    by_neuron = np.lexsort((bins, indices))
    same = (np.diff(bins[by_neuron]) == 0) & (np.diff(indices[by_neuron]) == 0)
    if same.any():
        neuron = int(indices[by_neuron][1:][same][0])
        raise OverrideError(
            f"Neuron {neuron} of '{name}' would spike more than once in a time step of "
            f"{info.dt:g} s.",
            name=name,
        )
    if info.period > 0 and len(bins) and bins[-1] >= round(info.period / info.dt):
        raise OverrideError(
            f"Spike times of '{name}' have to be smaller than its period of {info.period:g} s.",
            name=name,
        )
    # Within a bin the event space has to be sorted by index
    final = np.lexsort((indices, bins))
    return (
        np.ascontiguousarray(indices[final]),
        np.ascontiguousarray(times[final]),
        np.ascontiguousarray(bins[final]),
    )
