"""Rows of one monitor (or of one variable, one row a run) in a results file.

A table is a zarr group: columns that grow together, and, for monitors, which rows belong to
which run (``run`` and ``offsets``).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpurun.results_schema import MonitorData
from gpurun.results_store import Disk, GrowingArray, group_document

_MOST_ROWS = 2**16
#: A column of single numbers has longer chunks than one of many elements, but not so long that
#: writing its last one again, for each chunk of the others, costs more than these do.
_LONGER = 16
#: Names of arrays that have a meaning in every table.
_TAKEN = frozenset({"time", "neuron", "run", "offsets", "event", "value"})


@dataclass(frozen=True)
class Column:
    """How one column is stored: name of its array, dtype, shape of a row, and so on."""

    array: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return max(1, self.dtype.itemsize * math.prod(self.shape))


@dataclass(frozen=True)
class Layout:
    """What a table looks like.

    Attributes
    ----------
    columns : mapping of str to Column
    attributes : mapping
        Of the zarr group.
    elements : ndarray or None
        Numbers of the recorded elements.
    ranges : bool
        Whether a run has many rows here, rather than one.
    """

    columns: Mapping[str, Column]
    attributes: Mapping[str, Any]
    elements: np.ndarray | None = None
    ranges: bool = True

    @property
    def signature(self) -> str:
        """Digest by which a table is known to take the same rows."""
        described = [
            {n: (c.array, c.dtype.str, c.shape, c.dimensions) for n, c in self.columns.items()},
            {n: dict(c.attributes) for n, c in self.columns.items()},
            dict(self.attributes),
            None if self.elements is None else self.elements.tolist(),
        ]
        text = json.dumps(described, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def monitor_layout(monitor: MonitorData) -> Layout:
    """Layout for what a monitor recorded; its columns are NumPy arrays."""
    events = monitor.kind == "events"
    dimension = "event" if events else "time"
    recorder = monitor.recorder
    columns = {}
    for name, array in monitor.columns.items():
        own = "time" if name == "t" and not events else name
        if own in _TAKEN and name != "t":
            own += "_"
        columns[name] = Column(
            own,
            array.dtype,
            array.shape[1:],
            (dimension, "neuron")[: array.ndim],
            monitor.attributes.get(name, {}),
        )
    widths = [array.shape[1] for array in monitor.columns.values() if array.ndim == 2]
    elements = recorder.elements
    if widths and (elements is None or len(elements) != widths[0]):
        elements = np.arange(widths[0])
    attributes = {
        "gpurun": monitor.kind,
        "monitor": monitor.name,
        "source": recorder.source,
        "dt": recorder.dt,
        "size": recorder.size,
        "columns": {name: column.array for name, column in columns.items()},
        # What xarray takes as coordinates of the other columns
        **({"coordinates": "t"} if events else {}),
    }
    return Layout(columns, attributes, elements if widths else None)


def value_layout(
    name: str, array: np.ndarray, dimensions: tuple[str, ...], attributes: Mapping[str, Any]
) -> Layout:
    """Layout for the values of one variable, a row for each run."""
    columns = {
        "value": Column("value", array.dtype, array.shape, ("run", *dimensions), attributes),
        "run": Column("run", np.dtype(np.int64), (), ("run",), {"long_name": "run number"}),
    }
    facts = {
        "gpurun": "value",
        "variable": name,
        "columns": {"value": "value", "run": "run"},
    }
    return Layout(columns, facts, ranges=False)


def chunk_rows(layout: Layout, chunk_bytes: int) -> dict[str, int]:
    """Rows of a chunk, by column: multiples of the smallest of them."""
    widest = max(column.row_bytes for column in layout.columns.values())
    if not layout.ranges:
        # The last chunk is written again for every run
        chunk_bytes //= 8
    rows = min(_MOST_ROWS, max(1, chunk_bytes // widest))
    longer = max(rows, min(_MOST_ROWS // rows * rows, rows * _LONGER))
    return {
        name: longer if column.row_bytes * _LONGER <= widest else rows
        for name, column in layout.columns.items()
    }


class Table:
    """One table that a writer appends to.

    `append` collects rows until a chunk is full; `write_rest` writes the others.

    Parameters
    ----------
    disk : Disk
    key : str
        Path of the group.
    columns : mapping of str to GrowingArray
    last : (int, int or None)
        Number of the file's last run, and where its committed rows in this table end: None if
        it has none. Rows beyond are a killed writer's, and will be overwritten.
    ranges : bool
    """

    def __init__(
        self,
        disk: Disk,
        key: str,
        columns: Mapping[str, GrowingArray],
        last: tuple[int, int | None],
        *,
        ranges: bool,
    ) -> None:
        self.key = key
        self._columns = dict(columns)
        self._step = min(column.chunk for column in columns.values())
        self._pending: dict[str, np.ndarray] = {}
        self._held = 0
        self._ranges = _Ranges(disk, key) if ranges else None
        repair = self._committed if self._ranges is None else self._ranges.repair
        self.written = repair(*last)
        for column in columns.values():
            column.publish(self.written)

    @classmethod
    def create(cls, disk: Disk, key: str, layout: Layout, chunk_bytes: int) -> Table:
        """Make an empty table. Its ``zarr.json`` comes last: with it the table exists."""
        chunks = chunk_rows(layout, chunk_bytes)
        columns = {
            name: GrowingArray.create(
                disk,
                f"{key}/{column.array}",
                dtype=column.dtype,
                shape=column.shape,
                chunk=chunks[name],
                dimensions=column.dimensions,
                attributes=column.attributes,
            )
            for name, column in layout.columns.items()
        }
        if layout.elements is not None:
            numbers = np.asarray(layout.elements, dtype=np.int64)
            array = GrowingArray.create(
                disk,
                f"{key}/neuron",
                dtype=numbers.dtype,
                shape=(),
                chunk=max(1, len(numbers)),
                dimensions=("neuron",),
                attributes={"long_name": "number of the recorded element"},
            )
            array.write(0, numbers)
            array.publish(len(numbers))
        if layout.ranges:
            _Ranges.create(disk, key)
        facts = {**layout.attributes, "signature": layout.signature}
        disk.write_json(f"{key}/zarr.json", group_document(facts))
        return cls(disk, key, columns, (-1, None), ranges=layout.ranges)

    @property
    def rows_like(self) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
        """dtype and shape of a row, by column."""
        return {name: (c.dtype, c.row_shape) for name, c in self._columns.items()}

    @classmethod
    def open(cls, disk: Disk, key: str, last: tuple[int, int | None]) -> Table:
        """The table at `key`. `last` is the file's last run and where its rows end, if known."""
        facts = disk.read_json(f"{key}/zarr.json")["attributes"]
        columns = {
            name: GrowingArray.open(disk, f"{key}/{array}")
            for name, array in facts["columns"].items()
        }
        return cls(disk, key, columns, last, ranges=facts["gpurun"] != "value")

    @staticmethod
    def signature(disk: Disk, key: str) -> str | None:
        """Signature of the table at `key`, None if there is none."""
        if not disk.exists(f"{key}/zarr.json"):
            return None
        return disk.read_json(f"{key}/zarr.json")["attributes"].get("signature")

    def _committed(self, run: int, end: int | None) -> int:
        """Rows of a table that has one for each run."""
        if end is not None:
            return end
        rows = min(column.length for column in self._columns.values())
        if rows and self._columns["run"].read(rows - 1, rows)[0] == run:
            rows -= 1
        return rows

    def append(self, columns: Mapping[str, np.ndarray]) -> bool:
        """Take rows; returns whether some were written and can be committed."""
        count = len(next(iter(columns.values())))
        done, wrote = 0, False
        while done < count:
            room = self._step - (self.written + self._held) % self._step
            take = min(room, count - done)
            part = {name: array[done : done + take] for name, array in columns.items()}
            if take == room and not self._held:
                self._write(part, take)
                wrote = True
            else:
                self._hold(part, take)
                if take == room:
                    self.write_rest()
                    wrote = True
            done += take
        return wrote

    def _hold(self, part: Mapping[str, np.ndarray], count: int) -> None:
        for name, rows in part.items():
            if name not in self._pending:
                self._pending[name] = np.empty((self._step, *rows.shape[1:]), rows.dtype)
            self._pending[name][self._held : self._held + count] = rows
        self._held += count

    def write_rest(self) -> bool:
        """Write what is held back; returns whether there was something."""
        held, self._held = self._held, 0
        if held:
            self._write({name: rows[:held] for name, rows in self._pending.items()}, held)
        return bool(held)

    def _write(self, part: Mapping[str, np.ndarray], count: int) -> None:
        for name, rows in part.items():
            self._columns[name].write(self.written, rows)
        self.written += count

    def replace(self, row: int, columns: Mapping[str, np.ndarray]) -> None:
        """Write one row again."""
        for name, rows in columns.items():
            self._columns[name].write(row, rows)

    def publish(self, run: int) -> None:
        """Show readers what was written; `run` is the run that the last rows belong to."""
        for column in self._columns.values():
            column.publish(self.written)
        if self._ranges is not None:
            self._ranges.end(run, self.written)

    def truncate(self, length: int) -> None:
        """Go back to `length` rows."""
        self._held = 0
        self.written = length


