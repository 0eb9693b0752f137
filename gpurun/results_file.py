"""Writes results files: zarr stores to which runs are appended.

What a killed writer had committed stays readable, and a reader can look while a writer is at
work. See the page "Results files" of the documentation for the layout and its reasons.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from gpurun.errors import ResultsError
from gpurun.model import Manifest
from gpurun.results_book import Book
from gpurun.results_format import (
    FORMAT,
    FORMAT_VERSION,
    check_format,
    count_runs,
    not_results,
    now,
    plain,
)
from gpurun.results_run import RunWriter
from gpurun.results_schema import Recorder
from gpurun.results_store import PARTIAL, group_document

__all__ = ["ResultsWriter", "RunWriter"]

_FOLDERS = ("runs", "monitors", "values")
_CHUNK_BYTES = 2 * 2**20


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
        self._model_digest = model_digest
        self._run: RunWriter | None = None
        self._book = Book(self.path, manifest, recorders or {}, sync=sync, chunk_bytes=chunk_bytes)
        with self._book.writing():
            self._lock = self._acquire(timeout)
            try:
                self._next = self._open()
            except BaseException:
                self._lock.release()
                raise

    # -- life -----------------------------------------------------------------

    def _acquire(self, timeout: float) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A lock belongs to the writer, whichever thread uses it
        lock = FileLock(self.path.with_name(self.path.name + ".lock"), thread_local=False)
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            raise ResultsError(
                f"Another writer is at work on '{self.path}'. Wait until it is closed, or write "
                "to another file; reading is possible meanwhile.",
                path=str(self.path),
                reason="locked",
            ) from None
        return lock

    def _open(self) -> int:
        """Make or check the file; returns the number of its runs."""
        disk = self._book.disk
        if not disk.exists("zarr.json"):
            if self.path.exists() and not (self.path.is_dir() and _is_begun(self.path)):
                raise not_results(self.path)
            for folder in _FOLDERS:
                disk.write_json(f"{folder}/zarr.json", group_document({}))
            facts = {"format": FORMAT, "version": FORMAT_VERSION, "created": now()}
            disk.write_json("zarr.json", group_document(facts))
        check_format(self.path, disk.read_json("zarr.json"))
        count = count_runs(self.path)
        if count:
            facts = self._book.facts(count - 1)
            self._book.continue_after(count - 1, facts)
            if not facts["finished"]:
                disk.remove_partial()
                # Now, not when a table is next used: by then its rows may be taken for a later
                # run's, or for the earlier one's own
                self._book.repair()
        return count

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

        Such a run stays marked as not finished.
        """
        with self._book.mutex:
            if self._book.closed:
                return
            try:
                if self._run is not None:
                    self._run.abandon()
                if self._book.usable:
                    with self._book.writing():
                        self._book.wait_for_disk()
            finally:
                self._book.close()
                self._lock.release()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._book.closed

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
            The run before has not ended, or the file cannot be written.
        """
        with self._book.mutex:
            self._check_idle()
            manifest = self._book.manifest
            described = {
                "number": self._next,
                "finished": False,
                "began": now(),
                "model_digest": self._model_digest,
                "gpurun": metadata.version("gpurun"),
            }
            if manifest is not None:
                described.update(brian2=manifest.brian2, backend=manifest.backend)
            described.update(plain(facts, self.path), monitors={}, values={})
            run = RunWriter(self._book, self._next, described)
            run.commit()
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
        with self._book.mutex:
            self._check_idle()
            facts = self._book.facts(number) if 0 <= number < self._next else {}
            if number != self._next - 1 or facts.get("finished"):
                raise ResultsError(
                    f"Run {number} of '{self.path}' cannot be continued: only the last run can, "
                    "and only if it is not finished.",
                    path=str(self.path),
                    reason="closed",
                )
            self._book.continue_after(number, facts)
            run = RunWriter(self._book, number, facts)
            run.go_back(rows or {})
            self._run = run
            return run

    def _check_idle(self) -> None:
        self._book.check()
        if self._run is not None and not self._run.ended:
            raise ResultsError(
                f"Run {self._run.number} of '{self.path}' is still open; finish it first. Runs of "
                "one file are written one after the other.",
                path=str(self.path),
                reason="closed",
            )


def _is_begun(path: Path) -> bool:
    """Whether a directory is empty, or what a kill left of making a results file."""
    folders = {entry for entry in path.iterdir() if entry.suffix != PARTIAL}
    return {folder.name for folder in folders} <= set(_FOLDERS) and not any(
        entry.is_dir() for folder in folders for entry in folder.iterdir()
    )
