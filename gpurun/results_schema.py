"""What the arrays of a run are: kinds of monitors, units, sources. Plain data."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gpurun.model import Manifest, Model, VariableInfo, digest_arrays
from gpurun.values import dimension_text

Kind = Literal["events", "state", "rate", "count"]

#: Of a monitor's variables, those with one value per element or none, not one per row.
_NOT_ROWS = ("N", "count")


@dataclass(frozen=True, eq=False)
class Recorder:
    """Where and when a monitor records.

    Attributes
    ----------
    source : str
        Name of the group, "" where it is not known.
    dt : float or None
        Time step in seconds, of what records in every step.
    size : int or None
        Number of elements of the source, for monitors of events.
    elements : ndarray of int or None
        Numbers of the recorded elements, for a StateMonitor.
    """

    source: str = ""
    dt: float | None = None
    size: int | None = None
    elements: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class MonitorData:
    """What one monitor recorded in one run, or in several.

    Attributes
    ----------
    name : str
    kind : {"events", "state", "rate"}
    columns : mapping of str to array
        Rows first: events or time steps. ``"t"`` is one of them.
    attributes : mapping of str to mapping
        Units and the like, by column.
    recorder : Recorder
    """

    name: str
    kind: Kind
    columns: Mapping[str, Any]
    attributes: Mapping[str, Mapping[str, str]]
    recorder: Recorder


@dataclass(frozen=True, eq=False)
class RunData:
    """One run as the exports take it: facts, plain variables (with attributes), monitors."""

    facts: Mapping[str, Any]
    values: Mapping[str, tuple[Any, Mapping[str, str]]]
    monitors: Mapping[str, MonitorData]


def to_host(array: Any) -> np.ndarray:
    """`array` as a NumPy array, copied from a card's memory if it lies there."""
    if hasattr(type(array), "__cuda_array_interface__") and hasattr(array, "get"):
        array = array.get()
    return np.asarray(array)


# -- variables ---------------------------------------------------------------------------


def find_variable(manifest: Manifest | None, label: str) -> VariableInfo | None:
    """The variable behind a result's name, such as ``"cells.v[0:2]"`` or a TimedArray's."""
    if manifest is None:
        return None
    name = label.partition("[")[0]
    name = manifest.timed_arrays.get(name, name)
    return next((info for info in manifest.variables if info.name == name), None)


def attributes_of(manifest: Manifest | None, label: str) -> dict[str, str]:
    """Attributes that say what an array holds; without a manifest only its name."""
    info = find_variable(manifest, label)
    if info is None:
        return {"long_name": label}
    return {
        "long_name": label,
        "units": info.unit,
        "dimension": dimension_text(info.dimensions),
    }


def value_dimensions(manifest: Manifest | None, label: str, ndim: int) -> tuple[str, ...]:
    """Names of the dimensions of a plain variable: ``("cells.i",)`` for ``"cells.v"``."""
    owner = label.partition("[")[0].rpartition(".")[0] or label.partition("[")[0]
    part = label[label.index("[") :] if "[" in label else ""
    info = find_variable(manifest, label)
    if info is not None and info.scalar and ndim == 1:
        return (f"{owner}.shared",)
    is_monitor = manifest is not None and owner in manifest.monitors
    if is_monitor and ndim == 2:
        return (f"{owner}.neuron", f"{owner}.time")
    if is_monitor and not label.endswith(".count"):
        return (f"{owner}.{label.rpartition('.')[2]}_row",)
    if ndim == 1:
        return ((f"{owner}.neuron" if is_monitor else f"{owner}.i") + part,)
    return tuple(f"{owner}.dimension_{n}" for n in range(ndim))


# -- monitors ----------------------------------------------------------------------------


def kind_of(manifest: Manifest | None, name: str, columns: Mapping[str, Any]) -> Kind:
    """Kind of the monitor `name`; without a manifest as its `columns` look."""
    recorded = set(columns)
    if manifest is not None and name in manifest.monitors:
        if find_variable(manifest, f"{name}._indices") is not None:
            return "state"
        recorded = {variable.removeprefix(name + ".") for variable in manifest.monitors[name]}
    elif any(np.ndim(column) == 2 for column in columns.values()):
        return "state"
    if "i" in recorded:
        return "events"
    return "rate" if "t" in recorded else "count"


