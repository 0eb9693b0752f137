"""Writes results files: zarr stores to which runs are appended.

What a killed writer had committed stays readable, and a reader can look while a writer is at
work. See the page "Results files" of the documentation for the layout and its reasons.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from gpurun.errors import ResultsError
from gpurun.model import Manifest
from gpurun.results_schema import (
    MonitorData,
    Recorder,
    attributes_of,
    kind_of,
    to_host,
    value_dimensions,
)

if TYPE_CHECKING:
    from gpurun.results_store import Disk
    from gpurun.results_table import Layout, Table

#: What a results file says of itself.
FORMAT = "gpurun results"
FORMAT_VERSION = 1

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CHUNK_BYTES = 2 * 2**20
#: Waiting for the disk takes longer than writing a small run.
_SECONDS_UNSYNCED = 5.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run_key(number: int) -> str:
    """Path of the group with the facts of one run."""
    return f"runs/{number}"


class ResultsWriter:
    """Appends runs to a results file, which is made if it is not there.

    Use it as a context manager, or call `close`.

    Parameters
    ----------
    path : str or Path
        A directory, by custom ``NAME.zarr``. ``NAME.zarr.lock`` beside it keeps a second writer
        out.
    manifest : Manifest, optional
        Of the model whose results these are: units and kinds of monitors.
    model_digest : str, optional
    recorders : mapping of str to Recorder, optional
        Sources, time steps and recorded elements of monitors.
    timeout : float, optional
        Seconds to wait for another writer to end.
    sync : bool, optional
        Whether `RunWriter.flush` and `close` wait until a power cut could not take anything
        away; `RunWriter.finish` does every five seconds. Without it that is the system's
        affair. A killed process takes nothing away in either case.
    chunk_bytes : int, optional
        Size of a chunk, before compression. Memory holds two of them for each recorded variable.

    Raises
    ------
    ResultsError
        The path holds something else, or another writer is at work on it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        manifest: Manifest | None = None,
        model_digest: str = "",
        recorders: Mapping[str, Recorder] | None = None,
        timeout: float = 0.0,
        sync: bool = True,
        chunk_bytes: int = _CHUNK_BYTES,
    ) -> None:
        self.path = Path(path)
        self._manifest = manifest
        self._model_digest = model_digest
        self._recorders = dict(recorders or {})
        self._chunk_bytes = chunk_bytes
        self._sync = sync
        self._synced = time.monotonic()
        self._mutex = threading.RLock()
        self._failure: ResultsError | None = None
        self._run: RunWriter | None = None
        self._closed = False
        self._tables: dict[str, Table] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._lock = self._acquire(timeout)
        try:
            self._disk = self._open()
        except BaseException:
            self._lock.release()
            raise

    # -- life -----------------------------------------------------------------

    def _acquire(self, timeout: float) -> FileLock:
        place = self.path.with_name(self.path.name + ".lock")
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A lock belongs to the writer, whichever thread uses it
            lock = FileLock(place, thread_local=False)
            try:
                lock.acquire(timeout=timeout)
            except Timeout:
                raise ResultsError(
                    f"Another writer is at work on '{self.path}'. Wait until it is closed, or "
                    "write to another file; reading is possible meanwhile.",
                    path=str(self.path),
                    reason="locked",
                ) from None
        return lock

    def _open(self) -> Disk:
        # zarr takes its time to be imported
        from gpurun.results_store import Disk, group_document

        disk = Disk(self.path)
        with self._writing():
            if not disk.exists("zarr.json"):
                if self.path.exists() and (self.path.is_file() or any(self.path.iterdir())):
                    raise not_results(self.path)
                facts = {"format": FORMAT, "version": FORMAT_VERSION, "created": _now()}
                for folder in ("runs", "monitors", "values"):
                    disk.write_json(f"{folder}/zarr.json", group_document({}))
                disk.write_json("zarr.json", group_document(facts))
            check_format(self.path, disk.read_json("zarr.json"))
            self._next = count_runs(self.path)
            #: The last run before this writer's. Its rows may go further than was committed.
            self._last = self._next - 1
            self._last_facts: dict[str, Any] = {}
            if self._next:
                self._last_facts = self._facts(self._last)
                if not self._last_facts["finished"]:
                    disk.remove_partial()
        return disk

    def _facts(self, number: int) -> dict[str, Any]:
        from gpurun.results_store import Disk

        return Disk(self.path).read_json(f"{run_key(number)}/zarr.json")["attributes"]

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what an open run has appended, and let other writers in.

        The run stays marked as not finished.
        """
        with self._mutex:
            if self._closed:
                return
            try:
                if self._run is not None:
                    self._run.abandon()
                if self._failure is None:
                    with self._writing():
                        self._wait_for_disk()
            finally:
                self._closed = True
                self._run = None
                self._tables.clear()
                self._lock.release()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    # -- runs -----------------------------------------------------------------

    def run(self, **facts: Any) -> RunWriter:
        """Begin a run.

        Parameters
        ----------
        **facts
            What readers are to know of it: ``seed``, ``overrides``, ``device``, ``duration``,
            ... Anything that JSON can hold. Number, time, model and versions are added.

        Raises
        ------
        ResultsError
            The run before is not finished, or the file cannot be written.
        """
        with self._mutex:
            self._check_idle()
            facts = {
                "number": self._next,
                "finished": False,
                "began": _now(),
                "model_digest": self._model_digest,
                "gpurun": metadata.version("gpurun"),
                **(
                    {}
                    if self._manifest is None
                    else {"brian2": self._manifest.brian2, "backend": self._manifest.backend}
                ),
                **plain(facts, self.path),
                "monitors": {},
                "values": {},
            }
            run = RunWriter(self, self._next, facts)
            run._commit()
            self._next += 1
            self._run = run
            return run

    def resume(self, number: int, rows: Mapping[str, int] | None = None) -> RunWriter:
        """Go on with the last run of the file, which was not finished.

        Parameters
        ----------
        number : int
            Of the run; has to be the last.
        rows : mapping of str to int, optional
            By monitor, how many rows of the run stay, as `RunWriter.rows` has told. Monitors
            that are left out keep all rows that were committed.

        Raises
        ------
        ResultsError
            It is not the last run, it is finished, or has fewer rows.
        """
        with self._mutex:
            self._check_idle()
            facts = self._facts(number) if 0 <= number < self._next else {}
            if number != self._next - 1 or facts.get("finished"):
                raise ResultsError(
                    f"Run {number} of '{self.path}' cannot be continued: only the last run can, "
                    "and only if it is not finished.",
                    path=str(self.path),
                    reason="closed",
                )
            self._last, self._last_facts = number, facts
            self._tables.clear()
            run = RunWriter(self, number, facts)
            with self._writing():
                run._go_back(rows or {})
            self._run = run
            return run

    def _check_idle(self) -> None:
        self._check()
        if self._run is not None:
            raise ResultsError(
                f"Run {self._run.number} of '{self.path}' is still open; finish it first. Runs of "
                "one file are written one after the other.",
                path=str(self.path),
                reason="closed",
            )

    # -- for RunWriter ----------------------------------------------------------

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ResultsError(
                f"The writer of '{self.path}' has been closed.",
                path=str(self.path),
                reason="closed",
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn the system's errors into ResultsError, after which the writer is of no use."""
        try:
            yield
        except ResultsError:
            raise
        except OSError as error:
            full = error.errno in _FULL
            what = "The disk (or a quota) is full" if full else f"Writing failed ({error})"
            self._failure = ResultsError(
                f"{what}: '{self.path}'. What was committed before is readable.",
                path=str(self.path),
                reason="full" if full else "not_written",
                errno=error.errno,
            )
            raise self._failure from error

    def _wait_for_disk(self) -> None:
        if self._sync:
            self._disk.sync()
        self._synced = time.monotonic()

    def _table(self, folder: str, name: str, layout: Layout) -> Table:
        """The table for rows of this layout: where that has changed, another than before."""
        from gpurun.results_table import Table

        wanted = layout.signature
        key = self._keys.get((f"{folder}/{name}", wanted))
        number = 1
        while key is None:
            candidate = f"{folder}/{name}" + (f"@{number}" if number > 1 else "")
            found = Table.signature(self._disk, candidate)
            if found is None:
                table = Table.create(self._disk, candidate, layout, self._chunk_bytes)
                self._tables[candidate] = table
            if found in (None, wanted):
                key = self._keys[f"{folder}/{name}", wanted] = candidate
            number += 1
        return self._open_table(key)

    def _open_table(self, key: str) -> Table:
        from gpurun.results_table import Table

        if key not in self._tables:
            entries = [
                *self._last_facts.get("monitors", {}).values(),
                *self._last_facts.get("values", {}).values(),
            ]
            end = next((entry["stop"] for entry in entries if entry["table"] == key), None)
            self._tables[key] = Table.open(self._disk, key, (self._last, end))
        return self._tables[key]


