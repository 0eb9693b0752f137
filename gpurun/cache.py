"""The cache of compiled code and frozen data.

Layout below the root::

    <kind>/<key[:2]>/<key>/    a published entry; ``entry.json`` holds its digests
    builds/<kind>-<key>-*/     private directories of running and of failed builds
    locks/<kind>-<key>.lock    held while the entry is built (released by the system
                               when its holder dies)
    trash/                     entries on their way out
    tools/                     what compilers said of themselves (toolchain_memory.py)

An entry appears by one rename, so whoever sees it sees all of it. A damaged entry counts as
absent. A root that cannot be written, or a full disk, sends new entries to a temporary
directory that lives as long as the process; entries already in the root are still used.
"""

from __future__ import annotations

import errno
import logging
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from gpurun import cache_entry
from gpurun.cache_entry import STAMP
from gpurun.cache_temporary import TEMPORARY, CacheWarning
from gpurun.config import settings
from gpurun.errors import CacheError
from gpurun.toolchain_memory import FOLDER as TOOLS

__all__ = ["Builder", "Cache", "CacheWarning", "EntryInfo"]

KINDS = ("code", "data")
# A failed build is kept this long, for whoever wants to look at it (seconds).
KEEP_FAILED = 7 * 24 * 3600.0
# Below this, a compile is likely to hit the end of the disk half way (bytes).
MIN_FREE = 64 * 1024**2
# The pruning that happens by itself leaves alone what may still be open (seconds).
IN_USE = 24 * 3600.0

_FAILED = "FAILED"
_KEY = re.compile(r"[A-Za-z0-9_-]{3,128}", re.ASCII)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EntryInfo:
    """One published entry.

    Attributes
    ----------
    kind, key : str
    path : Path
    bytes : int
        Size of its files.
    last_used, created : float
        Seconds since the epoch.
    """

    kind: str
    key: str
    path: Path
    bytes: int
    last_used: float
    created: float


