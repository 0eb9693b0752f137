"""Parts of a results file as a user sees them: runs, monitors, variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from gpurun.errors import UnknownVariableError
from gpurun.results_schema import Kind, MonitorData, Recorder, RunData
from gpurun.results_source import DESCRIBING, Source


def unknown(name: str, known: Sequence[str], where: str) -> UnknownVariableError:
    """The error for a name that is not there."""
    return UnknownVariableError(
        f"'{name}' is not in {where}. There is: {', '.join(known) or 'nothing'}.",
        name=name,
        candidates=tuple(known),
    )


class RunRecord:
    """One run of a results file. ``run["spikes"]`` is a monitor, ``run["group.v"]`` an array.

    Attributes
    ----------
    number : int
    """

    def __init__(self, source: Source, number: int) -> None:
        self._source = source
        self.number = number
        self._facts = source.facts(number)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the run; see `Results.runs`."""
        return {k: v for k, v in self._facts.items() if k not in ("monitors", "values")}

    @property
    def finished(self) -> bool:
        """Whether it went to its end."""
        return bool(self._facts["finished"])

    def __iter__(self) -> Iterator[str]:
        return iter([*self._facts["values"], *self._facts["monitors"]])

    def __contains__(self, name: object) -> bool:
        return name in self._facts["values"] or name in self._facts["monitors"]

    def __getitem__(self, name: str) -> Any:
        if name in self._facts["monitors"]:
            return self._monitor(name)
        if name in self._facts["values"]:
            return self._value(name)[0]
        # A monitor that kept nothing but counts
        if any(value.startswith(f"{name}.") for value in self._facts["values"]):
            return self._monitor(name)
        raise unknown(name, list(self), f"run {self.number}")

    def _monitor(self, name: str) -> MonitorRows:
        entry = self._facts["monitors"].get(name)
        prefix = f"{name}."
        counts = {
            value.removeprefix(prefix): partial(self._value, value)
            for value in self._facts["values"]
            if value.startswith(prefix)
        }
        return MonitorRows(self._source, name, entry, counts)

    def _value(self, name: str) -> tuple[np.ndarray, Mapping[str, Any]]:
        entry = self._facts["values"][name]
        array = self._source.array(f"{entry['table']}/value", entry["stop"])
        attributes = {k: v for k, v in array.attrs.items() if k in DESCRIBING}
        dimensions = array.metadata.dimension_names[1:]
        value = self._source.read(f"{entry['table']}/value", entry["stop"], (entry["start"],))
        return value, {**attributes, "dimensions": dimensions}

    def _data(self) -> RunData:
        return RunData(
            self.facts,
            {name: self._value(name) for name in self._facts["values"]},
            {name: self._monitor(name)._data() for name in self._facts["monitors"]},
        )

    def to_xarray(self) -> Any:
        """The run as an xarray DataTree; see :meth:`gpurun.RunResult.to_xarray`.

        Columns of monitors are read when they are used.
        """
        from gpurun.results_export import run_to_xarray

        return run_to_xarray(self._data())

    def to_pandas(self) -> dict[str, Any]:
        """The run as pandas objects by name; see :meth:`gpurun.RunResult.to_pandas`."""
        from gpurun.results_export import run_to_pandas

        return run_to_pandas(self._data())

    def to_neo(self) -> Any:
        """The run as a Neo Block; see :meth:`gpurun.RunResult.to_neo`."""
        from gpurun.results_export import run_to_neo

        return run_to_neo(self._data())

    def __repr__(self) -> str:
        state = "" if self.finished else ", not finished"
        return f"<run {self.number}{state}: {', '.join(self) or 'nothing'}>"


