"""What a worker writes to stderr: passed on, and its end kept for error messages."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading
from typing import IO

#: Bytes of the end that are kept.
KEPT_BYTES = 64 * 1024
_PATIENCE = 1.0


class Relay:
    """A thread that reads a pipe until its end and passes on what comes to ``sys.stderr``.

    Parameters
    ----------
    pipe : binary file
        Unbuffered; belongs to the relay from now on.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._lock = threading.Lock()
        # Must not keep the interpreter from ending; `close` waits for it
        self._thread = threading.Thread(target=self._work, name="gpurun-stderr", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        part = b"begin"
        with self._pipe:
            while part:
                part = os.read(self._pipe.fileno(), KEPT_BYTES)
                with self._lock:
                    self._kept += part
                    del self._kept[:-KEPT_BYTES]
                text = decoder.decode(part, final=not part)
                # Looked up now, because it may be another one by now, closed, or none at all
                if text and sys.stderr is not None:
                    with contextlib.suppress(OSError, ValueError):
                        sys.stderr.write(text)
                        sys.stderr.flush()

    def tail(self, lines: int) -> str:
        """The last lines so far; all of them once the writer has ended and `close` was called."""
        with self._lock:
            text = self._kept.decode("utf-8", "replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def close(self) -> None:
        """Wait for the end of the pipe, but not for somebody else who has it open."""
        if threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)

    def abandon(self) -> None:
        """In a forked process, where there is no thread: close the pipe."""
        self._pipe.close()
