"""The memory of the machine, or of the part of it that this process may use."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from gpurun import meter_cgroup
from gpurun.meter_types import MemorySample


def _family(pid: int) -> list[int]:
    """A process and all that descend from it, as far as their parents still live."""
    found = [pid]
    if Path(f"/proc/{pid}/task/{pid}/children").exists():
        for one in found:  # grows meanwhile
            with suppress(OSError):  # it has ended
                for thread in os.listdir(f"/proc/{one}/task"):
                    children = Path(f"/proc/{one}/task/{thread}/children").read_text()
                    found += map(int, children.split())
    else:
        # Reads an entry of every process of the machine: 1 ms for 80 of them
        with suppress(psutil.Error):
            found += [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return found


def resident(pid: int) -> int | None:
    """Return the resident memory of a process and its children in bytes; None if it is gone.

    Pages that several of them share count for each, so that the sum may be too large: after a
    ``fork``, or with shared memory. What each has for itself (USS) would be exact, but the kernel
    finds it out by a walk over all pages, which takes milliseconds for each GiB.
    """
    total: int | None = None
    for one in _family(pid):
        with suppress(psutil.Error):
            total = (total or 0) + psutil.Process(one).memory_info().rss
    return total


class HostMeter:
    """The memory of the machine, or of the control group, where that allows less.

    In a container or under a batch system `MemorySample.total` is the limit of the process's
    control groups, `free` what can be had before the limit is reached or the machine is full,
    and `used` the rest. Pages of files that the kernel can give up count as free.

    Parameters
    ----------
    root : Path, optional
        Where the kernel's files are, ``/``.
    """

    device = "cpu"

    def __init__(self, root: Path = Path("/")) -> None:
        self._groups = meter_cgroup.find(root)

    def sample(self) -> MemorySample:
        """The memory now. `own` is the resident memory of this process and its children."""
        now, machine = time.time(), psutil.virtual_memory()
        total, free = int(machine.total), int(machine.available)
        room = meter_cgroup.room(self._groups)
        if room is not None:
            total, free = min(total, room[0]), min(free, room[1])
        return MemorySample(now, total, total - free, free, resident(os.getpid()))

    def close(self) -> None:
        """Nothing is held."""
