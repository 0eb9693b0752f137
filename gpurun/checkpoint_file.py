"""The container of a checkpoint: 512 bytes that vouch for the HDF5 file behind them.

HDF5 leaves a *user block* at the start of a file to whoever writes it. This one is text; it
holds the format version, the length of the file, and a digest of all that follows. It is checked
before HDF5 sees the file, because HDF5 trusts what it reads.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gpurun.errors import CheckpointError
from gpurun.process import Interruptible

FORMAT = 1
USER_BLOCK = 512
_MAGIC = b"gpurun checkpoint\n"
# The check digits at the end of the block are over what is before them.
_CHECKED = USER_BLOCK - 17
_CHUNK = 1 << 22
_LINES = re.compile(
    r"gpurun checkpoint\nformat (\d{1,9})\nlength (\d{1,20})\nblake2b ([0-9a-f]{64})\n", re.ASCII
)
_EXPLANATION = """
The state of a Brian2 model in HDF5 (h5dump, h5py). The first 512 bytes are its user block:
"blake2b" is the 32-byte digest of everything behind them, and the line at the end the 8-byte
digest of the 495 bytes before it.
"""


@dataclass(frozen=True)
class Seal:
    """What a user block says: format version, length of the file, digest of the rest."""

    format: int
    length: int
    digest: str

    def block(self) -> bytes:
        """The user block."""
        text = (
            f"{_MAGIC.decode()}format {self.format}\nlength {self.length}\nblake2b {self.digest}\n"
        )
        checked = (text + _EXPLANATION).encode("ascii").ljust(_CHECKED, b"\n")
        return checked + _check_digits(checked) + b"\n"


def _check_digits(checked: bytes) -> bytes:
    return hashlib.blake2b(checked, digest_size=8).hexdigest().encode()


def seal(descriptor: int) -> None:
    """Write the user block of a file that is complete otherwise.

    Raises
    ------
    OSError
    """
    length = os.fstat(descriptor).st_size
    block = Seal(FORMAT, length, _digest(descriptor)).block()
    _write(descriptor, memoryview(block), 0)


def verify(descriptor: int, path: str) -> Seal:
    """Read all of a file and make sure that it is a checkpoint as it was written.

    Raises
    ------
    CheckpointError
        It is not.
    OSError
        It cannot be read.
    """
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise _not_a_checkpoint(path, "it is not a regular file")
    length = facts.st_size
    found = _parse(_read(descriptor, 0, USER_BLOCK), path)
    if length < found.length:
        raise _error(
            path,
            "truncated",
            f"has only {length} of its {found.length} bytes. It was copied or moved only in part",
        )
    if length > found.length:
        raise _error(path, "damaged", f"has {length - found.length} bytes behind its end")
    if _digest(descriptor) != found.digest:
        raise _error(path, "damaged", "was changed after it was written: its digest is not right")
    return found


def _parse(block: bytes, path: str) -> Seal:
    if not block.startswith(_MAGIC[: len(block)]):
        raise _not_a_checkpoint(path, f"it does not begin with {_MAGIC.decode().strip()!r}")
    if len(block) < USER_BLOCK:
        raise _error(path, "truncated", f"ends after {len(block)} bytes")
    checked = block[:_CHECKED]
    if block[_CHECKED:] != _check_digits(checked) + b"\n":
        raise _error(path, "damaged", "was changed after it was written, in its first 512 bytes")
    version = re.match(rb"format (\d{1,9})\n", checked[len(_MAGIC) :])
    if version and int(version[1]) > FORMAT:
        raise CheckpointError(
            f"{path} has the format {int(version[1])}, and this version of gpurun knows formats "
            f"up to {FORMAT}: a later version has written it. Update gpurun to read it.",
            path=path,
            reason="newer_format",
        )
    lines = _LINES.match(checked.decode("ascii", "replace"))
    if lines is None:
        raise _error(path, "damaged", "has a user block that makes no sense")
    return Seal(int(lines[1]), int(lines[2]), lines[3])


def _error(path: str, reason: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint {path} {what}. Use another copy of it.", path=path, reason=reason
    )


def _not_a_checkpoint(path: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a checkpoint: {why}.", path=path, reason="not_a_checkpoint"
    )


def _digest(descriptor: int) -> str:
    state = hashlib.blake2b(digest_size=32)
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    position = USER_BLOCK
    while count := os.preadv(descriptor, [buffer], position):
        state.update(view[:count])
        position += count
    return state.hexdigest()


def _read(descriptor: int, position: int, count: int) -> bytes:
    parts: list[bytes] = []
    while count and (part := os.pread(descriptor, count, position)):
        parts.append(part)
        position += len(part)
        count -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: memoryview, position: int) -> None:
    while len(data):
        count = os.pwrite(descriptor, data, position)
        data = data[count:]
        position += count


class _Stream:
    """A file for h5py to write whose failures HDF5 does not see.

    HDF5 cannot close a file that it cannot write, and the process may crash over it at its end.
    So it is told that all went well, and the failure is raised when HDF5 is done.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._size = 0
        self.failure: BaseException | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._size
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        try:
            if self.failure is None:
                data = _read(self._descriptor, self._position, count)
                self._position += len(data)
                return data
        except BaseException as failure:
            self.failure = failure
        return bytes(count)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            if self.failure is None:
                _write(self._descriptor, view, self._position)
        except BaseException as failure:
            self.failure = failure
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def truncate(self, size: int) -> int:
        try:
            if self.failure is None:
                os.ftruncate(self._descriptor, size)
        except BaseException as failure:
            self.failure = failure
        self._size = size
        return size

    def flush(self) -> None:
        pass


@contextmanager
def new_hdf5(descriptor: int) -> Iterator[Any]:
    """Make an HDF5 file in an empty file, with room for the user block.

    Ctrl-C takes effect at the end, since HDF5 is no place for exceptions.

    Raises
    ------
    OSError
        It cannot be written.
    """
    import h5py

    stream = _Stream(descriptor)
    with Interruptible():
        try:
            # Readable by HDF5 1.10, whatever version writes it
            with h5py.File(
                stream, "w", userblock_size=USER_BLOCK, libver=("earliest", "v110")
            ) as file:
                yield file
        except Exception:
            if stream.failure is not None:
                # HDF5 stumbled over what it did not get
                raise stream.failure from None
            raise
        if stream.failure is not None:
            raise stream.failure


def open_hdf5(path: str) -> Any:
    """Open a file with h5py, to read it.

    Raises
    ------
    OSError
        It cannot be read.
    """
    import h5py

    # HDF5 reads it without help from Python. Where it cannot open a file, it lets go of it only
    # after Python's end, and would crash.
    return h5py.File(path, "r")


def is_same(file: Any, descriptor: int) -> bool:
    """Whether h5py has opened the file of a descriptor, and not one that took its place."""
    return os.path.samestat(os.fstat(file.id.get_vfd_handle()), os.fstat(descriptor))