class _Columns:
    """Columns of a table as attributes. State variables as in Brian: elements first."""

    def __init__(self, source: Source, name: str, table: str | None, start: int, stop: int) -> None:
        self._source = source
        self._name = name
        self._key = table
        self._start = start
        self._stop = stop

    def _names(self) -> list[str]:
        return [] if self._key is None else list(self._source.table(self._key)["columns"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, name: str) -> Any:
        if self._key is None or name not in self._names():
            raise unknown(name, list(self), f"the monitor '{self._name}'")
        return self._source.column(self._key, name, self._start, self._stop, transposed=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownVariableError as error:
            raise AttributeError(error.message) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{np.shape(self[name])}" for name in self)
        return f"<{self._name}: {shapes}>"

    @property
    def elements(self) -> np.ndarray | None:
        """Numbers of the recorded elements of a StateMonitor, else None."""
        if self._key is None or not self._source.disk.exists(f"{self._key}/neuron/zarr.json"):
            return None
        return self._source.present(f"{self._key}/neuron")

    def _data(self) -> MonitorData:
        assert self._key is not None
        facts = self._source.table(self._key)
        columns = {
            name: self._source.column(self._key, name, self._start, self._stop)
            for name in self._names()
        }
        return MonitorData(
            self._name,
            cast("Kind", facts["gpurun"]),
            columns,
            {name: column.attributes for name, column in columns.items()},
            Recorder(facts["source"], facts["dt"], facts["size"], self.elements),
        )


class MonitorRows(_Columns):
    """What a monitor recorded in one run: ``.t``, ``.i``, ``.v``, ... as lazy arrays.

    State variables of a StateMonitor have the shape (recorded elements, time steps), as in
    Brian and in `RunResult`; on disk time comes first, so that a range of steps is read without
    the others.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        entry: Mapping[str, Any] | None,
        values: Mapping[str, Callable[[], tuple[np.ndarray, Any]]],
    ) -> None:
        where = entry or {"table": None, "start": 0, "stop": 0}
        super().__init__(source, name, where["table"], where["start"], where["stop"])
        self._values = values

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names(), *self._values])

    def __getitem__(self, name: str) -> Any:
        return self._values[name]()[0] if name in self._values else super().__getitem__(name)

    def to_xarray(self) -> Any:
        """An xarray Dataset with the dimensions ``event``, or ``time`` and ``neuron``."""
        from gpurun.results_export import monitor_to_xarray

        return monitor_to_xarray(self._data())

    def to_pandas(self) -> Any:
        """A DataFrame; see :meth:`gpurun.RunResult.to_pandas`."""
        from gpurun.results_export import monitor_to_pandas

        return monitor_to_pandas(self._data())


class MonitorTable(_Columns):
    """What a monitor recorded in all runs, one after the other.

    Rows of the run ``runs[k]`` begin at ``offsets[k]`` and end before ``offsets[k + 1]``.

    Attributes
    ----------
    runs : ndarray of int
        Numbers of the runs that recorded it.
    offsets : ndarray of int
        One more than there are runs.
    """

    def __init__(self, source: Source, key: str) -> None:
        entries = _entries(source, key)
        self.runs = np.array([number for number, _ in entries], dtype=np.int64)
        self.offsets = np.array([0, *(stop for _, stop in entries)], dtype=np.int64)
        super().__init__(source, source.table(key)["monitor"], key, 0, int(self.offsets[-1]))

    def to_xarray(self) -> Any:
        """An xarray Dataset.

        Events have the dimension ``event``, with the run of each as a coordinate, and
        ``offsets``. State variables and rates have ``run``, ``time`` and ``neuron``; shorter
        runs are filled up with nan. Columns are read when they are used.
        """
        from gpurun.results_export import runs_to_xarray

        return runs_to_xarray(self._data(), self.runs, self.offsets)


def _entries(source: Source, key: str) -> list[tuple[int, int]]:
    """Runs that have rows in a table, and where these end, as far as they are committed."""
    edges = source.present(f"{key}/offsets")
    numbers = source.present(f"{key}/run")
    count = min(len(numbers), len(edges) - 1)
    entries = [(int(n), int(e)) for n, e in zip(numbers[:count], edges[1 : count + 1], strict=True)]
    while entries and entries[-1][0] >= source.count:
        entries.pop()
    if entries:
        number = entries[-1][0]
        known = [e for e in source.facts(number)["monitors"].values() if e["table"] == key]
        entries[-1:] = [(number, known[0]["stop"])] if known else []
    return entries


class ValueTable:
    """One variable in all runs that recorded it: ``.values`` has a row for each of ``.runs``.

    Attributes
    ----------
    runs : ndarray of int
    values : LazyArray
    """

    def __init__(self, source: Source, key: str) -> None:
        self._source = source
        self._key = key
        self.name = source.table(key)["variable"]
        numbers = source.present(f"{key}/run")
        count = min(len(numbers), source.present_rows(f"{key}/value"))
        while count and not self._committed(int(numbers[count - 1])):
            count -= 1
        self.runs = np.asarray(numbers[:count])
        self.values = source.column(key, "value", 0, count)

    def _committed(self, number: int) -> bool:
        if number >= self._source.count:
            return False
        values = self._source.facts(number)["values"]
        return any(entry["table"] == self._key for entry in values.values())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values.__array__(dtype, copy)

    def __len__(self) -> int:
        return len(self.runs)

    def to_xarray(self) -> Any:
        """An xarray DataArray with ``run`` as its first dimension."""
        from gpurun.results_export import values_to_xarray

        array = self._source.array(f"{self._key}/value")
        dimensions = array.metadata.dimension_names[1:]
        return values_to_xarray(self.name, self.runs, self.values, dimensions)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.values.shape}>"
