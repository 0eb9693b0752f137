"""A seat: one resident session, and the thread that keeps it busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from gpurun.errors import SimulationError, WorkerTimeoutError
from gpurun.model import Model
from gpurun.results import RunResult
from gpurun.scheduler.jobs import Job
from gpurun.session import Session
from gpurun.worker import RemoteSession


class SessionLike(Protocol):
    """What a seat needs of its session."""

    device: str

    def run(self, overrides: Any = None, **options: Any) -> RunResult:
        """Present one stimulus."""
        ...

    def rebase(self, values: Any) -> None:
        """Make values the baseline."""
        ...

    def write(self, values: Any) -> None:
        """Change variables now."""
        ...

    def read(self, key: Any) -> np.ndarray:
        """One variable."""
        ...

    def stop(self) -> None:
        """End the present run, from another thread."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


class Seat:
    """One resident session.

    Parameters
    ----------
    number : int
    model : Model
    device : str
    isolation : {"thread", "process"}
    start : mapping of str to ndarray
        What runs begin with.

    Attributes
    ----------
    busy : float
        Wall seconds in runs so far.
    """

    def __init__(
        self,
        number: int,
        model: Model,
        device: str,
        isolation: str,
        start: Mapping[str, np.ndarray],
    ) -> None:
        self.number = number
        self.isolation = isolation
        self.job: Job | None = None
        self.busy = 0.0
        self._model = model
        kind: Any = RemoteSession if isolation == "process" else Session
        self.session: SessionLike = kind(model, device)
        self.device = self.session.device
        try:
            if start:
                self.session.rebase(dict(start))
        except BaseException:
            self.close()
            raise

    def run(self, job: Job, further: Any = ()) -> RunResult:
        """Present a stimulus.

        Raises
        ------
        WorkerTimeoutError
            It took too long.
        Exception
            What the session raises.
        """
        began = time.perf_counter()
        overrides = [*job.overrides, *further]
        try:
            if self.isolation == "process":
                result = self.session.run(overrides, timeout=job.timeout, **job.options)
            else:
                result = self._within_time(job, overrides)
        finally:
            self.busy += time.perf_counter() - began
        return result

    def _within_time(self, job: Job, overrides: Any) -> RunResult:
        if job.timeout is None:
            return self.session.run(overrides, **job.options)
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.session.stop()

        timer = threading.Timer(job.timeout, stop)
        timer.daemon = True
        timer.start()
        try:
            result = self.session.run(overrides, **job.options)
        finally:
            timer.cancel()
        if late.is_set() and result.completed < 1:
            raise WorkerTimeoutError(
                f"Stimulus {job.index} took longer than {job.timeout:g} s of wall time.",
                exitcode=None,
                signal=None,
                seconds=job.timeout,
            )
        return result

    @property
    def alive(self) -> bool:
        """Whether the session can be used further."""
        return bool(getattr(self.session, "alive", True))

    def stop(self) -> None:
        """End the present run after its step."""
        self.session.stop()

    def close(self) -> None:
        """Give the memory back."""
        self.session.close()


def lost_session(error: BaseException, seat: Seat) -> bool:
    """Whether `error` says that the seat's session cannot be used any more."""
    if not seat.alive:
        return True
    return isinstance(error, SimulationError) and bool(error.fields.get("sticky"))
