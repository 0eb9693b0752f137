"""How running schedulers say what they do, for ``gpurun top``.

Each writes a small JSON file, about once a second, into a folder that belongs to the user alone.
Nothing here raises because such a folder cannot be had: a board that nobody can see is no reason
to stop a simulation.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from gpurun.status_board_files import FORMAT, BoardEntry, folders, make, namespace, read_boards

__all__ = ["Board", "BoardEntry", "read_boards"]

_WINDOW = 30.0  # seconds of the past that the rate is taken from
_numbers = itertools.count(1)


class Board:
    """Says what this scheduler does until it is closed; a context manager.

    May be used from several threads. A child that the process forks says nothing.

    Parameters
    ----------
    total : int, optional
        Number of stimuli, if it is known.
    devices : sequence of str, optional
    script : str, optional
        By default the program of this process.
    period : float, optional
        Seconds that lie between two writings at least.
    """

    def __init__(
        self,
        total: int | None = None,
        devices: Sequence[str] = (),
        *,
        script: str | None = None,
        period: float = 1.0,
    ) -> None:
        self._pid = os.getpid()
        self._name = f"{self._pid}-{next(_numbers)}.json"
        self._period = period
        self._lock = threading.Lock()
        self._closed = False
        self._path: Path | None = None
        self._timer: threading.Timer | None = None
        self._process = psutil.Process()
        self._facts: dict[str, Any] = {
            "format": FORMAT,
            "namespace": namespace(),
            "pid": self._pid,
            "began": time.time(),
            "script": _script() if script is None else script,
            "devices": list(devices),
            "done": 0,
            "failed": 0,
            "total": total,
            "rate": None,
            "seats": {},
            "memory": {},
            "state": "running",
        }
        self._rate_given = False
        self._history: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        with self._lock:
            self._write()

    @property
    def path(self) -> Path | None:
        """The file; None if no folder can be used."""
        return self._path

    def update(
        self,
        *,
        done: int | None = None,
        failed: int | None = None,
        total: int | None = None,
        rate: float | None = None,
        devices: Sequence[str] | None = None,
        seats: Mapping[str, int] | None = None,
        memory: Mapping[str, int | None] | None = None,
        state: str | None = None,
    ) -> None:
        """Take note of what has changed; cheap enough for every stimulus.

        What is not given stays. The rate is taken from `done` and `failed` if it is never given.
        For the meaning of the arguments see `BoardEntry`.
        """
        if os.getpid() != self._pid:
            return
        changes: dict[str, Any] = {
            "done": done,
            "failed": failed,
            "total": total,
            "rate": rate,
            "devices": None if devices is None else list(devices),
            "seats": None if seats is None else dict(seats),
            "memory": None
            if memory is None
            else {name: used for name, used in memory.items() if used is not None},
            "state": state,
        }
        with self._lock:
            if self._closed:
                return
            self._facts.update({k: v for k, v in changes.items() if v is not None})
            self._rate_given |= rate is not None
            if done is not None or failed is not None:
                self._remember()
            left = self._written + self._period - time.monotonic()
            if left <= 0:
                self._write()
            elif self._timer is None:
                # Else the last change before a long stimulus would not be seen.
                self._timer = threading.Timer(left, self._write_later)
                self._timer.daemon = True
                self._timer.start()

    def _remember(self) -> None:
        now, history = time.monotonic(), self._history
        ended = self._facts["done"] + self._facts["failed"]
        # A few entries in the window are enough at any rate.
        if now - history[-1][0] >= _WINDOW / 30:
            history.append((now, ended))
        while len(history) > 2 and now - history[1][0] > _WINDOW:
            history.popleft()
        since, before = history[0]
        if not self._rate_given and now > since:
            self._facts["rate"] = (ended - before) / (now - since)

    def _write_later(self) -> None:
        with self._lock:
            self._timer = None
            if not self._closed:
                self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        with suppress(OSError, psutil.Error, TypeError, ValueError, AttributeError):
            # Every time, because it is relative to the clock
            self._facts["process_started"] = self._process.create_time()
            self._facts["updated"] = time.time()
            content = json.dumps(self._facts, default=_plain)
            # A login may have ended meanwhile, and its folder with it
            if self._path is None or not self._path.parent.is_dir():
                folder = next((one for one in folders() if make(one)), None)
                self._path = None if folder is None else folder / self._name
            if self._path is not None:
                waiting = self._path.with_name(f".{self._name}.tmp")
                waiting.write_text(content, encoding="utf-8")
                waiting.replace(self._path)

    def close(self) -> None:
        """Take the file away. Twice is no error."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._path is not None:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _script() -> str:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(main) if main else (sys.argv[0] if sys.argv else "") or "python"


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item()
