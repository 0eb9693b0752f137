"""Results as objects of xarray, pandas and Neo. Values are SI, names are Brian's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from gpurun.errors import NotSupportedError
from gpurun.results_lazy import LazyArray
from gpurun.results_schema import MonitorData, RunData

_SUBGROUP = re.compile(r"\.i(?:\[(\d+):(\d+)\])?$")


def require(library: str, what: str) -> Any:
    """Import an optional library.

    Raises
    ------
    NotSupportedError
        It cannot be imported; `what` says what needs it.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise NotSupportedError(
            f"{what} needs {library}, which cannot be imported ({error}). Install it with pip "
            f"install 'gpurun[analysis]', or pip install {library}.",
            what=library,
        ) from error


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as attributes that files of other formats can hold, too."""
    plain = {}
    for name, value in facts.items():
        if isinstance(value, bool):
            value = int(value)
        elif isinstance(value, dict | list):
            value = json.dumps(value)
        if value is not None:
            plain[name] = value
    return plain


def _shown(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name != "dimensions"}


# -- xarray ------------------------------------------------------------------------------


def _variable(dimensions: Sequence[str], array: Any, attributes: Mapping[str, Any]) -> Any:
    """An xarray Variable that reads a lazy array when its values are used."""
    import xarray
    from xarray.backends import BackendArray
    from xarray.core import indexing

    if not isinstance(array, LazyArray | _Stacked):
        return xarray.Variable(dimensions, array, _shown(attributes))

    class Rows(BackendArray):
        shape = array.shape
        dtype = array.dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, array.__getitem__
            )

    return xarray.Variable(dimensions, indexing.LazilyIndexedArray(Rows()), _shown(attributes))


def _monitor_attributes(data: MonitorData) -> dict[str, Any]:
    recorder = data.recorder
    return _attributes(
        {
            "monitor": data.name,
            "kind": data.kind,
            "source": recorder.source or None,
            "dt": recorder.dt,
            "size": recorder.size,
        }
    )


def _elements(data: MonitorData) -> dict[str, Any]:
    widths = [column.shape[1] for column in data.columns.values() if len(column.shape) == 2]
    if not widths:
        return {}
    elements = data.recorder.elements
    if elements is None or len(elements) != widths[0]:
        elements = np.arange(widths[0])
    return {"neuron": ("neuron", elements, {"long_name": "number of the recorded element"})}


def monitor_to_xarray(data: MonitorData) -> Any:
    """One monitor of one run as a Dataset."""
    xarray = require("xarray", "to_xarray()")
    events = data.kind == "events"
    row = "event" if events else "time"
    coordinates: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for name, column in data.columns.items():
        attributes = data.attributes.get(name, {})
        dimensions = (row, "neuron")[: len(column.shape)]
        if name != "t":
            variables[name] = _variable(dimensions, column, attributes)
        elif events:
            coordinates["t"] = _variable(dimensions, column, attributes)
        else:
            coordinates["time"] = ("time", np.asarray(column), _shown(attributes))
    coordinates.update(_elements(data))
    return xarray.Dataset(variables, coordinates, _monitor_attributes(data))


class _Stacked:
    """Rows of several runs as an array (run, row, ...), filled up where a run is shorter."""

    def __init__(self, column: LazyArray, offsets: np.ndarray) -> None:
        self._column = column
        self._offsets = offsets
        lengths = np.diff(offsets)
        self.shape = (len(lengths), int(lengths.max(initial=0)), *column.shape[1:])
        self.dtype = column.dtype
        self._fill = np.nan if self.dtype.kind == "f" else -1 if self.dtype.kind == "i" else 0

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        runs, rows, *rest = key
        wanted = np.arange(self.shape[0])[runs]
        parts = [self._run(int(run), rows, rest) for run in np.atleast_1d(wanted)]
        if np.ndim(wanted) == 0:
            return parts[0]
        if parts:
            return np.stack(parts)
        shape = [
            np.arange(length)[part].shape for part, length in zip(key, self.shape, strict=True)
        ]
        return np.empty([n for lengths in shape for n in lengths], self.dtype)

    def _run(self, run: int, rows: Any, rest: Sequence[Any]) -> np.ndarray:
        start, stop = self._offsets[run : run + 2]
        numbers = np.arange(self.shape[1])[rows]
        flat = np.atleast_1d(numbers)
        there = flat < stop - start
        if flat.size and there.all() and isinstance(rows, slice) and (rows.step or 1) > 0:
            step = rows.step or 1
            span = slice(int(start + flat[0]), int(start + flat[-1]) + 1, step)
            return np.asarray(self._column[(span, *rest)])
        got = np.asarray(self._column[(start + flat[there], slice(None))[: self._column.ndim]])
        full = np.full((len(flat), *self._column.shape[1:]), self._fill, self.dtype)
        full[there] = got
        part = full[(slice(None), *rest)]
        return part if np.ndim(numbers) else part[0]


def runs_to_xarray(data: MonitorData, runs: np.ndarray, offsets: np.ndarray) -> Any:
    """One monitor of several runs as a Dataset."""
    xarray = require("xarray", "to_xarray()")
    number = ("run", runs, {"long_name": "run number"})
    if data.kind == "events":
        found = monitor_to_xarray(data)
        found = found.assign_coords(
            run_of_event=("event", np.repeat(runs, np.diff(offsets)), number[2])
        )
        edges = ("edge", offsets, {"long_name": "events of run k begin here, and end at the next"})
        return found.assign_coords(run=number).assign(offsets=edges)
    times = np.asarray(_Stacked(data.columns["t"], offsets)[:, :])
    attributes = _shown(data.attributes.get("t", {}))
    coordinates: dict[str, Any] = {"run": number, **_elements(data)}
    if len(times) and (times == times[0]).all():
        coordinates["time"] = ("time", times[0], attributes)
    else:
        coordinates["t"] = (("run", "time"), times, attributes)
    rows = ("run", np.diff(offsets), {"long_name": "time steps that the run has"})
    coordinates["rows"] = rows
    variables = {
        name: _variable(
            ("run", "time", "neuron")[: len(column.shape) + 1],
            _Stacked(column, offsets),
            data.attributes.get(name, {}),
        )
        for name, column in data.columns.items()
        if name != "t"
    }
    return xarray.Dataset(variables, coordinates, _monitor_attributes(data))


def _element_coordinate(dimension: str, length: int) -> dict[str, Any]:
    found = _SUBGROUP.search(dimension)
    if not found:
        return {}
    first = int(found[1] or 0)
    return {dimension: (dimension, np.arange(first, first + length))}


def values_to_xarray(
    name: str, runs: np.ndarray, values: LazyArray, dimensions: Sequence[str]
) -> Any:
    """One variable of several runs as a DataArray."""
    xarray = require("xarray", "to_xarray()")
    coordinates: dict[str, Any] = {"run": ("run", runs)}
    for dimension, length in zip(dimensions, values.shape[1:], strict=True):
        coordinates.update(_element_coordinate(dimension, length))
    variable = _variable(("run", *dimensions), values, values.attributes)
    return xarray.DataArray(variable, coordinates, name=name)


def run_to_xarray(run: RunData) -> Any:
    """One run as a DataTree: plain variables at its root, and a child for each monitor."""
    xarray = require("xarray", "to_xarray()")
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for name, (array, attributes) in run.values.items():
        dimensions = [
            # Not all that a group has is as long as the group
            dimension if lengths.setdefault(dimension, length) == length else f"{name}:{n}"
            for n, (dimension, length) in enumerate(
                zip(attributes["dimensions"], array.shape, strict=True)
            )
        ]
        variables[name] = xarray.Variable(dimensions, array, _shown(attributes))
        for dimension, length in zip(dimensions, array.shape, strict=True):
            coordinates.update(_element_coordinate(dimension, length))
    coordinates = {name: found for name, found in coordinates.items() if name not in variables}
    root = xarray.Dataset(variables, coordinates, _attributes(run.facts))
    children = {f"/{name}": monitor_to_xarray(data) for name, data in run.monitors.items()}
    return xarray.DataTree.from_dict({"/": root, **children}, name="run")


# -- pandas ------------------------------------------------------------------------------


def monitor_to_pandas(data: MonitorData) -> Any:
    """One monitor of one run as a DataFrame."""
    pandas = require("pandas", "to_pandas()")
    columns = {name: np.asarray(column) for name, column in data.columns.items()}
    if data.kind == "events":
        frame = pandas.DataFrame(columns)
    else:
        index = pandas.Index(columns.pop("t"), name="t")
        wide = any(column.ndim == 2 for column in columns.values())
        if wide:
            elements = _elements(data)["neuron"][1]
            parts = {
                name: pandas.DataFrame(column, index=index, columns=elements)
                for name, column in columns.items()
            }
            frame = pandas.concat(parts, axis=1, names=["variable", "neuron"])
        else:
            frame = pandas.DataFrame(columns, index=index)
    frame.attrs.update(_monitor_attributes(data))
    frame.attrs["units"] = {
        name: attributes["units"]
        for name, attributes in data.attributes.items()
        if "units" in attributes
    }
    return frame


def run_to_pandas(run: RunData) -> dict[str, Any]:
    """One run as a dictionary of DataFrames (monitors) and Series (variables)."""
    pandas = require("pandas", "to_pandas()")
    found: dict[str, Any] = {}
    for name, (array, attributes) in run.values.items():
        if array.ndim > 1:
            found[name] = pandas.DataFrame(array.reshape(len(array), -1))
        else:
            coordinate = _element_coordinate(attributes["dimensions"][0], len(array))
            index = next(iter(coordinate.values()))[1] if coordinate else None
            found[name] = pandas.Series(array, index=index, name=name)
        found[name].attrs.update(_attributes(_shown(attributes)))
    found.update({name: monitor_to_pandas(data) for name, data in run.monitors.items()})
    return found


def runs_to_pandas(runs: Sequence[Mapping[str, Any]]) -> Any:
    """Facts of runs as a DataFrame, one row for each."""
    pandas = require("pandas", "to_pandas()")
    frame = pandas.DataFrame(list(runs))
    return frame.set_index("number") if len(frame) else frame


# -- Neo ---------------------------------------------------------------------------------


def _unit(quantities: Any, attributes: Mapping[str, Any]) -> Any:
    """The unit of a column: by its name where that is unambiguous, else from base units."""
    base = quantities.dimensionless
    text = attributes.get("dimension", "1")
    for part in [] if text == "1" else text.split():
        name, _, exponent = part.partition("^")
        base = base * quantities.Quantity(1.0, name) ** float(exponent or 1)
    named = attributes.get("units", "1")
    if re.fullmatch("[A-Za-z]+", named):
        try:
            unit = quantities.Quantity(1.0, named)
            same = unit.simplified
            if same.magnitude == 1 and same.dimensionality == base.simplified.dimensionality:
                return unit.units
        except (LookupError, ValueError):
            pass
    return base.units


def run_to_neo(run: RunData) -> Any:
    """One run as a Block with one Segment."""
    neo = require("neo", "to_neo()")
    quantities = require("quantities", "to_neo()")
    facts = _attributes(run.facts)
    block = neo.Block(name="gpurun", **facts)
    segment = neo.Segment(name="run", index=int(run.facts.get("number", 0)))
    block.segments.append(segment)
    end = float(run.facts.get("t") or run.facts.get("duration") or 0.0)
    for data in run.monitors.values():
        if data.kind == "events":
            segment.spiketrains.extend(_spike_trains(neo, quantities, data, end))
        else:
            for signal in _signals(neo, quantities, data):
                if isinstance(signal, neo.AnalogSignal):
                    segment.analogsignals.append(signal)
                else:
                    segment.irregularlysampledsignals.append(signal)
    return block


def _spike_trains(neo: Any, quantities: Any, data: MonitorData, end: float) -> list[Any]:
    columns = {name: np.asarray(column) for name, column in data.columns.items()}
    t, i = columns.pop("t"), columns.pop("i")
    order = np.lexsort((t, i))
    t, i = t[order], i[order]
    size = data.recorder.size or int(i.max(initial=-1)) + 1
    edges = np.searchsorted(i, np.arange(size + 1))
    begin, stop = min(0.0, t.min(initial=0.0)), max(end, t.max(initial=0.0))
    trains = []
    for number in range(size):
        mine = slice(edges[number], edges[number + 1])
        recorded = {
            name: column[order][mine] * _unit(quantities, data.attributes.get(name, {}))
            for name, column in columns.items()
        }
        trains.append(
            neo.SpikeTrain(
                t[mine],
                units="s",
                t_start=begin,
                t_stop=stop,
                name=f"{data.name}[{number}]",
                array_annotations=recorded,
                monitor=data.name,
                source=data.recorder.source,
                neuron=number,
            )
        )
    return trains


def _signals(neo: Any, quantities: Any, data: MonitorData) -> list[Any]:
    t = np.asarray(data.columns["t"])
    if not len(t):
        return []
    step = data.recorder.dt or (float(t[1] - t[0]) if len(t) > 1 else 1.0)
    expected = t[0] + step * np.arange(len(t))
    regular = np.allclose(t, expected, rtol=1e-9, atol=step * 1e-3)
    coordinates = _elements(data)
    annotations = {"neuron": coordinates["neuron"][1]} if coordinates else {}
    signals = []
    for name, column in data.columns.items():
        if name == "t":
            continue
        options = {
            "units": _unit(quantities, data.attributes.get(name, {})),
            "name": f"{data.name}.{name}",
            "array_annotations": annotations,
            "monitor": data.name,
            "source": data.recorder.source,
        }
        values = np.asarray(column)
        if regular:
            signals.append(
                neo.AnalogSignal(
                    values,
                    t_start=float(t[0]) * quantities.s,
                    sampling_period=step * quantities.s,
                    **options,
                )
            )
        else:
            signals.append(neo.IrregularlySampledSignal(t, values, time_units="s", **options))
    return signals
