"""The memory that the control groups of this process let it use, as the kernel's files tell.

In a container, or under a batch system such as SLURM, this is less than the machine has. Both
versions of control groups are read; a limit of any of the groups above the process's own counts.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class ControlGroup:
    """The files of one control group that tell of its memory.

    Attributes
    ----------
    limit, used, statistics : Path
    reclaimable : str
        The line of `statistics` about the pages of files that the kernel gives up when memory is
        short; they count as used there.
    """

    limit: Path
    used: Path
    statistics: Path
    reclaimable: str

    def room(self) -> tuple[int, int] | None:
        """Return its limit and what of it is left, in bytes; None if it has no limit."""
        with suppress(OSError, ValueError):
            limit = int(self.limit.read_text())  # "max": no limit
            used = int(self.used.read_text())
            held = 0
            with suppress(OSError, ValueError):
                lines = (line.split() for line in self.statistics.read_text().splitlines())
                held = next((int(line[1]) for line in lines if line[0] == self.reclaimable), 0)
            return limit, max(0, limit - max(0, used - held))
        return None


def _group(folder: Path, version: int) -> ControlGroup:
    if version == 2:
        names = ("memory.max", "memory.current", "memory.stat", "inactive_file")
    else:
        names = (
            *("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"),
            "total_inactive_file",
        )
    limit, used, statistics, reclaimable = names
    return ControlGroup(folder / limit, folder / used, folder / statistics, reclaimable)


def _own_paths(text: str) -> dict[int, str]:
    """The process's group in each version, from /proc/self/cgroup."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found[2] = path
        elif "memory" in controllers.split(","):
            found[1] = path
    return found


def _mounts(text: str) -> list[tuple[int, str, str]]:
    """The version, the group and the folder of each mount, from /proc/self/mountinfo."""
    found: list[tuple[int, str, str]] = []
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, *more = rest.split()
        group, folder = (
            re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), field)
            for field in fields.split()[3:5]
        )
        if kind == "cgroup2":
            found.append((2, group, folder))
        elif kind == "cgroup" and "memory" in more[-1].split(","):
            found.append((1, group, folder))
    return found


def find(root: Path = Path("/")) -> tuple[ControlGroup, ...]:
    """Return the control groups of this process, its own first; empty where there are none.

    Parameters
    ----------
    root : Path, optional
        Where ``proc`` and ``sys`` are.
    """
    found: list[ControlGroup] = []
    with suppress(OSError, ValueError, IndexError):
        paths = _own_paths((root / "proc/self/cgroup").read_text())
        for version, group, folder in _mounts((root / "proc/self/mountinfo").read_text()):
            if version not in paths:
                continue
            top = root / folder.lstrip("/")
            own = PurePosixPath(paths[version])
            # In a container the path may be the host's, which is not to be seen there: then the
            # mount is the container's own group.
            inside = own.is_relative_to(group) and ".." not in own.parts
            here = top / own.relative_to(group) if inside else top
            found += [_group(at, version) for at in (here, *here.parents) if at.is_relative_to(top)]
    return tuple(found)


def room(groups: tuple[ControlGroup, ...]) -> tuple[int, int] | None:
    """Return the smallest limit and the least that is left, in bytes; None without any limit."""
    limits = [limit for group in groups if (limit := group.room()) is not None]
    if not limits:
        return None
    return min(limit for limit, _ in limits), min(left for _, left in limits)
