"""The temporary directory that stands in for a cache that cannot be used."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
import warnings
from pathlib import Path

from gpurun.errors import CacheError

# A warning points past our own lines and those of "with". CPython 3.12 does not take a whole
# file name for a prefix of itself, hence without the ending.
_NOT_THE_USERS = (str(Path(__file__).parent), str(Path(contextlib.__file__).with_suffix("")))


class CacheWarning(UserWarning):
    """The cache directory cannot be used; something less lasting is used instead."""


class TemporaryRoot:
    """A root that is made when first needed and removed when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._warned: set[Path] = set()

    def peek(self) -> Path | None:
        """Return the directory if it was needed already."""
        return self._path

    def get(self) -> Path:
        """Return the directory, made if need be.

        Raises
        ------
        CacheError
            No temporary directory can be made.
        """
        with self._lock:
            if self._path is None or not self._path.is_dir():
                try:
                    self._path = Path(tempfile.mkdtemp(prefix="gpurun-"))
                except OSError as error:
                    raise CacheError(
                        f"no temporary directory can be made ({error}): point TMPDIR or "
                        "GPURUN_CACHE_DIR to a writable disk with free space.",
                        path=tempfile.gettempdir(),
                    ) from error
                atexit.register(self._remove, self._path, os.getpid())
            return self._path

    def instead_of(self, root: Path, reason: str) -> Path:
        """Return the temporary root; warn once per process and `root`."""
        path = self.get()
        with self._lock:
            first = root not in self._warned
            self._warned.add(root)
        if first:
            warnings.warn(
                f"the cache directory {root} cannot be used ({reason}); {path} is used until "
                "this process ends. Free space or rights there, or point GPURUN_CACHE_DIR to "
                "another directory, and models will not be compiled again each time.",
                CacheWarning,
                skip_file_prefixes=_NOT_THE_USERS,
            )
        return path

    @staticmethod
    def _remove(path: Path, owner: int) -> None:
        # A forked child inherits the handler, but not the directory.
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)


TEMPORARY = TemporaryRoot()
