"""A file that is there completely or not at all, whenever its writer is killed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

_SUFFIX = ".gpurun-tmp"
# Between creating a file and locking it a living writer has no lock, either.
_YOUNG = 60.0
# Where files cannot be locked, age alone has to tell.
_OLD = 86400.0


class NotDurableError(OSError):
    """The new file is there, but the disk may not have heard of it yet."""


def publish(path: Path, fill: Callable[[int], None]) -> None:
    """Write a file under another name, and rename it when all of it is on the disk.

    The file that was there before is replaced, or untouched if this fails. What killed writers
    of the same file have left is removed.

    Parameters
    ----------
    path : Path
        A symbolic link stays one; the file it names is replaced.
    fill : callable
        Gets the descriptor of an empty file and writes it.

    Raises
    ------
    OSError
        The disk is full, or the directory cannot be written.
    NotDurableError
        The file was replaced, but might be lost if the power failed now.
    """
    target = Path(os.path.realpath(path))
    _refuse_other_kinds(target)
    _remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            # Shared, because HDF5 wants such a lock to read the file as soon as it has its name
            _lock(descriptor, fcntl.LOCK_SH)
            fill(descriptor)
            os.fsync(descriptor)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    finally:
        os.close(descriptor)
    _fsync_directory(target.parent)


def _refuse_other_kinds(target: Path) -> None:
    # A directory would be noticed only at the end; a device would be replaced by a file
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(target))


def _lock(descriptor: int, kind: int) -> bool | None:
    """Lock a file until it is closed; None where that is not possible at all."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_leftovers(target: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}{re.escape(_SUFFIX)}")
    # Whether there are some does not matter to whoever wants to write
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            age = time.time() - os.fstat(descriptor).st_mtime
            if age < _YOUNG:
                return
            locked = _lock(descriptor, fcntl.LOCK_EX)
            if locked or (locked is None and age > _OLD):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _fsync_directory(directory: Path) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # Some network file systems know no such thing
        if error.errno != errno.EINVAL:
            raise NotDurableError(error.errno, error.strerror, str(directory)) from error
