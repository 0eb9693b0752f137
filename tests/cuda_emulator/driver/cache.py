"""Things that are made once and then found: a folder for each, named by a digest."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable

# The emulated toolkit's own folder
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cache_folder() -> str:
    """Return the folder that holds what was prepared, making it if need be."""
    given = os.environ.get("CUDA_EMULATOR_CACHE")
    folder = given or os.path.join(tempfile.gettempdir(), f"cuda-emulator-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not given and os.stat(folder).st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else: set CUDA_EMULATOR_CACHE")
    return os.path.abspath(folder)


def digest_of(*parts: str) -> str:
    """Return a short name for these texts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:20]


def digest_of_files(folder: str, below: Iterable[str], skip: Iterable[str] = ()) -> str:
    """Return a digest of the names and contents of files.

    Parameters
    ----------
    folder : str
        What the names are relative to.
    below : iterable of str
        Subfolders whose files count, with those in their own subfolders.
    skip : iterable of str
        Subfolders that do not, relative to `folder`.
    """
    skipped = {os.path.join(folder, name) for name in skip}
    digest = hashlib.sha256()
    for name in below:
        for here, folders, files in os.walk(os.path.join(folder, name)):
            folders[:] = sorted(one for one in folders if os.path.join(here, one) not in skipped)
            for file in sorted(files):
                # Editors leave their own files beside the one that is open.
                if file.startswith(".") or file.endswith(("~", ".tmp", ".pyc")):
                    continue
                path = os.path.join(here, file)
                digest.update(os.path.relpath(path, folder).encode() + b"\0")
                with open(path, "rb") as opened:
                    content = opened.read()
                digest.update(b"%d\0" % len(content) + content)
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def _locked(path: str):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def prepared(name: str, make: Callable[[str], None], keep: int = 0) -> str:
    """Return the folder of this name in the cache, filled by `make` if it is not there.

    Parameters
    ----------
    name : str
        ``kind-digest``.
    make : callable
        Is given an empty folder to fill, which then is renamed.
    keep : int
        How many others of the same kind to keep, apart from those used within the hour;
        0: all.
    """
    cache = cache_folder()
    folder = os.path.join(cache, name)
    if os.path.isdir(folder):
        if keep:
            os.utime(folder)
        return folder
    kind = name.rsplit("-", 1)[0]
    with _locked(os.path.join(cache, name + ".lock")):
        if os.path.isdir(folder):
            return folder
        private = tempfile.mkdtemp(prefix=f".{kind}-", dir=cache)
        try:
            make(private)
            os.rename(private, folder)
        except BaseException:
            shutil.rmtree(private, ignore_errors=True)
            raise
    if keep:
        _forget_old(cache, kind, keep)
    return folder


def _forget_old(cache: str, kind: str, keep: int) -> None:
    """Remove what was used longest ago, so that an edited header does not cost a gigabyte."""
    ages: list[tuple[float, str]] = []
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        if name.startswith(kind + "-") and os.path.isdir(path):
            with contextlib.suppress(OSError):
                ages.append((os.stat(path).st_mtime, path))
    for used, path in sorted(ages, reverse=True)[keep:]:
        if time.time() - used > 3600:
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.remove(path + ".lock")
