"""What Dask's workers do for `gpurun.cluster`: keep models and sessions, and present stimuli."""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np
from distributed import Worker, WorkerPlugin, get_worker

from gpurun import build as _build  # registers with gpurun.model
from gpurun.errors import (
    DeviceMemoryError,
    DurationError,
    GpurunError,
    NotSupportedError,
    OverrideError,
    SeedError,
    SimulationError,
    StimulusError,
    WorkerError,
)
from gpurun.model import Model
from gpurun.overrides import Target
from gpurun.session import Session
from gpurun.worker_values import pack_error, pack_result

__all__ = ["Artefact", "Work", "counts", "present", "stop"]

del _build

#: The stimulus itself is wrong: it fails wherever it is tried.
_REFUSED = (OverrideError, DurationError, SeedError, StimulusError, NotSupportedError)


@dataclass(frozen=True, repr=False)
class Work:
    """One stimulus, as it travels to a worker.

    Attributes
    ----------
    key : str
        Of Dask's task.
    version : str
        Of the gpurun that sends it.
    model, start : str
        Digests of artefacts; `start` is empty for the model's own set-up.
    device : str or int
    overrides : list of (Target, value)
    options : mapping
        For `Session.run`: carry, record, duration, seed.
    """

    key: str
    version: str
    model: str
    start: str
    device: str | int
    overrides: list[tuple[Target, Any]]
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        # Dask writes it to its log, where arrays have no place
        return f"<Work {self.key}>"


# -- what was sent -------------------------------------------------------------------------


@dataclass
class _Kept:
    """An artefact in this process, unpickled when it is first needed."""

    pickled: bytes | None
    owners: set[str] = field(default_factory=set)
    value: Any = None


_lock = threading.RLock()
_kept: dict[str, _Kept] = {}
_pools: dict[tuple[str, str | int], _Pool] = {}
_running: dict[str, Session] = {}
#: Keys of tasks that were cancelled, and may yet begin.
_unwanted: deque[str] = deque(maxlen=10_000)
_opened = 0


class Artefact(WorkerPlugin):
    """Brings a model, or what runs begin with, to every worker, also to those that come later.

    Parameters
    ----------
    digest : str
    owner : str
        Who has sent it: it is kept until all owners have let go.
    pickled : bytes
    """

    def __init__(self, digest: str, owner: str, pickled: bytes) -> None:
        self.digest, self.owner = digest, owner
        self.pickled: bytes | None = pickled

    def setup(self, worker: Worker) -> None:
        """Keep it. This runs in the worker's event loop, so that nothing is opened here."""
        with _lock:
            kept = _kept.setdefault(self.digest, _Kept(self.pickled))
            kept.owners.add(self.owner)
        self.pickled = None

    def teardown(self, worker: Worker) -> None:
        """Let go of it, and close its sessions; one that is at work is closed after its run."""
        with _lock:
            kept = _kept.get(self.digest)
            if kept is None:
                return
            kept.owners.discard(self.owner)
            if kept.owners:
                return
            del _kept[self.digest]
            for key in [key for key in _pools if key[0] == self.digest]:
                _pools.pop(key).close()


def _value(digest: str) -> Any:
    with _lock:
        kept = _kept.get(digest)
        if kept is None:
            raise WorkerError(
                "This worker does not have the model, or what runs begin with: "
                "gpurun.cluster.release was called while stimuli were under way.",
                exitcode=None,
                signal=None,
            )
        if kept.pickled is not None:
            kept.value, kept.pickled = pickle.loads(kept.pickled), None
        return kept.value


# -- sessions ------------------------------------------------------------------------------


