"""Reads results files, also while they are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from gpurun.errors import ResultsError, UnknownVariableError
from gpurun.results_file import check_format, count_runs, not_results, run_key
from gpurun.results_lazy import LazyArray
from gpurun.results_schema import Kind, MonitorData, Recorder, RunData
from gpurun.results_store import Disk

_ATTRIBUTES = ("units", "dimension", "long_name")


class _File:
    """The parts of a file, each read when it is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.disk = Disk(path)
        self._finished: dict[int, dict[str, Any]] = {}
        self._present: dict[int, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._arrays: dict[str, Any] = {}
        self.count = 0

    def refresh(self) -> None:
        self._present.clear()
        self.count = count_runs(self.path)

    def facts(self, number: int) -> dict[str, Any]:
        """Facts of a run; those of one that is not finished are as of the last `refresh`."""
        found = self._finished.get(number) or self._present.get(number)
        if found is None:
            found = self._document(run_key(number))["attributes"]
            (self._finished if found["finished"] else self._present)[number] = found
        return found

    def table(self, key: str) -> dict[str, Any]:
        """Attributes of a table. They never change."""
        if key not in self._tables:
            self._tables[key] = self._document(key)["attributes"]
        return self._tables[key]

    def tables(self, folder: str) -> list[str]:
        """Paths of all tables of one kind."""
        place = self.path / folder
        return sorted(
            f"{folder}/{entry.name}" for entry in place.iterdir() if (entry / "zarr.json").is_file()
        )

    def _document(self, key: str) -> dict[str, Any]:
        try:
            return self.disk.read_json(f"{key}/zarr.json")
        except (OSError, ValueError) as error:
            raise self.damaged(key, error) from error

    def damaged(self, key: str, error: Exception) -> ResultsError:
        return ResultsError(
            f"'{key}' of '{self.path}' cannot be read: {error}.",
            path=str(self.path),
            reason="damaged",
        )

    def array(self, key: str, rows: int = 0) -> Any:
        """The zarr array at `key`, with at least `rows` rows."""
        array = self._arrays.get(key)
        if array is None or array.shape[0] < rows:
            try:
                array = zarr.open_array(str(self.path), path=key, mode="r")
            except (OSError, ValueError, KeyError) as error:
                raise self.damaged(key, error) from error
            self._arrays[key] = array
        if array.shape[0] < rows:
            raise self.damaged(key, ValueError(f"it has {array.shape[0]} rows instead of {rows}"))
        return array

    def array_now(self, key: str) -> Any:
        """The zarr array at `key` as it is by now."""
        self._arrays.pop(key, None)
        return self.array(key)

    def column(self, key: str, name: str, start: int, stop: int, **options: Any) -> LazyArray:
        """Rows of one column of the table at `key`."""
        place = f"{key}/{self.table(key)['columns'][name]}"
        array = self.array(place, stop)
        return LazyArray(
            cast("Callable[[int], Any]", partial(self.array, place)),
            start,
            stop,
            dtype=np.dtype(array.dtype),
            row_shape=tuple(array.shape[1:]),
            attributes={k: v for k, v in array.attrs.items() if k in _ATTRIBUTES},
            **options,
        )


class Results:
    """A results file. ``results[0]`` is its first run, ``results["spikes"]`` a monitor of all.

    What it shows of a run that is under way is what was committed when the file was opened, or
    at the last `refresh`.

    Parameters
    ----------
    path : str or Path
        As it was given to `RunResult.save` or `ResultsWriter`.

    Raises
    ------
    ResultsError
        There is no such file, it is something else, or from a newer gpurun.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise ResultsError(
                f"There is no results file '{self.path}'.", path=str(path), reason="missing"
            )
        self._file = _File(self.path)
        if not self._file.disk.exists("zarr.json"):
            raise not_results(self.path)
        try:
            document = self._file.disk.read_json("zarr.json")
        except ValueError as error:
            raise self._file.damaged("zarr.json", error) from error
        check_format(self.path, document)
        self._created = document["attributes"]["created"]
        self.refresh()

    def refresh(self) -> Results:
        """Look at the file again; returns itself."""
        self._file.refresh()
        return self

    def __len__(self) -> int:
        return self._file.count

    def __iter__(self) -> Iterator[RunRecord]:
        return (self[number] for number in range(len(self)))

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Facts of each run: number, seed, overrides, device, wall time, model, and so on.

        Overrides are described by digest and shape, and single numbers by their value.
        ``finished`` is false for a run that is under way and for one that was killed.
        """
        return [self[number].facts for number in range(len(self))]

    @property
    def monitors(self) -> list[str]:
        """Names of all monitors in the file."""
        return sorted({self._file.table(key)["monitor"] for key in self._file.tables("monitors")})

    @property
    def variables(self) -> list[str]:
        """Names of all plain variables in the file."""
        return sorted({self._file.table(key)["variable"] for key in self._file.tables("values")})

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._over_runs(key)
        number = int(key) + (len(self) if key < 0 else 0)
        if not 0 <= number < len(self):
            raise IndexError(f"'{self.path}' has {len(self)} runs; there is no run {key}.")
        return RunRecord(self._file, number)

    def _over_runs(self, name: str) -> MonitorTable | ValueTable:
        for folder, label, kind in (
            ("monitors", "monitor", MonitorTable),
            ("values", "variable", ValueTable),
        ):
            keys = [k for k in self._file.tables(folder) if self._file.table(k)[label] == name]
            if len(keys) > 1:
                raise ResultsError(
                    f"'{name}' was not recorded in the same way in all runs of '{self.path}'. Use "
                    f"results[run]['{name}'].",
                    path=str(self.path),
                    reason="shape",
                )
            if keys:
                return kind(self._file, keys[0])
        raise _unknown(name, [*self.monitors, *self.variables], "this file")

    def to_pandas(self) -> Any:
        """The table of runs as a DataFrame.

        Raises
        ------
        NotSupportedError
            pandas is not installed.
        """
        from gpurun.results_export import runs_to_pandas

        return runs_to_pandas(self.runs)

    def __repr__(self) -> str:
        shown = ", ".join([*self.monitors, *self.variables]) or "nothing"
        return f"<Results '{self.path}': {len(self)} runs of {shown}>"


def _unknown(name: str, known: Sequence[str], where: str) -> UnknownVariableError:
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

    def __init__(self, file: _File, number: int) -> None:
        self._file = file
        self.number = number
        self._facts = file.facts(number)

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
        raise _unknown(name, list(self), f"run {self.number}")

    def _monitor(self, name: str) -> MonitorRows:
        entry = self._facts["monitors"].get(name)
        prefix = f"{name}."
        counts = {
            value.removeprefix(prefix): partial(self._value, value)
            for value in self._facts["values"]
            if value.startswith(prefix)
        }
        return MonitorRows(self._file, name, entry, counts)

    def _value(self, name: str) -> tuple[np.ndarray, Mapping[str, Any]]:
        entry = self._facts["values"][name]
        array = self._file.array(f"{entry['table']}/value", entry["stop"])
        attributes = {k: v for k, v in array.attrs.items() if k in _ATTRIBUTES}
        dimensions = array.metadata.dimension_names[1:]
        return np.asarray(array[entry["start"]]), {**attributes, "dimensions": dimensions}

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

    def __init__(self, file: _File, name: str, table: str | None, start: int, stop: int) -> None:
        self._file = file
        self._name = name
        self._key = table
        self._start = start
        self._stop = stop

    def _names(self) -> list[str]:
        return [] if self._key is None else list(self._file.table(self._key)["columns"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, name: str) -> Any:
        if self._key is None or name not in self._names():
            raise _unknown(name, list(self), f"the monitor '{self._name}'")
        return self._file.column(self._key, name, self._start, self._stop, transposed=True)

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
        if self._key is None or not self._file.disk.exists(f"{self._key}/neuron/zarr.json"):
            return None
        return np.asarray(self._file.array(f"{self._key}/neuron")[:])

    def _data(self) -> MonitorData:
        assert self._key is not None
        facts = self._file.table(self._key)
        columns = {
            name: self._file.column(self._key, name, self._start, self._stop)
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
        file: _File,
        name: str,
        entry: Mapping[str, Any] | None,
        values: Mapping[str, Callable[[], tuple[np.ndarray, Any]]],
    ) -> None:
        where = entry or {"table": None, "start": 0, "stop": 0}
        super().__init__(file, name, where["table"], where["start"], where["stop"])
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

    def __init__(self, file: _File, key: str) -> None:
        entries = _entries(file, key)
        self.runs = np.array([number for number, _ in entries], dtype=np.int64)
        self.offsets = np.array([0, *(stop for _, stop in entries)], dtype=np.int64)
        super().__init__(file, file.table(key)["monitor"], key, 0, int(self.offsets[-1]))

    def to_xarray(self) -> Any:
        """An xarray Dataset.

        Events have the dimension ``event``, with the run of each as a coordinate, and
        ``offsets``. State variables and rates have ``run``, ``time`` and ``neuron``; shorter
        runs are filled up with nan. Columns are read when they are used.
        """
        from gpurun.results_export import runs_to_xarray

        return runs_to_xarray(self._data(), self.runs, self.offsets)


def _entries(file: _File, key: str) -> list[tuple[int, int]]:
    """Runs that have rows in a table, and where these end, as far as they are committed."""
    edges = file.array_now(f"{key}/offsets")[:]
    numbers = file.array_now(f"{key}/run")[:]
    count = min(len(numbers), len(edges) - 1)
    entries = [(int(n), int(e)) for n, e in zip(numbers[:count], edges[1 : count + 1], strict=True)]
    while entries and entries[-1][0] >= file.count:
        entries.pop()
    if entries:
        number = entries[-1][0]
        known = [e for e in file.facts(number)["monitors"].values() if e["table"] == key]
        entries[-1:] = [(number, known[0]["stop"])] if known else []
    return entries


class ValueTable:
    """One variable in all runs that recorded it: ``.values`` has a row for each of ``.runs``.

    Attributes
    ----------
    runs : ndarray of int
    values : LazyArray
    """

    def __init__(self, file: _File, key: str) -> None:
        self._file = file
        self._key = key
        self.name = file.table(key)["variable"]
        numbers = file.array_now(f"{key}/run")[:]
        count = min(len(numbers), file.array_now(f"{key}/value").shape[0])
        while count and not self._committed(int(numbers[count - 1])):
            count -= 1
        self.runs = np.asarray(numbers[:count])
        self.values = file.column(key, "value", 0, count)

    def _committed(self, number: int) -> bool:
        if number >= self._file.count:
            return False
        values = self._file.facts(number)["values"]
        return any(entry["table"] == self._key for entry in values.values())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values.__array__(dtype, copy)

    def __len__(self) -> int:
        return len(self.runs)

    def to_xarray(self) -> Any:
        """An xarray DataArray with ``run`` as its first dimension."""
        from gpurun.results_export import values_to_xarray

        array = self._file.array(f"{self._key}/value")
        dimensions = array.metadata.dimension_names[1:]
        return values_to_xarray(self.name, self.runs, self.values, dimensions)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.values.shape}>"


def describe_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a results file holds, as plain data that JSON can hold.

    Returns
    -------
    dict
        ``path``, ``format``, ``bytes`` (on disk), ``created``, ``began`` and ``ended`` (of the
        first and last run), ``runs``, ``finished`` (numbers of runs), ``models`` (digests),
        ``gpurun`` and ``brian2`` (versions), ``monitors`` and ``values``: lists with name, kind
        or shape, number of runs, rows and columns with units.

    Raises
    ------
    ResultsError
    """
    results = Results(path)
    file = results._file
    runs = results.runs
    monitors = []
    for key in file.tables("monitors"):
        table = MonitorTable(file, key)
        facts = file.table(key)
        elements = table.elements
        monitors.append(
            {
                "name": facts["monitor"],
                "kind": facts["gpurun"],
                "source": facts["source"],
                "dt": facts["dt"],
                "runs": len(table.runs),
                "rows": len(table),
                "elements": None if elements is None else len(elements),
                "columns": {
                    name: {
                        "dtype": table[name].dtype.name,
                        "units": table[name].attributes.get("units"),
                    }
                    for name in table
                },
                "bytes": _bytes(file.path / key),
            }
        )
    values = []
    for key in file.tables("values"):
        found = ValueTable(file, key)
        values.append(
            {
                "name": found.name,
                "runs": len(found),
                "shape": list(found.values.shape[1:]),
                "dtype": found.values.dtype.name,
                "units": found.values.attributes.get("units"),
                "bytes": _bytes(file.path / key),
            }
        )

    def distinct(name: str) -> list[str]:
        return sorted({run[name] for run in runs if run.get(name)})

    return {
        "path": str(results.path),
        "format": "gpurun results",
        "bytes": _bytes(results.path),
        "created": results._created,
        "began": runs[0]["began"] if runs else None,
        "ended": runs[-1].get("ended") if runs else None,
        "runs": len(runs),
        "finished": sum(run["finished"] for run in runs),
        "models": distinct("model_digest"),
        "gpurun": distinct("gpurun"),
        "brian2": distinct("brian2"),
        "monitors": monitors,
        "values": values,
    }


def _bytes(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:  # a writer has replaced it
                continue
    return total