class RunWriter:
    """Writes one run. Made by `ResultsWriter.run`.

    As a context manager it finishes the run, or abandons it after an error.

    Attributes
    ----------
    number : int
        Number of the run in the file.
    """

    def __init__(self, writer: ResultsWriter, number: int, facts: dict[str, Any]) -> None:
        self.number = number
        self._writer = writer
        self._facts = facts
        self._open_tables: dict[str, Table] = {}
        self._ended = False

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self._ended:
            self.finish()
        elif error is not None:
            self.abandon()

    def rows(self) -> dict[str, int]:
        """Rows of this run, by monitor, that are committed; all of them after `flush`."""
        with self._writer._mutex:
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
        manifest = self._writer._manifest
        arrays = {name: to_host(column) for name, column in columns.items()}
        self.append_data(
            MonitorData(
                monitor,
                kind_of(manifest, monitor, arrays),
                arrays,
                {name: attributes_of(manifest, f"{monitor}.{name}") for name in arrays},
                self._writer._recorders.get(monitor, Recorder()),
            )
        )

    def append_data(self, data: MonitorData) -> None:
        """`append` for rows that say themselves what they are."""
        with self._writer._mutex:
            self._check()
            self._check_shapes(data.name, data.columns)
            with self._writer._writing():
                if self._monitor_table(data).append(data.columns):
                    self._commit()

    def values(self, values: Mapping[str, Any]) -> None:
        """Store plain variables of the run, by name (``"cells.v"``). A later value replaces."""
        manifest = self._writer._manifest
        described = {}
        for name, value in values.items():
            array = to_host(value)
            dimensions = value_dimensions(manifest, name, array.ndim)
            described[name] = (array, {**attributes_of(manifest, name), "dimensions": dimensions})
        self.store_values(described)

    def store_values(self, values: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]]) -> None:
        """`values` with attributes: what `attributes_of` gives, and ``dimensions``."""
        from gpurun.results_table import value_layout

        with self._writer._mutex:
            self._check()
            with self._writer._writing():
                for name, (array, described) in values.items():
                    attributes = {k: v for k, v in described.items() if k != "dimensions"}
                    layout = value_layout(name, array, described["dimensions"], attributes)
                    self._store_value(name, array, layout)
                self._commit()

    def flush(self) -> None:
        """Write and commit what was appended so far."""
        with self._writer._mutex:
            self._check()
            with self._writer._writing():
                for table in self._open_tables.values():
                    table.write_rest()
                self._commit()
                self._writer._wait_for_disk()

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
        with self._writer._mutex:
            self._check()
            ending = plain(
                {"completed": completed, "wall_time": wall_time, **facts}, self._writer.path
            )
            with self._writer._writing():
                for table in self._open_tables.values():
                    table.write_rest()
                self._facts.update({**ending, "finished": True, "ended": _now()})
                self._commit()
                if time.monotonic() - self._writer._synced > _SECONDS_UNSYNCED:
                    self._writer._wait_for_disk()
            self._end()

    def abandon(self) -> None:
        """Keep what was appended, but leave the run marked as not finished."""
        with self._writer._mutex:
            if not self._ended and self._writer._failure is None and not self._writer.closed:
                self.flush()
            self._end()

    # -- parts ------------------------------------------------------------------

    def _end(self) -> None:
        self._ended = True
        self._open_tables.clear()
        if self._writer._run is self:
            self._writer._run = None

    def _check(self) -> None:
        self._writer._check()
        if self._ended:
            raise ResultsError(
                f"Run {self.number} of '{self._writer.path}' has ended.",
                path=str(self._writer.path),
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
            f"'{monitor}' takes {expected}.", path=str(self._writer.path), reason="shape"
        )

    def _monitor_table(self, data: MonitorData) -> Table:
        from gpurun.results_table import monitor_layout

        if data.name not in self._open_tables:
            table = self._writer._table("monitors", data.name, monitor_layout(data))
            self._open_tables[data.name] = table
            self._facts["monitors"][data.name] = {
                "table": table.key,
                "start": table.written,
                "stop": table.written,
            }
        return self._open_tables[data.name]

    def _store_value(self, name: str, array: np.ndarray, layout: Layout) -> None:
        entry = self._facts["values"].get(name)
        table = self._writer._table("values", name, layout)
        row = {"value": array[None], "run": np.array([self.number])}
        if entry is not None and entry["table"] == table.key:
            table.replace(entry["start"], row)
            return
        start = table.written
        table.append(row)
        table.write_rest()
        table.publish(self.number)
        self._facts["values"][name] = {"table": table.key, "start": start, "stop": start + 1}

    def _commit(self) -> None:
        """Chunks are there; now the lengths, and then the one file that readers go by."""
        for name, table in self._open_tables.items():
            table.publish(self.number)
            self._facts["monitors"][name]["stop"] = table.written
        self._write_facts()

    def _write_facts(self) -> None:
        from gpurun.results_store import group_document

        with self._writer._writing():
            self._writer._disk.write_json(
                f"{run_key(self.number)}/zarr.json", group_document(self._facts)
            )

    def _go_back(self, rows: Mapping[str, int]) -> None:
        """Take up the run again, with as many rows as `rows` says."""
        for name, entry in self._facts["monitors"].items():
            kept = rows.get(name, entry["stop"] - entry["start"])
            if not 0 <= kept <= entry["stop"] - entry["start"]:
                raise ResultsError(
                    f"Run {self.number} of '{self._writer.path}' has "
                    f"{entry['stop'] - entry['start']} rows of '{name}', not {kept}.",
                    path=str(self._writer.path),
                    reason="shape",
                )
            entry["stop"] = entry["start"] + kept
        # First what readers go by, then the tables
        self._write_facts()
        for name, entry in self._facts["monitors"].items():
            table = self._writer._open_table(entry["table"])
            table.truncate(entry["stop"])
            self._open_tables[name] = table
        self._commit()


