"""The files in which running schedulers say what they do, and how they are read."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

FORMAT = 1
_NAME = re.compile(r"\.?(\d+)-(\d+)\.json(?:\.tmp)?")
_SAME_START = 5.0  # seconds by which a clock that was set may change a process's start


@dataclass(frozen=True)
class BoardEntry:
    """What a running scheduler says.

    Attributes
    ----------
    pid : int
    process_started : float
        When the process began, seconds since the epoch.
    began, updated : float
        When the scheduler began, and when it said this.
    script : str
    devices : tuple of str
    done, failed : int
        Stimuli.
    total : int or None
        How many there will be, if that is known.
    rate : float or None
        Stimuli per second of late.
    seats : dict of str to int
        Sessions by device.
    memory : dict of str to int
        Bytes in use, by whomever, by device; ``"cpu"`` is the host.
    state : str
        Such as ``"running"`` or ``"waiting for memory"``.
    """

    pid: int
    process_started: float
    began: float
    updated: float
    script: str
    devices: tuple[str, ...] = ()
    done: int = 0
    failed: int = 0
    total: int | None = None
    rate: float | None = None
    seats: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    state: str = "running"

    @property
    def time_left(self) -> float | None:
        """Seconds, if the total and the rate are known."""
        if self.total is None or not self.rate:
            return None
        return max(self.total - self.done - self.failed, 0) / self.rate


def folders() -> tuple[Path, ...]:
    """Where boards may be, the best place first.

    The user's runtime directory comes and goes with logins, and batch systems do not set it, so
    there is one in the directory for temporary files, too.
    """
    user = os.getuid()
    places = [Path(tempfile.gettempdir(), f"gpurun-{user}", "boards")]
    if Path(f"/run/user/{user}").is_dir():
        places.insert(0, Path(f"/run/user/{user}", "gpurun", "boards"))
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given):
        places.insert(0, Path(given, "gpurun", "boards"))
    return tuple(dict.fromkeys(places))


def _is_private(folder: Path) -> bool:
    """Whether `folder` belongs to the user, and to nobody else."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    # In /tmp, somebody else may have made it first.
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077


def make(folder: Path) -> bool:
    """Make `folder` and the one around it; whether it can be used."""
    for one in (folder.parent, folder):
        with suppress(OSError):
            one.mkdir(mode=0o700)
        if not _is_private(one):
            return False
    return os.access(folder, os.W_OK)


def namespace() -> str:
    """Within which a process number means something: a container has its own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def read_boards() -> list[BoardEntry]:
    """What the running schedulers of this user say, the oldest first.

    Files of processes that have ended are removed.

    Returns
    -------
    list of BoardEntry
    """
    found: list[BoardEntry] = []
    for folder in folders():
        if not (_is_private(folder.parent) and _is_private(folder)):
            continue
        with suppress(OSError):
            for path in folder.iterdir():
                match = _NAME.fullmatch(path.name)
                entry = _read(path, int(match[1])) if match else None
                if entry is not None:
                    found.append(entry)
    return sorted(found, key=lambda entry: (entry.began, entry.pid))


def _read(path: Path, pid: int) -> BoardEntry | None:
    """The entry of a running scheduler; else None, and the file is removed if it is of no use."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    if document.get("namespace", namespace()) != namespace():
        return None
    started = document.get("process_started")
    if not _is_running(pid, started):
        with suppress(OSError):
            path.unlink()
        return None
    if path.suffix == ".tmp" or document.get("format") != FORMAT:
        return None
    try:
        return _entry(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _is_running(pid: int, started: Any) -> bool:
    """Whether the process `pid` is still the one that began at `started`, if that is known."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        begun = process.create_time()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return not isinstance(started, int | float) or abs(begun - started) <= _SAME_START


def _entry(document: Mapping[str, Any]) -> BoardEntry:
    total, rate = document["total"], document["rate"]
    return BoardEntry(
        pid=int(document["pid"]),
        process_started=float(document["process_started"]),
        began=float(document["began"]),
        updated=float(document["updated"]),
        script=str(document["script"]),
        devices=tuple(map(str, document["devices"])),
        done=int(document["done"]),
        failed=int(document["failed"]),
        total=None if total is None else int(total),
        rate=None if rate is None else float(rate),
        seats={str(name): int(count) for name, count in document["seats"].items()},
        memory={str(name): int(used) for name, used in document["memory"].items()},
        state=str(document["state"]),
    )
