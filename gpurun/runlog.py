"""The run log: what a scheduler did with every stimulus, as JSON lines.

Several threads, and several processes, can write to the same log: every line is one ``write``
to a file that is open for appending, which local file systems keep in one piece. (NFS does not.)
"""

from __future__ import annotations

import json
import math
import os
import platform
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from time import time as now
from types import TracebackType
from typing import Any, Self

import numpy as np

from gpurun.errors import ResultsError
from gpurun.runlog_entries import (
    EventEntry,
    LoggedRun,
    MemoryEntry,
    RunLogContents,
    StimulusEntry,
)
from gpurun.runlog_reader import FIRST, FORMAT, check_begin, decode, is_cut, read_log

__all__ = [
    "EventEntry",
    "LoggedRun",
    "MemoryEntry",
    "RunLog",
    "RunLogContents",
    "StimulusEntry",
    "read_log",
]


class RunLog:
    """Appends to a run log. To be used in a ``with`` statement, or closed.

    A log that is there goes on, with a new ``begin`` line; another file is refused. Once open, a
    log never stops the work it is about: a line that cannot be written, because the disk is full
    say, is lost, there is one RuntimeWarning, and `lost` counts.

    A pickled log writes to the same file, without lines ``begin`` and ``end`` of its own; so does
    one that a child process has inherited.

    Parameters
    ----------
    path : path_like
        The file; its folder has to be there.
    **facts
        Plain data for the ``begin`` line, such as the digest of the model.

    Attributes
    ----------
    path : Path
    lost : int
        Lines that could not be written.

    Raises
    ------
    ResultsError
        The file cannot be written, or is no run log, or has another format.
    """

    def __init__(self, path: str | PathLike[str], **facts: Any) -> None:
        self._open(Path(path).absolute())
        self._owner = os.getpid()
        head = {"type": "begin", "format": FORMAT}
        place = {"gpurun": version("gpurun"), "host": platform.node(), "pid": self._owner}
        # At both ends: they come first, and no fact replaces them.
        self._write({**head, "time": now(), **place, **facts, **head})

    @classmethod
    def join(cls, path: str | PathLike[str]) -> RunLog:
        """Write to a log that another process has begun, and will end.

        Raises
        ------
        ResultsError
            As for `RunLog`.
        """
        log = cls.__new__(cls)
        log._open(Path(path).absolute())
        log._owner = None
        return log

    def _open(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._owner: int | None
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            self._file: int | None = os.open(path, flags, 0o666)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            # Whether the last line has no end: its writer was killed, or the disk was full
            self._torn = self._check(self._file)
        except BaseException:
            self._abandon()
            raise

    def _check(self, file: int) -> bool:
        """Whether the file ends within a line; ResultsError if it is no log."""
        size = os.fstat(file).st_size
        if not size:
            return False
        with open(self.path, "rb") as reader:
            line = reader.readline(1 << 20)  # another file may be one long line
            try:
                check_begin(self.path, decode(line))
            except ValueError:
                # A begin line that was not finished
                if not is_cut(line.strip(), FIRST):
                    check_begin(self.path, None)
            reader.seek(-1, os.SEEK_END)
            return reader.read(1) != b"\n"

    # -- lines -----------------------------------------------------------------------

    def stimulus(
        self,
        index: int,
        *,
        seat: int | str,
        device: str,
        began: float,
        wall_time: float,
        attempt: int = 1,
        queue_time: float = 0.0,
        upload_time: float = 0.0,
        reset_time: float = 0.0,
        loop_time: float = 0.0,
        read_time: float = 0.0,
        memory: int | None = None,
        seed: int | None = None,
        ok: bool = True,
        error: str | None = None,
    ) -> None:
        """Write that an attempt at a stimulus has ended; see `StimulusEntry`."""
        self._write(
            {
                "type": "stimulus",
                "index": index,
                "attempt": attempt,
                "seat": seat,
                "device": device,
                "began": began,
                "queue_time": queue_time,
                "upload_time": upload_time,
                "reset_time": reset_time,
                "loop_time": loop_time,
                "read_time": read_time,
                "wall_time": wall_time,
                "memory": memory,
                "seed": seed,
                "ok": ok,
                "error": error,
            }
        )

    def memory(
        self,
        device: str,
        used: int | None,
        *,
        own: int | None = None,
        total: int | None = None,
        time: float | None = None,
    ) -> None:
        """Write what is in use on a device, in bytes; `time` is now by default."""
        moment = now() if time is None else time
        entry = {"type": "memory", "time": moment, "device": device}
        self._write({**entry, "used": used, "own": own, "total": total})

    def event(self, what: str, text: str = "", *, time: float | None = None) -> None:
        """Write that something happened: `what` in a few fixed words, `text` with the details."""
        moment = now() if time is None else time
        self._write({"type": "event", "time": moment, "what": what, "text": text})

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(_plain(entry), allow_nan=False).encode() + b"\n"
        with self._mutex():
            if self._file is None:
                raise ResultsError(
                    f"The run log '{self.path}' has been closed.",
                    path=str(self.path),
                    reason="closed",
                )
            if self._torn:
                line = b"\n" + line
            try:
                written = os.write(self._file, line)
            except OSError as error:
                self._lose(error)
                return
            self._torn = written < len(line)
            if self._torn:
                self._lose(OSError(ENOSPC, os.strerror(ENOSPC)))

    def _mutex(self) -> threading.Lock:
        if os.getpid() != self._pid:
            # After a fork, the parent's lock may be held for ever.
            self._pid, self._lock = os.getpid(), threading.Lock()
        return self._lock

    def _lose(self, error: OSError) -> None:
        self.lost += 1
        if self.lost == 1:
            message = _not_written(self.path, error).message
            # A warning also where warnings are errors: the work goes on.
            with suppress(RuntimeWarning):
                warnings.warn(f"{message} Lines are lost.", RuntimeWarning, stacklevel=4)

    # -- end -------------------------------------------------------------------------

    def close(self, **facts: Any) -> None:
        """Write the ``end`` line, with `facts`, and close the file. Twice is no error."""
        if self._file is None:
            return
        if self._owner == os.getpid():
            self._write({"type": "end", "time": now(), "lost": self.lost, **facts})
        with self._mutex():
            self._abandon()

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(**({} if error is None else {"error": f"{type(error).__name__}: {error}"}))

    def __reduce__(self) -> tuple[Any, ...]:
        return (RunLog.join, (self.path,))


def _not_written(path: Path, error: OSError) -> ResultsError:
    full = error.errno in (ENOSPC, EDQUOT)
    return ResultsError(
        f"The run log '{path}' cannot be written ({error.strerror or error}).",
        path=str(path),
        reason="full" if full else "not_written",
        errno=error.errno,
    )


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: null for nan and infinity, text for what is no plain data."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    return str(value)
