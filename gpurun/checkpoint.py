"""Checkpoints: the state of a session in one file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from gpurun import checkpoint_contents, checkpoint_file
from gpurun.checkpoint_differences import Difference, differences, other_model
from gpurun.checkpoint_header import Checkpoint, CheckpointHeader
from gpurun.checkpoint_publish import NotDurableError, publish
from gpurun.errors import CheckpointError
from gpurun.model import Manifest
from gpurun.state import SessionState

__all__ = [
    "Checkpoint",
    "CheckpointHeader",
    "Difference",
    "differences",
    "other_model",
    "read_checkpoint",
    "read_header",
    "write_checkpoint",
]

_TRIALS = 100
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_checkpoint(
    path: str | os.PathLike[str], state: SessionState, manifest: Manifest, *, model_digest: str
) -> None:
    """Save a state.

    The file is complete on the disk when this returns. If it fails, or if the process is killed,
    a file that was there before is still as it was.

    Parameters
    ----------
    path : path-like
        An existing file is replaced.
    state : SessionState
    manifest : Manifest
        Of the model that the state belongs to.
    model_digest : str
        `Model.digest`.

    Raises
    ------
    CheckpointError
        It cannot be written; `reason` is ``"not_written"``.
    TypeError
        JSON cannot hold ``state.extra``.
    """
    path = Path(path)
    created = datetime.now(UTC).replace(microsecond=0)

    def fill(descriptor: int) -> None:
        with checkpoint_file.new_hdf5(descriptor) as file:
            checkpoint_contents.write(file, state, manifest, model_digest, created)
        checkpoint_file.seal(descriptor)

    try:
        publish(path, fill)
    except OSError as error:
        raise _not_written(path, error, state) from error


def _not_written(path: Path, error: OSError, state: SessionState) -> CheckpointError:
    what = error.strerror or str(error)
    if isinstance(error, NotDurableError):
        message = f"The checkpoint {path} is there, but might be lost in a power failure: {what}."
    else:
        if error.errno in _FULL:
            what += f" (about {_bytes(state) / 2**20:.1f} MiB are needed)"
        kept = " The file that was there before is unchanged." if path.is_file() else ""
        message = f"The checkpoint {path} cannot be written: {what}.{kept}"
    return CheckpointError(
        message,
        path=str(path),
        reason="not_written",
        errno=error.errno,
    )


def _bytes(state: SessionState) -> int:
    arrays: Iterable[int] = (
        array.nbytes
        for part in (state.values, state.event_spaces, state.timed_arrays)
        for array in part.values()
    )
    queues = (queue.steps.nbytes + queue.synapses.nbytes for queue in state.queues.values())
    return sum(arrays) + sum(queues)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint after making sure that every byte is as it was written.

    Raises
    ------
    CheckpointError
        There is no such file, or it is not an intact checkpoint; `reason` says which.
    """

    def both(file: object, header: CheckpointHeader) -> Checkpoint:
        return Checkpoint(header, checkpoint_contents.read_state(file, header))

    return _read(path, both)


def read_header(path: str | os.PathLike[str]) -> CheckpointHeader:
    """Read what a checkpoint says about itself, without its arrays.

    The whole file is verified all the same.

    Raises
    ------
    CheckpointError
        See `read_checkpoint`.
    """
    return _read(path, lambda file, header: header)


class _ReplacedError(Exception):
    """Another file of this name was there between verifying and reading."""


def _read[T](path: str | os.PathLike[str], take: Callable[[object, CheckpointHeader], T]) -> T:
    name = str(Path(path))
    for _ in range(_TRIALS):
        try:
            # Not to wait for somebody at the other end, if this is a pipe
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _unreadable(name, error) from error
        try:
            return _take(descriptor, name, take)
        except _ReplacedError:
            continue
        finally:
            os.close(descriptor)
    raise _unreadable(name, OSError(errno.EBUSY, "it is replaced all the time"))


def _take[T](descriptor: int, name: str, take: Callable[[object, CheckpointHeader], T]) -> T:
    try:
        seal = checkpoint_file.verify(descriptor, name)
    except CheckpointError:
        raise
    except OSError as error:
        raise _unreadable(name, error) from error
    try:
        with checkpoint_file.open_hdf5(name) as file:
            if not checkpoint_file.is_same(file, descriptor):
                raise _ReplacedError
            header = checkpoint_contents.read_header(file, name, seal.length, seal.format)
            return take(file, header)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise _not_understood(name, error) from error


def _not_understood(path: str, error: Exception) -> CheckpointError:
    # A failure of the disk comes out of HDF5 as any exception, and in its message
    number = re.search(r"errno = (\d+)", str(error))
    if number is not None:
        return _unreadable(path, OSError(int(number[1]), os.strerror(int(number[1]))))
    return CheckpointError(
        f"The file {path} is as it was written, but it does not hold what it should "
        f"({type(error).__name__}: {error}). gpurun has not written it like this.",
        path=path,
        reason="damaged",
    )


def _unreadable(path: str, error: OSError) -> CheckpointError:
    if isinstance(error, FileNotFoundError):
        return CheckpointError(
            f"There is no checkpoint {path}.", path=path, reason="missing", errno=error.errno
        )
    return CheckpointError(
        f"The checkpoint {path} cannot be read: {error.strerror or error}.",
        path=path,
        reason="unreadable",
        errno=error.errno,
    )
