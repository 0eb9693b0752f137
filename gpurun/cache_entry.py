"""The digest manifest ``entry.json`` of a cache entry: writing and verifying it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

MANIFEST = "entry.json"
# Touched at every use, so it is no part of what the manifest vouches for.
STAMP = ".used"
FORMAT = 1

_Stat = tuple[str, int, int, int]

_lock = threading.Lock()
# What each entry's files looked like when their digests were last found right in this process.
# A file that is changed later has another size, time or inode and is hashed again.
_verified: dict[str, frozenset[_Stat]] = {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _payload(directory: Path) -> list[Path]:
    skipped = {directory / MANIFEST, directory / STAMP}
    return sorted(p for p in directory.rglob("*") if p.is_file() and p not in skipped)


def size_on_disk(directory: Path) -> int:
    """Return the number of bytes of all files below `directory`; vanished files count as 0."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(Path(folder, name)).st_size
            except OSError:
                continue
    return total


def seal(directory: Path, *, kind: str, key: str, created: float) -> None:
    """Write the manifest of `directory` and force everything in it to the disk.

    Parameters
    ----------
    directory : Path
        A finished entry that nobody else writes to.
    kind, key : str
        Recorded, so that a folder that was renamed by hand is noticed.
    created : float
        Seconds since the epoch.

    Raises
    ------
    OSError
        The disk is full or the directory cannot be written.
    """
    files: dict[str, dict[str, Any]] = {}
    folders = {directory}
    for path in _payload(directory):
        _fsync(path)
        folders.add(path.parent)
        name = path.relative_to(directory).as_posix()
        files[name] = {"size": path.stat().st_size, "sha256": _sha256(path)}
    manifest = directory / MANIFEST
    text = {"format": FORMAT, "kind": kind, "key": key, "created": created, "files": files}
    with manifest.open("w", encoding="utf-8") as file:
        json.dump(text, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    for folder in folders:
        _fsync(folder)


def read(directory: Path) -> dict[str, Any] | None:
    """Return the manifest of `directory`, or None if there is none that can be understood."""
    try:
        text = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        if text["format"] != FORMAT:
            return None
        for name, facts in text["files"].items():
            if not isinstance(facts["size"], int) or not isinstance(facts["sha256"], str):
                return None
            if name.startswith("/") or ".." in name.split("/"):
                return None
        if not isinstance(text["created"], int | float):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return text


def verify(directory: Path, *, kind: str, key: str) -> bool:
    """Say whether `directory` is a complete, unchanged entry.

    Sizes are compared every time. Digests are computed once per process, and again when a
    file's size, modification time or inode has changed since.
    """
    manifest = read(directory)
    if manifest is None or manifest.get("kind") != kind or manifest.get("key") != key:
        return False
    stats: set[_Stat] = set()
    try:
        for name, facts in manifest["files"].items():
            stat = (directory / name).stat()
            if stat.st_size != facts["size"]:
                return False
            stats.add((name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
        stat = (directory / MANIFEST).stat()
        stats.add((MANIFEST, stat.st_size, stat.st_mtime_ns, stat.st_ino))
        seen = frozenset(stats)
        with _lock:
            if _verified.get(str(directory)) == seen:
                return True
        for name, facts in manifest["files"].items():
            if _sha256(directory / name) != facts["sha256"]:
                return False
    except OSError:
        return False
    with _lock:
        _verified[str(directory)] = seen
    return True
