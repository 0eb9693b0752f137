"""What the runs of one results file write to: its files, tables, and the first failure."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpurun.errors import ResultsError
from gpurun.model import Manifest
from gpurun.results_format import run_key
from gpurun.results_schema import Recorder
from gpurun.results_store import Disk
from gpurun.results_table import Layout, Table

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Book:
    """State of a writer that outlives its runs.

    Parameters
    ----------
    path : Path
    manifest : Manifest or None
    recorders : mapping of str to Recorder
    sync : bool
    chunk_bytes : int
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest | None,
        recorders: Mapping[str, Recorder],
        *,
        sync: bool,
        chunk_bytes: int,
    ) -> None:
        self.path = path
        self.disk = Disk(path)
        self.manifest = manifest
        self.recorders = dict(recorders)
        self.mutex = threading.RLock()
        self.closed = False
        self.synced = time.monotonic()
        self._sync = sync
        self._chunk_bytes = chunk_bytes
        self._failure: ResultsError | None = None
        self._tables: dict[str, Table] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._last = -1
        self._last_facts: Mapping[str, Any] = {}

    def facts(self, number: int) -> dict[str, Any]:
        """What is stored of a run."""
        return self.disk.read_json(f"{run_key(number)}/zarr.json")["attributes"]

    def continue_after(self, number: int, facts: Mapping[str, Any]) -> None:
        """Trust of what is on disk only what the `facts` of the last run, `number`, count."""
        self._last, self._last_facts = number, facts
        self._tables.clear()

    @property
    def usable(self) -> bool:
        """Whether it can be written to."""
        return self._failure is None and not self.closed

    def check(self) -> None:
        """Raise ResultsError if it cannot be written to any more."""
        if self._failure is not None:
            raise self._failure
        if self.closed:
            raise ResultsError(
                f"The writer of '{self.path}' has been closed.",
                path=str(self.path),
                reason="closed",
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn the system's errors into ResultsError, after which nothing can be written."""
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

    def wait_for_disk(self) -> None:
        """Wait until a power cut would take nothing away, if that is wanted."""
        if self._sync:
            self.disk.sync()
        self.synced = time.monotonic()

    def table(self, place: str, layout: Layout) -> Table:
        """The table for rows of this layout: where that has changed, another than before."""
        wanted = layout.signature
        key = self._keys.get((place, wanted))
        number = 1
        while key is None:
            candidate = place + (f"@{number}" if number > 1 else "")
            found = Table.signature(self.disk, candidate)
            if found is None:
                self._tables[candidate] = Table.create(
                    self.disk, candidate, layout, self._chunk_bytes
                )
            if found in (None, wanted):
                key = self._keys[place, wanted] = candidate
            number += 1
        return self.open_table(key)

    def open_table(self, key: str) -> Table:
        """The table at `key`, with the rows that are committed."""
        if key not in self._tables:
            entries = [
                *self._last_facts.get("monitors", {}).values(),
                *self._last_facts.get("values", {}).values(),
            ]
            end = next((entry["stop"] for entry in entries if entry["table"] == key), None)
            self._tables[key] = Table.open(self.disk, key, (self._last, end))
        return self._tables[key]

    def repair(self) -> None:
        """Take from every table what a killed writer did not commit of the last run."""
        for folder in ("monitors", "values"):
            for place in sorted((self.path / folder).iterdir()):
                key = f"{folder}/{place.name}"
                if place.is_dir() and Table.signature(self.disk, key) is not None:
                    self.open_table(key)

    def close(self) -> None:
        """Forget the tables."""
        self.closed = True
        self._tables.clear()
