"""Writes one run of a results file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from gpurun.errors import ResultsError
from gpurun.results_book import Book
from gpurun.results_format import now, plain, run_key
from gpurun.results_schema import (
    MonitorData,
    Recorder,
    attributes_of,
    kind_of,
    to_host,
    value_dimensions,
)
from gpurun.results_store import group_document
from gpurun.results_table import Layout, Table, monitor_layout, value_layout

#: Waiting for the disk takes longer than writing a small run.
_SECONDS_UNSYNCED = 5.0


class RunWriter:
    """Writes one run. Made by `ResultsWriter.run`.

    As a context manager it finishes the run, or abandons it after an error.

    Attributes
    ----------
    number : int
        Number of the run in the file.
    ended : bool
        Whether it was finished or abandoned.
    """

    def __init__(self, book: Book, number: int, facts: dict[str, Any]) -> None:
        self.number = number
        self._book = book
        self._facts = facts
        self._open_tables: dict[str, Table] = {}
        self.ended = False

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self.ended:
            self.finish()
        elif error is not None:
            self.abandon()

    def rows(self) -> dict[str, int]:
        """Rows of this run, by monitor, that are committed; all of them after `flush`."""
        with self._book.mutex:
            return {
                name: entry["stop"] - entry["start"]
                for name, entry in self._facts["monitors"].items()
            }

    def append(self, monitor: str, columns: Mapping[str, Any]) -> None:
        """Add rows to what was recorded of `monitor`.

        Rows are written when a chunk is full, and by `flush` and `finish`.

        Parameters
        ----------
        monitor : str
        columns : mapping of str to array
            Equally long arrays. For a monitor of events ``t``, ``i`` and what it records with
            them; for a StateMonitor ``t`` and variables of the shape (rows, recorded elements);
            for a PopulationRateMonitor ``t`` and ``rate``. SI values.

        Raises
        ------
        ResultsError
            The arrays do not fit together or to the rows before; the file cannot be written.
        """
        manifest = self._book.manifest
        arrays = {name: to_host(column) for name, column in columns.items()}
        self.append_data(
            MonitorData(
                monitor,
                kind_of(manifest, monitor, arrays),
                arrays,
                {name: attributes_of(manifest, f"{monitor}.{name}") for name in arrays},
                self._book.recorders.get(monitor, Recorder()),
            )
        )

    def append_data(self, data: MonitorData) -> None:
        """`append` for rows that say themselves what they are."""
        with self._book.mutex:
            self._check()
            self._check_shapes(data.name, data.columns)
            with self._book.writing():
                if self._monitor_table(data).append(data.columns):
                    self.commit()

    def values(self, values: Mapping[str, Any]) -> None:
        """Store plain variables of the run, by name (``"cells.v"``). A later value replaces."""
        manifest = self._book.manifest
        described = {}
        for name, value in values.items():
            array = to_host(value)
            dimensions = value_dimensions(manifest, name, array.ndim)
            described[name] = (array, {**attributes_of(manifest, name), "dimensions": dimensions})
        self.store_values(described)

    def store_values(self, values: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]]) -> None:
        """`values` with attributes: what `attributes_of` gives, and ``dimensions``."""
        with self._book.mutex:
            self._check()
            with self._book.writing():
                for name, (array, described) in values.items():
                    attributes = {k: v for k, v in described.items() if k != "dimensions"}
                    layout = value_layout(name, array, described["dimensions"], attributes)
                    self._store_value(name, array, layout)
                self.commit()

    def flush(self, *, wait: bool = True) -> None:
        """Write and commit what was appended so far.

        Parameters
        ----------
        wait : bool
            Whether to wait for the disk in any case; else only if that was a few seconds ago.
        """
        with self._book.mutex:
            self._check()
            with self._book.writing():
                for table in self._open_tables.values():
                    table.write_rest()
                self.commit()
                if wait or time.monotonic() - self._book.synced > _SECONDS_UNSYNCED:
                    self._book.wait_for_disk()

    def finish(self, completed: float = 1.0, wall_time: float | None = None, **facts: Any) -> None:
        """Write what was appended, and mark the run as finished.

        Parameters
        ----------
        completed : float, optional
            Fraction of the duration that was simulated.
        wall_time : float, optional
            Seconds that the run took.
        **facts
            More of them, as for `ResultsWriter.run`.
        """
        with self._book.mutex:
            self._check()
            ending = plain(
                {"completed": completed, "wall_time": wall_time, **facts}, self._book.path
            )
            with self._book.writing():
                for table in self._open_tables.values():
                    table.write_rest()
                self._facts.update({**ending, "finished": True, "ended": now()})
                self.commit()
                if time.monotonic() - self._book.synced > _SECONDS_UNSYNCED:
                    self._book.wait_for_disk()
            self._end()

    def abandon(self) -> None:
        """Keep what was appended, but leave the run marked as not finished."""
        with self._book.mutex:
            if not self.ended and self._book.usable:
                self.flush()
            self._end()

    # -- parts ------------------------------------------------------------------

    def _end(self) -> None:
        self.ended = True
        self._open_tables.clear()

    def _check(self) -> None:
        self._book.check()
        if self.ended:
            raise ResultsError(
                f"Run {self.number} of '{self._book.path}' has ended.",
                path=str(self._book.path),
                reason="closed",
            )

    def _check_shapes(self, monitor: str, arrays: Mapping[str, np.ndarray]) -> None:
        lengths = {name: array.shape[:1] for name, array in arrays.items()}
        if "t" not in arrays or len(set(lengths.values())) != 1 or () in lengths.values():
            self._misfit(monitor, f"equally long arrays with 't' among them, not {lengths}")
        if any(array.ndim > 2 for array in arrays.values()):
            self._misfit(monitor, "arrays of one or two dimensions")
        widths = {array.shape[1] for array in arrays.values() if array.ndim == 2}
        if len(widths) > 1:
            self._misfit(monitor, f"the same elements in all variables, not {sorted(widths)}")
        if monitor in self._open_tables:
            table = self._open_tables[monitor]
            got = {name: (array.dtype, array.shape[1:]) for name, array in arrays.items()}
            if got != table.rows_like:
                self._misfit(monitor, f"rows like those before ({table.rows_like}), not {got}")

    def _misfit(self, monitor: str, expected: str) -> None:
        raise ResultsError(
            f"'{monitor}' takes {expected}.", path=str(self._book.path), reason="shape"
        )

    def _monitor_table(self, data: MonitorData) -> Table:
        if data.name not in self._open_tables:
            table = self._book.table(f"monitors/{data.name}", monitor_layout(data))
            self._open_tables[data.name] = table
            self._facts["monitors"][data.name] = {
                "table": table.key,
                "start": table.written,
                "stop": table.written,
            }
        return self._open_tables[data.name]

    def _store_value(self, name: str, array: np.ndarray, layout: Layout) -> None:
        entry = self._facts["values"].get(name)
        table = self._book.table(f"values/{name}", layout)
        row = {"value": array[None], "run": np.array([self.number])}
        if entry is not None and entry["table"] == table.key:
            table.replace(entry["start"], row)
            return
        start = table.written
        table.append(row)
        table.write_rest()
        table.publish(self.number)
        self._facts["values"][name] = {"table": table.key, "start": start, "stop": start + 1}

    def commit(self) -> None:
        """Chunks are there; now the lengths, and then the one file that readers go by."""
        for name, table in self._open_tables.items():
            table.publish(self.number)
            self._facts["monitors"][name]["stop"] = table.written
        self._write_facts()

    def _write_facts(self) -> None:
        with self._book.writing():
            self._book.disk.write_json(
                f"{run_key(self.number)}/zarr.json", group_document(self._facts)
            )

    def go_back(self, rows: Mapping[str, int]) -> None:
        """Take up the run again, with as many rows as `rows` says."""
        for name, entry in self._facts["monitors"].items():
            kept = rows.get(name, entry["stop"] - entry["start"])
            if not 0 <= kept <= entry["stop"] - entry["start"]:
                raise ResultsError(
                    f"Run {self.number} of '{self._book.path}' has "
                    f"{entry['stop'] - entry['start']} rows of '{name}', not {kept}.",
                    path=str(self._book.path),
                    reason="shape",
                )
            entry["stop"] = entry["start"] + kept
        # First what readers go by, then the tables
        self._write_facts()
        for name, entry in self._facts["monitors"].items():
            table = self._book.open_table(entry["table"])
            table.truncate(entry["stop"])
            self._open_tables[name] = table
        self.commit()