class _Pool:
    """The sessions of one model on one device: as many as the worker has tasks side by side."""

    def __init__(self, model: Model, device: str | int) -> None:
        self.model, self.device = model, device
        #: With the digest of what their runs begin with.
        self.idle: list[tuple[str, Session]] = []
        self.busy = 0
        self._closed = False
        self._changed = threading.Condition()
        # Files that C++ code opens belong to the process
        self._most = 1 if model.manifest.static_state else None

    def take(self, start: str) -> Session:
        """A session for this thread alone, opened if there is none.

        Raises
        ------
        WorkerError
            It cannot be opened.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._most is None or self.busy < self._most)
                found = next((n for n, (own, _) in enumerate(self.idle) if own == start), None)
                self.busy += 1
                if found is not None:
                    return self.idle.pop(found)[1]
                # One with another start makes room
                other = self.idle.pop(0)[1] if self.idle else None
            try:
                if other is not None:
                    other.close()
                return self._open(start)
            except BaseException as error:
                with self._changed:
                    self.busy -= 1
                    self._changed.notify()
                    if isinstance(error, DeviceMemoryError) and self.busy:
                        # As many as there are have to do
                        self._most = self.busy
                        continue
                raise _not_opened(error) from error

    def _open(self, start: str) -> Session:
        global _opened
        session = Session(self.model, self.device)
        try:
            if start:
                values: dict[str, np.ndarray] = _value(start)
                session.rebase(values)
        except BaseException:
            session.close()
            raise
        with _lock:
            _opened += 1
        return session

    def give_back(self, session: Session, start: str, *, usable: bool) -> None:
        """The run is over."""
        with self._changed:
            self.busy -= 1
            keep = usable and not self._closed
            if keep:
                self.idle.append((start, session))
            self._changed.notify()
        if not keep:
            session.close()

    def close(self) -> None:
        """Close what is idle, and the others when they are given back."""
        with self._changed:
            self._closed = True
            idle, self.idle = self.idle, []
        for _, session in idle:
            session.close()


def _not_opened(error: BaseException) -> BaseException:
    if not isinstance(error, Exception) or isinstance(error, WorkerError):
        return error
    return WorkerError(
        f"The worker {_address()} cannot open a session: {type(error).__name__}: {error}",
        exitcode=None,
        signal=None,
    )


def _address() -> str:
    try:
        return get_worker().address
    except ValueError:
        return f"(process {os.getpid()})"


def _pool(digest: str, device: str | int) -> _Pool:
    with _lock:
        pool = _pools.get((digest, device))
        if pool is None:
            pool = _pools[digest, device] = _Pool(_value(digest), device)
        return pool


def counts() -> dict[str, int]:
    """How many sessions are open in this process, and how many it has opened so far."""
    with _lock:
        return {
            "open": sum(len(pool.idle) + pool.busy for pool in _pools.values()),
            "opened": _opened,
        }


# -- tasks ---------------------------------------------------------------------------------


def present(work: Work) -> tuple[dict[str, Any] | None, Any]:
    """Present one stimulus.

    Returns
    -------
    facts : dict or None
        As `pack_result` gives them.
    error : tuple or None
        As `pack_error` gives it, for a stimulus that fails wherever it is tried.

    Raises
    ------
    WorkerError
        There is no session for it here.
    Exception
        What the run raises. Dask may try again.
    """
    here = metadata.version("gpurun")
    if work.version != here:
        raise WorkerError(
            f"The worker {_address()} has gpurun {here}, but the stimulus was sent by gpurun "
            f"{work.version}. Install the same version everywhere.",
            exitcode=None,
            signal=None,
        )
    pool = _pool(work.model, work.device)
    session = pool.take(work.start)
    usable = False
    try:
        with _lock:
            if work.key in _unwanted:
                usable = True
                return None, pack_error(CancelledError())
            _running[work.key] = session
        result = session.run(work.overrides, **work.options)
        usable = True
        return pack_result(result), None
    except _REFUSED as error:
        usable = True
        return None, pack_error(error)
    except GpurunError as error:
        if isinstance(error, SimulationError) and error.fields.get("sticky"):
            _end_worker()
        raise
    finally:
        with _lock:
            _running.pop(work.key, None)
        pool.give_back(session, work.start, usable=usable)


def _end_worker() -> None:
    """CUDA is lost for the whole process: have its nanny start another one.

    Dask then runs what was here again, as if the worker had crashed.
    """
    if get_worker().nanny is not None:
        os._exit(1)


def stop(keys: Iterable[str]) -> int:
    """End runs whose results nobody wants any more; returns how many there were."""
    keys = list(keys)
    with _lock:
        _unwanted.extend(key for key in keys if key not in _unwanted)
        sessions = [_running[key] for key in keys if key in _running]
        for session in sessions:
            session.stop()
    return len(sessions)