class _Ranges:
    """Which rows belong to which run: numbers of runs, and where each begins and ends."""

    def __init__(self, disk: Disk, key: str) -> None:
        self._numbers = GrowingArray.open(disk, f"{key}/run")
        self._edges = GrowingArray.open(disk, f"{key}/offsets")
        self._count = min(self._numbers.length, self._edges.length - 1)
        last = self._numbers.read(self._count - 1, self._count) if self._count else [-1]
        self._last = int(last[0])
        self._stop = -1

    @staticmethod
    def create(disk: Disk, key: str) -> None:
        for name, dimension, what in (
            ("run", "run", "run number"),
            ("offsets", "edge", "rows of run[k] begin at offsets[k] and end before offsets[k + 1]"),
        ):
            array = GrowingArray.create(
                disk,
                f"{key}/{name}",
                dtype=np.dtype(np.int64),
                shape=(),
                chunk=4096,
                dimensions=(dimension,),
                attributes={"long_name": what},
            )
            if name == "offsets":
                array.write(0, np.zeros(1, np.int64))
                array.publish(1)

    def repair(self, run: int, end: int | None) -> int:
        """Make the last entry what was committed of `run`; returns the rows there are."""
        if self._count and self._last == run:
            if end is None:
                self._count -= 1
                self._last = -1
            else:
                self._edges.write(self._count, np.array([end]))
        stop = self._edges.read(self._count, self._count + 1)[0]
        self._numbers.publish(self._count)
        self._edges.publish(self._count + 1)
        return int(stop)

    def end(self, run: int, stop: int) -> None:
        if (run, stop) == (self._last, self._stop):
            return
        self._stop = stop
        if run != self._last:
            self._numbers.write(self._count, np.array([run]))
            self._count += 1
            self._last = run
        self._edges.write(self._count, np.array([stop]))
        # The longer one last: a reader goes by the shorter
        self._edges.publish(self._count + 1)
        self._numbers.publish(self._count)