class Builder:
    """What :meth:`Cache.building` hands out.

    Attributes
    ----------
    existing : Path or None
        The entry, if somebody else published it meanwhile: there is nothing to do then.
    directory : Path
        Private directory to build in. Not to be used if `existing` is set.
    published : Path or None
        Set by :meth:`publish`.
    """

    def __init__(
        self,
        directory: Path,
        existing: Path | None,
        publish: Callable[[Path], Path],
    ) -> None:
        self.directory = directory
        self.existing = existing
        self.published: Path | None = None
        self._publish = publish

    def publish(self) -> Path:
        """Turn `directory` into the entry, at once and for everybody; return where it is.

        Raises
        ------
        CacheError
            Neither the cache nor the temporary directory can take it.
        """
        if self.existing is not None:
            return self.existing
        if self.published is None:
            self.published = self._publish(self.directory)
        return self.published


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _disk_is_full(error: BaseException | None) -> bool:
    """Say whether `error`, or a compiler's message in it, is about a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if "No space left on device" in str(getattr(error, "output", "")):
            return True
        error = error.__cause__ or error.__context__
    return False


class Cache:
    """Published entries below one root.

    Parameters
    ----------
    root : Path, optional
        Default: ``settings().cache_dir``.
    enabled : bool, optional
        Default: ``settings().cache``. False: nothing is found, and what is built goes to a
        temporary directory that is removed when the process ends.
    """

    def __init__(self, root: Path | None = None, enabled: bool | None = None) -> None:
        self.root = Path(root).absolute() if root is not None else settings().cache_dir
        self.enabled = settings().cache if enabled is None else enabled

    # -- looking up ------------------------------------------------------------------

    def entry(self, kind: str, key: str) -> Path | None:
        """Return the directory of a published, verified entry, or None.

        A damaged entry is a miss; :meth:`building` then moves it away.
        """
        _check_name(kind, key)
        if not self.enabled:
            return None
        for root in self._roots():
            path = _place(root, kind, key)
            if cache_entry.verify(path, kind=kind, key=key):
                with suppress(OSError):  # a read-only cache
                    (path / STAMP).touch()
                return path
        return None

    def _roots(self) -> list[Path]:
        temporary = TEMPORARY.peek()
        return [self.root] if temporary is None else [self.root, temporary]

    # -- building --------------------------------------------------------------------

    @contextmanager
    def building(self, kind: str, key: str) -> Iterator[Builder]:
        """Build an entry, while other processes that want the same one wait.

        The private directory is removed at the end if the block neither published nor
        raised, and kept for a week if it raised.

        Yields
        ------
        Builder
            Look at its `existing` first.

        Raises
        ------
        CacheError
            Neither the cache nor a temporary directory can be written.
        """
        _check_name(kind, key)
        root = self._writable_root(kind, key) if self.enabled else TEMPORARY.get()
        with _locked(root, kind, key):
            builder = self._builder(root, kind, key)
            try:
                yield builder
            except Exception:
                if builder.published is None and builder.existing is None:
                    with suppress(OSError):
                        (builder.directory / _FAILED).touch()
                raise
            except BaseException:  # Ctrl-C: nobody wants to look at this
                _discard(builder)
                raise
            _discard(builder)

    def build(self, kind: str, key: str, make: Callable[[Path], object]) -> Path:
        """Return the entry, calling `make` with a private directory only if it must be built.

        Unlike a block under :meth:`building`, `make` can be called a second time, in a
        temporary directory, when the disk turns out to be full half way.

        Raises
        ------
        CacheError
            See :meth:`building`.
        """
        found = self.entry(kind, key)
        if found is not None:
            return found
        try:
            return self._build_once(kind, key, make)
        except Exception as error:
            if not _disk_is_full(error) or not self.enabled:
                raise
            # The failed attempt is what fills the disk: it is of no use to anybody.
            for left in self._leftovers(self.root, kind, key):
                shutil.rmtree(left, ignore_errors=True)
            temporary = TEMPORARY.instead_of(self.root, "the disk is full")
        return Cache(temporary)._build_once(kind, key, make)

    def _build_once(self, kind: str, key: str, make: Callable[[Path], object]) -> Path:
        with self.building(kind, key) as builder:
            if builder.existing is None:
                make(builder.directory)
            return builder.publish()

    def _writable_root(self, kind: str, key: str) -> Path:
        try:
            for folder in (_place(self.root, kind, key).parent, self.root / "builds"):
                folder.mkdir(parents=True, exist_ok=True)
            (self.root / "locks").mkdir(exist_ok=True)
            # mkdir does not notice directories that exist and cannot be written.
            with tempfile.TemporaryFile(dir=self.root / "builds"):
                pass
            free = shutil.disk_usage(self.root).free
            if free >= MIN_FREE:
                return self.root
            reason = f"only {free / 1024**2:.0f} MiB are free"
        except OSError as error:
            reason = _reason(error)
        return TEMPORARY.instead_of(self.root, reason)

    def _builder(self, root: Path, kind: str, key: str) -> Builder:
        place = _place(root, kind, key)
        if self.enabled and cache_entry.verify(place, kind=kind, key=key):
            return Builder(place, place, lambda directory: directory)
        try:
            if self.enabled:
                # We hold the lock, so these belong to builders that were killed.
                for left in self._leftovers(root, kind, key):
                    if not (left / _FAILED).exists():
                        shutil.rmtree(left, ignore_errors=True)
                _throw_away(root, place)
            self._sweep(root)
            (root / "builds").mkdir(parents=True, exist_ok=True)
            directory = Path(tempfile.mkdtemp(prefix=f"{kind}-{key}-", dir=root / "builds"))
            # mkdtemp makes it private; a published entry has the rights of its cache.
            directory.chmod(0o777 & ~_umask())
        except OSError as error:
            raise CacheError(
                f"no directory for a build can be made in {root}: {error}. Point "
                "GPURUN_CACHE_DIR or TMPDIR to a writable disk with free space.",
                path=str(root),
            ) from error
        return Builder(directory, None, lambda path: self._publish(root, path, kind, key))

    def _publish(self, root: Path, directory: Path, kind: str, key: str) -> Path:
        try:
            cache_entry.seal(directory, kind=kind, key=key, created=time.time())
            if not self.enabled:
                return directory
            place = _rename(root, directory, kind, key)
        except OSError as error:
            if not self.enabled or root == TEMPORARY.peek():
                raise CacheError(
                    f"{directory} cannot be published in {root}: {error}. Point "
                    "GPURUN_CACHE_DIR or TMPDIR to a writable disk with free space.",
                    path=str(root),
                ) from error
            temporary = TEMPORARY.instead_of(self.root, _reason(error))
            return self._move(directory, temporary, kind, key)
        self._trim(place)
        return place

    def _move(self, directory: Path, temporary: Path, kind: str, key: str) -> Path:
        target = temporary / "builds" / f"{kind}-{key}-{uuid.uuid4().hex}"
        try:
            shutil.copytree(directory, target, ignore=shutil.ignore_patterns(STAMP))
        except (OSError, shutil.Error) as error:
            raise CacheError(
                f"neither {self.root} nor {temporary} can take the entry: {error}. Point "
                "GPURUN_CACHE_DIR or TMPDIR to a writable disk with free space.",
                path=str(temporary),
            ) from error
        shutil.rmtree(directory, ignore_errors=True)
        return self._publish(temporary, target, kind, key)

    def _trim(self, newest: Path) -> None:
        """Keep the cache at its size, without touching what may still be open somewhere."""
        entries = self.list()
        excess = sum(info.bytes for info in entries) - settings().cache_max_bytes
        limit = time.time() - IN_USE
        for info in reversed(entries):
            if excess <= 0 or info.last_used > limit:
                break
            if info.path != newest and _throw_away(self.root, info.path):
                excess -= info.bytes

    # -- housekeeping ----------------------------------------------------------------

    @staticmethod
    def _leftovers(root: Path, kind: str, key: str) -> list[Path]:
        return list((root / "builds").glob(f"{kind}-{key}-*"))

    @staticmethod
    def _sweep(root: Path, keep: float = KEEP_FAILED) -> None:
        """Remove builds older than `keep` seconds, and what is left in the trash."""
        limit = time.time() - keep
        with suppress(OSError):
            for left in [*(root / "builds").iterdir(), *(root / "trash").glob("*")]:
                with suppress(OSError):
                    if left.parent.name == "trash" or left.stat().st_mtime < limit:
                        shutil.rmtree(left, ignore_errors=True)

    def list(self) -> list[EntryInfo]:
        """Return the published entries, the most recently used first."""
        found: list[EntryInfo] = []
        for kind in KINDS:
            for path in (self.root / kind).glob("*/*"):
                with suppress(OSError):
                    found.append(_info(kind, path))
        return sorted(found, key=lambda info: (-info.last_used, info.kind, info.key))

    def prune(
        self, max_bytes: int | None = None, older_than: float | None = None
    ) -> list[EntryInfo]:
        """Remove entries and old failed builds; return the removed entries.

        Parameters
        ----------
        max_bytes : int, optional
            Remove the least recently used until the rest is no larger than this. Default:
            ``settings().cache_max_bytes``, if `older_than` is not given either.
        older_than : float, optional
            Remove what was not used for this many seconds.
        """
        if max_bytes is None and older_than is None:
            max_bytes = settings().cache_max_bytes
        entries = self.list()
        total = sum(info.bytes for info in entries)
        now = time.time()
        removed: list[EntryInfo] = []
        for info in reversed(entries):
            too_old = older_than is not None and now - info.last_used > older_than
            too_much = max_bytes is not None and total > max_bytes
            if (too_old or too_much) and _throw_away(self.root, info.path):
                removed.append(info)
                total -= info.bytes
        self._sweep(self.root)
        return removed

    def clear(self) -> int:
        """Remove every entry and every failed build; return the number of entries removed.

        Builds that are running in other processes are left alone.
        """
        removed = sum(_throw_away(self.root, info.path) for info in self.list())
        for left in (self.root / "builds").glob("*"):
            if (left / _FAILED).exists():
                shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(self.root / TOOLS, ignore_errors=True)
        self._sweep(self.root)
        return removed


def _discard(builder: Builder) -> None:
    if builder.published is None and builder.existing is None:
        shutil.rmtree(builder.directory, ignore_errors=True)


def _check_name(kind: str, key: str) -> None:
    if kind not in KINDS or not _KEY.fullmatch(key):
        raise CacheError(
            f"{kind!r}/{key!r} does not name a cache entry: expected one of {KINDS} and a key "
            "of 3 to 128 letters, digits, '-' and '_'.",
            path=f"{kind}/{key}",
        )


def _place(root: Path, kind: str, key: str) -> Path:
    return root / kind / key[:2] / key


def _umask() -> int:
    # The mask can only be read by setting it, which other threads would notice.
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(next(x for x in lines.splitlines() if x.startswith("Umask:")).split()[1], 8)
    return 0o077


@contextmanager
def _locked(root: Path, kind: str, key: str) -> Iterator[None]:
    folder = root / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{kind}-{key}.lock")
        try:
            lock.acquire(timeout=10)
        except Timeout:
            _log.info("waiting for another process that builds %s %s", kind, key)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise CacheError(
            f"{folder} cannot hold a lock file: {error}. Point GPURUN_CACHE_DIR to a directory "
            "on a local disk.",
            path=str(folder),
        ) from error
    try:
        yield
    finally:
        lock.release()


def _rename(root: Path, directory: Path, kind: str, key: str) -> Path:
    place = _place(root, kind, key)
    place.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        try:
            directory.rename(place)
            return place
        except OSError as error:
            # A lock does not hold everywhere (some network disks): another may have been faster.
            if last or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            if cache_entry.verify(place, kind=kind, key=key):
                shutil.rmtree(directory, ignore_errors=True)
                return place
            _throw_away(root, place)
    raise AssertionError("unreachable")


def _throw_away(root: Path, path: Path) -> bool:
    """Remove `path`; it is gone at once from where it was, whatever its size."""
    target = root / "trash" / uuid.uuid4().hex
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except FileNotFoundError:
        return False
    except OSError:
        target = path  # a full disk may have no room for the trash
    try:
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s cannot be removed: %s", target, error)
        return target != path
    return True


def _info(kind: str, path: Path) -> EntryInfo:
    made = path.stat().st_mtime
    manifest = cache_entry.read(path)
    try:
        used = (path / STAMP).stat().st_mtime
    except OSError:
        used = made
    return EntryInfo(
        kind=kind,
        key=path.name,
        path=path,
        bytes=cache_entry.size_on_disk(path),
        last_used=used,
        created=manifest["created"] if manifest else made,
    )
