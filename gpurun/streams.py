"""Monitors that leave a session's memory while it runs, and go to results files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.errors import GpurunError
from gpurun.instance import Instance
from gpurun.library_stream import add_stream, clear_streams, empty_stream, when_full
from gpurun.results_file import ResultsWriter
from gpurun.results_run import RunWriter
from gpurun.results_schema import recorders_of
from gpurun.stream import StreamWriter

#: Bytes of a monitor that are handed over at a time, if nobody says how many rows.
CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Streamed:
    """A monitor that is streamed.

    Attributes
    ----------
    monitor : str
    path : Path
        The results file.
    chunk : int
        Rows that are handed over at a time.
    counter : int
        Number of the variable that counts its rows.
    arrays : mapping of str to int
        Numbers of the variables that grow, by their name in the monitor.
    """

    monitor: str
    path: Path
    chunk: int
    counter: int
    arrays: Mapping[str, int]


class _Destination:
    """A results file, the run that is written to it, and the thread that does so."""

    def __init__(self, writer: ResultsWriter) -> None:
        self.writer = writer
        self.run: RunWriter | None = None
        self.thread: StreamWriter | None = None
        self.began = 0.0

    def begin(self, facts: Mapping[str, Any]) -> None:
        self.finish()
        self.run = self.writer.run(**facts)
        self.began = time.perf_counter()
        self.thread = StreamWriter(self.run)

    def finish(self, completed: float = 1.0) -> None:
        thread, self.thread = self.thread, None
        run, self.run = self.run, None
        if thread is not None and not thread.failed:
            thread.close()
        if run is None:
            return
        if thread is not None and thread.failed:
            # Whoever put the rows was told; what was committed stays readable
            run.abandon()
        else:
            run.finish(completed, wall_time=time.perf_counter() - self.began)


class Streams:
    """What a session streams, and where to.

    Parameters
    ----------
    instance : Instance
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._destinations: dict[Path, _Destination] = {}
        self._entries: list[Streamed] = []
        self._error: BaseException | None = None
        self._completed = 1.0
        self._attached = False

    @property
    def entries(self) -> tuple[Streamed, ...]:
        """The monitors that are streamed."""
        return tuple(self._entries)

    def add(self, entry: Streamed) -> None:
        """Stream a monitor from the next run on."""
        if entry.path not in self._destinations:
            model = self._instance.model
            self._destinations[entry.path] = _Destination(
                ResultsWriter(
                    entry.path,
                    manifest=model.manifest,
                    model_digest=model.digest,
                    recorders=recorders_of(model),
                )
            )
        self._entries.append(entry)

    def remove(self, monitor: str) -> None:
        """Stream a monitor no longer."""
        self._entries = [entry for entry in self._entries if entry.monitor != monitor]
        used = {entry.path for entry in self._entries}
        for path in [path for path in self._destinations if path not in used]:
            destination = self._destinations.pop(path)
            try:
                destination.finish(self._completed)
            finally:
                destination.writer.close()

    def abandon(self) -> None:
        """In a forked child, which has no writing threads: leave the files to the parent."""
        self._entries = []
        self._destinations = {}

    # -- around a run ----------------------------------------------------------

    def begin(self, facts: Mapping[str, Any]) -> None:
        """A run starts; nothing is recorded yet."""
        for destination in self._destinations.values():
            destination.begin(facts)

    def attach(self) -> None:
        """Before a time loop: have the library hand rows over."""
        if not self._entries and not self._attached:
            return
        library = self._instance.library
        clear_streams(library)
        when_full(library, self._hand_over if self._entries else None)
        self._attached = bool(self._entries)
        for entry in self._entries:
            add_stream(library, entry.counter, list(entry.arrays.values()), entry.chunk)

    def collect(self, completed: float) -> None:
        """After a time loop: what is left goes to the files, which are complete then.

        Raises
        ------
        ResultsError
            A file cannot be written. What was not written is still in the monitor.
        """
        self._completed = completed
        error, self._error = self._error, None
        if error is not None:
            raise error
        for number, entry in enumerate(self._entries):
            if self._count(entry):
                self._put(entry)
                empty_stream(self._instance.library, number)
        self._flush(wait=False)

    def sync(self) -> None:
        """Wait until a power cut would take nothing away of what was collected.

        Raises
        ------
        ResultsError
            A file cannot be written.
        """
        self._flush(wait=True)

    def _flush(self, *, wait: bool) -> None:
        for destination in self._destinations.values():
            if destination.thread is not None:
                destination.thread.flush(wait=wait)

    def _hand_over(self, number: int) -> bool:
        """Take the rows of a stream; whether that failed. Called from the time loop."""
        try:
            self._put(self._entries[number])
        except (GpurunError, OSError, MemoryError) as error:
            self._error = error
            return True
        return False

    def _count(self, entry: Streamed) -> int:
        return int(self._instance.read_stored(entry.counter)[0])

    def _put(self, entry: Streamed) -> None:
        destination = self._destinations[entry.path]
        if destination.thread is None:
            # The session went on without a run of its own, from a checkpoint, say
            destination.begin({})
        assert destination.thread is not None
        columns: dict[str, np.ndarray] = {
            name: self._instance.read_stored(number) for name, number in entry.arrays.items()
        }
        destination.thread.put(entry.monitor, columns)

    def close(self) -> None:
        """Finish the runs and let the files go."""
        try:
            for monitor in [entry.monitor for entry in self._entries]:
                self.remove(monitor)
        finally:
            if self._attached and self._instance.is_loaded:
                # The callback holds the instance, and with it the library
                when_full(self._instance.library, None)
