"""Starts a contender in a process of its own, and talks to it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gpurun.bench.suite.contender import Absent
from gpurun.errors import GpurunError

_MODULE = "gpurun.bench_contenders.worker"
_LOG = "log"
_TAIL_LINES = 15
#: Seconds for giving everything back.
_PATIENCE = 20.0


class ContenderFailed(GpurunError, RuntimeError):  # noqa: N818 -- says what happened
    """A contender has failed. Fields: ``contender``, and ``log``, the end of its log."""


class ContenderTimeout(ContenderFailed):
    """A contender did not answer in time, and its processes were ended."""


class Worker:
    """A contender in its own process, and all processes that it starts in one group.

    Use it as a context manager, or call `close`.

    Parameters
    ----------
    case : str
        Name of a case, or ``PATH.py`` for one in another file.
    size : str
        One of its sizes.
    contender : str
        Name of a contender, or ``PATH.py:NAME`` for one in another file.
    folder : path-like
        For everything that it writes. Made if it is not there; in an empty one everything is
        compiled anew.
    """

    def __init__(
        self, case: str, size: str, contender: str, folder: str | os.PathLike[str]
    ) -> None:
        self.name = contender
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._received = b""
        self._process = subprocess.Popen(
            # -P: the same modules wherever this is called from
            [sys.executable, "-P", "-m", _MODULE, case, size, contender, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], timeout: float | None = None) -> Any:
        """Make a request and return the value of the answer; see `worker` for what there is.

        Parameters
        ----------
        request : mapping
        timeout : float, optional
            Seconds; without one, there is no limit.

        Raises
        ------
        Absent
            The contender cannot take part.
        ContenderFailed
            It raised an error, or its process has ended.
        ContenderTimeout
            There was no answer in time. Its processes were killed.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        what = request["do"]
        try:
            self._send(request)
            line = self._line(limit)
        except TimeoutError:
            self._kill()
            raise self._failure(
                ContenderTimeout, f"gave no answer to {what!r} within {timeout:g} s"
            ) from None
        except BrokenPipeError:
            line = b""
        if not line:
            self._kill()
            raise self._failure(ContenderFailed, f"has ended ({self._ending()}) during {what!r}")
        answer = json.loads(line)
        if "absent" in answer:
            raise Absent(answer["absent"])
        if "failed" in answer:
            raise self._failure(ContenderFailed, f"has failed in {what!r}: {answer['failed']}")
        return answer["ok"]

    def result(self, number: int, timeout: float | None = None) -> dict[str, NDArray[Any]]:
        """What `Contender.result` returns for stimulus `number`; raises as `ask`."""
        file = self.folder / "result.npz"
        self.ask({"do": "result", "number": number, "file": str(file)}, timeout)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        file.unlink()
        return arrays

    def close(self) -> None:
        """End the process: by asking, and else by force. Closing twice is allowed."""
        if self._process.stdin is None or self._process.stdin.closed:
            return
        if self.running:
            with suppress(ContenderFailed, Absent):
                self.ask({"do": "close"}, _PATIENCE)
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        self._kill()

    def log(self, lines: int = _TAIL_LINES) -> str:
        """The end of what the contender and its children have printed."""
        try:
            text = (self.folder / _LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def _send(self, request: Mapping[str, Any]) -> None:
        stream = self._process.stdin
        if stream is None or stream.closed:
            raise BrokenPipeError
        stream.write(json.dumps(request).encode() + b"\n")

    def _line(self, limit: float | None) -> bytes:
        """The next line; empty if there comes none."""
        stream = self._process.stdout
        assert stream is not None
        while b"\n" not in self._received:
            left = None if limit is None else max(limit - time.monotonic(), 0.0)
            if not select.select([stream], [], [], left)[0]:
                raise TimeoutError
            part = os.read(stream.fileno(), 2**16)
            if not part:
                return b""
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _kill(self) -> None:
        """End the group: children of a dead process, too."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _ending(self) -> str:
        status = self._process.returncode
        if status is None or status >= 0:
            return f"status {status}"
        return f"signal {signal.Signals(-status).name}"

    def _failure(self, kind: type[ContenderFailed], what: str) -> ContenderFailed:
        tail = self.log()
        text = f"The contender {self.name!r} {what}."
        if tail:
            text += f" The end of {self.folder / _LOG}:\n{tail}"
        return kind(text, contender=self.name, log=tail)
