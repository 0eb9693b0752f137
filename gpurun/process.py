"""What a running model has to do with the process around it: Ctrl-C and memory."""

from __future__ import annotations

import signal
import sys
import threading
from types import TracebackType
from typing import Any

try:
    import resource
except ImportError:  # not on Windows
    resource = None


class Interruptible:
    """Turns Ctrl-C during a native call into a flag, and into an exception at the end.

    Python would raise KeyboardInterrupt inside the progress callback, where it cannot
    propagate. To be used in a ``with`` statement; does nothing outside the main thread.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def _note(self, number: int, frame: Any) -> None:
        self.requested = True

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            # Installed by C code, or ignored as under nohup: leave it alone
            if callable(previous) or previous is signal.SIG_DFL:
                signal.signal(signal.SIGINT, self._note)
                self._previous = previous
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        previous = self._previous
        if previous is None:
            return
        signal.signal(signal.SIGINT, previous)
        if self.requested:
            if callable(previous):
                previous(signal.SIGINT, None)
            elif previous == signal.SIG_DFL:
                raise KeyboardInterrupt


def peak_memory() -> int | None:
    """Peak resident memory of this process in bytes, None where the system does not say."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS
    return peak if sys.platform == "darwin" else peak * 1024


def available_memory() -> int | None:
    """Bytes that this process can still use without swapping; None where nobody says.

    ``MemAvailable`` of Linux, and what a container's limit (cgroup version 2) leaves.
    """
    found: list[int] = []
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        return None
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            found.append(int(limit) - int(file.read()))
    except (OSError, ValueError):
        pass  # no limit ("max"), or no cgroups
    return max(min(found), 0)
