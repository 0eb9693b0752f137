"""Peak memory, of this process and of a program that it starts."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from gpurun.process import peak_memory

#: Runs a program and writes its peak to a file.
LAUNCHER = Path(__file__).with_name("peak_once.py")
_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Begin anew with the present memory, where the system lets us (Linux)."""
    with suppress(OSError):
        _RESET.write_text("5", encoding="ascii")


def peak() -> int:
    """Peak resident memory of this process in bytes, since `reset_peak` where that works."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        [line] = [line for line in lines if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return peak_memory() or 0


def measured(command: list[str], file: Path) -> list[str]:
    """A command that does the same as `command` and writes its peak memory to `file`.

    It is started by a program that is itself small: the system counts the memory of whoever
    starts a program, up to the moment at which it begins.
    """
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(file), *command]
