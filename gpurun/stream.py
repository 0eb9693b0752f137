"""A thread that writes what a simulation hands over, and a queue between the two."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol


class Sink(Protocol):
    """What a `StreamWriter` writes to: a :class:`~gpurun.results_file.RunWriter`."""

    def append(self, monitor: str, columns: Mapping[str, Any]) -> None:
        """Add rows."""
        ...

    def flush(self, *, wait: bool) -> None:
        """Write and commit what was added; with `wait`, a power cut takes nothing of it away."""
        ...


class StreamWriter:
    """Appends to a run in a thread of its own.

    `put` waits while the queue is full, so that memory stays bounded when the disk is slower
    than the simulation. An error of the writer is raised by the next `put`, `flush` or `close`;
    what is put after it is dropped.

    Parameters
    ----------
    sink : RunWriter
        Used by the thread alone until `close`; it is flushed, but not finished.
    slots : int, optional
        How many `put` can be under way.
    """

    def __init__(self, sink: Sink, *, slots: int = 4) -> None:
        if slots < 1:
            raise ValueError(f"A queue has at least one slot, not {slots}.")
        self._sink = sink
        self._slots = slots
        self._changed = threading.Condition()
        # A bool asks for a flush, and says whether it waits for the disk
        self._queue: deque[tuple[str, Mapping[str, Any]] | bool] = deque()
        self._busy = False
        self._closing = False
        self._error: BaseException | None = None
        # A forgotten writer must not keep the process alive; what it committed is safe
        self._thread = threading.Thread(target=self._work, name="gpurun-stream", daemon=True)
        self._thread.start()

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Exception:
            # The error that is on its way says more
            if error is None:
                raise

    @property
    def failed(self) -> bool:
        """Whether writing has failed. Costs nothing."""
        return self._error is not None

    def put(self, monitor: str, columns: Mapping[str, Any]) -> None:
        """Hand over rows; they belong to the writer from now on.

        Waits while the queue is full.

        Raises
        ------
        ResultsError
            Writing has failed. The rows were not taken.
        RuntimeError
            The writer is closed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self.failed or self._closing or len(self._queue) < self._slots
            )
            self._check()
            if self._closing:
                raise RuntimeError("This stream has been closed.")
            self._queue.append((monitor, columns))
            self._changed.notify_all()

    def flush(self, *, wait: bool = True) -> None:
        """Wait until all that was put is in the file and committed.

        Parameters
        ----------
        wait : bool
            Whether to wait until a power cut would take nothing away. Without it, at most the last
            seconds could be lost; a crash of this process loses nothing.

        Raises
        ------
        ResultsError
            Writing has failed.
        """
        with self._changed:
            if not self._closing:
                self._queue.append(wait)
                self._changed.notify_all()
            self._changed.wait_for(lambda: self.failed or self._idle)
            self._check()

    def close(self) -> None:
        """Write and commit the rest, and end the thread. Closing twice is allowed.

        Raises
        ------
        ResultsError
            Writing has failed.
        """
        with self._changed:
            first = not self._closing
            self._closing = True
            if first:
                self._queue.append(False)
            self._changed.notify_all()
        self._thread.join()
        if first:
            self._check()

    # -- parts ------------------------------------------------------------------

    @property
    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                item = self._queue.popleft()
                self._busy = True
                self._changed.notify_all()
            try:
                if isinstance(item, bool):
                    self._sink.flush(wait=item)
                else:
                    self._sink.append(*item)
            except BaseException as error:
                self._fail(error)
                return
            # Not to be held while the thread waits
            del item

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._busy = False
            self._queue.clear()
            self._changed.notify_all()