def row_names(names: Iterable[str]) -> list[str]:
    """Those of a monitor's variables that have one value per event or time step, in order."""
    # Brian gives what an event monitor records in any order
    return sorted(set(names) - set(_NOT_ROWS), key=lambda n: (n != "t", n != "i", n))


def recorders_of(model: Model) -> dict[str, Recorder]:
    """What the model knows of its monitors."""
    return {name: _recorder(model, name) for name in model.manifest.monitors}


def _recorder(model: Model, name: str) -> Recorder:
    manifest = model.manifest
    dt = manifest.clocks.get(manifest.monitor_clocks.get(name, ""), math.nan)
    count = find_variable(manifest, f"{name}.count")
    return Recorder(
        source=manifest.monitor_sources.get(name, ""),
        dt=dt if math.isfinite(dt) else None,
        size=count.shape[0] if count is not None else None,
        elements=model.data.frozen.get(f"{name}._indices"),
    )


# -- where results come from ---------------------------------------------------------------


class Origin:
    """What the results of a model's runs have to know of the model.

    Parameters
    ----------
    manifest : Manifest
    recorders : mapping of str to Recorder
    digest : callable
        Gives the model's digest; called at most once.
    """

    def __init__(
        self, manifest: Manifest, recorders: Mapping[str, Recorder], digest: Callable[[], str]
    ) -> None:
        self.manifest = manifest
        self.recorders = dict(recorders)
        self._digest: Callable[[], str] | str = digest

    @property
    def model_digest(self) -> str:
        """Digest of the model. Its data are read for it the first time."""
        if not isinstance(self._digest, str):
            self._digest = self._digest()
        return self._digest

    def part(self, values: Iterable[str], monitors: Iterable[str]) -> Origin:
        """As much of it as the named variables and monitors need, for a pickle."""
        kept = set(monitors)
        labels = [*values, *(f"{name}._indices" for name in kept)]
        wanted = {info.name for label in labels if (info := find_variable(self.manifest, label))}
        wanted |= {variable for name in kept for variable in self.manifest.monitors.get(name, ())}
        manifest = replace(
            self.manifest,
            variables=tuple(info for info in self.manifest.variables if info.name in wanted),
            monitors={k: v for k, v in self.manifest.monitors.items() if k in kept},
            timed_arrays={k: v for k, v in self.manifest.timed_arrays.items() if v in wanted},
            aliases={},
            spike_generators={},
            poisson_inputs={},
            constants={},
        )
        digest = self.model_digest
        part = Origin(
            manifest, {k: v for k, v in self.recorders.items() if k in kept}, lambda: digest
        )
        part._digest = digest
        return part


_origins: weakref.WeakKeyDictionary[Model, Origin] = weakref.WeakKeyDictionary()


def origin_of(model: Model) -> Origin:
    """The one `Origin` of a model. Its digest is not computed before it is asked for."""
    origin = _origins.get(model)
    if origin is None:
        reference = weakref.ref(model)

        def digest() -> str:
            alive = reference()
            return "" if alive is None else alive.digest

        origin = _origins[model] = Origin(model.manifest, recorders_of(model), digest)
    return origin


# -- runs ----------------------------------------------------------------------------------


def describe_overrides(overrides: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Overrides of a run as facts: digest and shape by name, and the value of a single number.

    Parameters
    ----------
    overrides : mapping of str to array_like
        A pair of arrays for a SpikeGeneratorGroup.
    """
    described = {}
    for name, value in overrides.items():
        if isinstance(value, tuple):
            arrays = {str(n): to_host(part) for n, part in enumerate(value)}
            shape = [len(arrays["0"])]
        else:
            arrays = {"": to_host(value)}
            shape = list(arrays[""].shape)
        described[name] = {"digest": digest_arrays(arrays), "shape": shape}
        only = arrays.get("")
        if only is not None and only.size == 1:
            described[name]["value"] = only.reshape(-1)[0].item()
    return described