# -- what readers share ------------------------------------------------------------------------


def not_results(path: Path) -> ResultsError:
    """The error for a path that holds something else."""
    return ResultsError(
        f"'{path}' is not a results file of gpurun.", path=str(path), reason="not_results"
    )


def check_format(path: Path, document: Mapping[str, Any]) -> None:
    """Raise ResultsError unless the root's ``zarr.json`` is that of a file that can be read."""
    facts = document.get("attributes", {})
    if facts.get("format") != FORMAT:
        raise not_results(path)
    if facts["version"] > FORMAT_VERSION:
        raise ResultsError(
            f"'{path}' has the format {facts['version']} of results files; this version of gpurun "
            f"knows {FORMAT_VERSION}. Use a newer one.",
            path=str(path),
            reason="newer_format",
        )


def count_runs(path: Path) -> int:
    """Number of runs in the file."""
    numbers = [int(entry.name) for entry in (path / "runs").iterdir() if entry.name.isdigit()]
    last = max(numbers, default=-1)
    # A kill may have come between the folder and its file
    while last >= 0 and not (path / run_key(last) / "zarr.json").is_file():
        last -= 1
    return last + 1


def plain(facts: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """`facts` of a run in the file at `path` as JSON can hold them; ResultsError if it cannot."""

    def convert(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, set | frozenset):
            return sorted(value)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        raise TypeError(f"a {type(value).__name__} cannot be stored as a fact of a run")

    try:
        return json.loads(json.dumps(dict(facts), default=convert))
    except (TypeError, ValueError) as error:
        raise ResultsError(
            f"Facts of a run are plain data: {error}.", path=str(path), reason="shape"
        ) from error
