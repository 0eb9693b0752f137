"""A seat: one resident session, and the thread that keeps it busy."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from gpurun.calls import label
from gpurun.errors import SimulationError, WorkerError, WorkerTimeoutError
from gpurun.model import Model
from gpurun.results import RunResult
from gpurun.scheduler.jobs import Job
from gpurun.session import Session
from gpurun.worker import RemoteSession

#: Sessions that one stimulus may take with it before it is given up; attempts to open one.
CRASHES = 3
#: Seconds that a run has to end after it was asked to stop.
_PATIENCE = 5.0


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
    job : Job or None
        What it is at.
    version : int
        Of what runs begin with; the owner's.
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
        self.version = 0
        #: What the model has for the variables that were rebased once, by name.
        self._frozen: dict[str, np.ndarray] = {}
        self._model = model
        kind: Any = RemoteSession if isolation == "process" else Session
        self.session: SessionLike = kind(model, device)
        self.device = self.session.device
        try:
            if start:
                self.rebase(start)
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
        # What the stimulus itself says comes last, and may be said once only
        given = {label(target) for target, _ in job.overrides}
        overrides = [*((name, value) for name, value in further if name not in given)]
        overrides += job.overrides
        if self.isolation == "process":
            return self.session.run(overrides, timeout=job.timeout, **job.options)
        return self._within_time(job, overrides)

    def _within_time(self, job: Job, overrides: Any) -> RunResult:
        late = False

        def over(completed: float, elapsed: float) -> bool:
            # Asked about 20 times a second; unlike stop(), this cannot come too early
            nonlocal late
            late = job.timeout is not None and elapsed > job.timeout
            return late or job.abandoned

        result = self.session.run(overrides, progress=over, **job.options)
        if late and result.completed < 1:
            raise WorkerTimeoutError(
                f"Stimulus {job.index} took longer than {job.timeout:g} s of wall time.",
                exitcode=None,
                signal=None,
                seconds=job.timeout,
            )
        return result

    def rebase(self, start: Mapping[str, np.ndarray]) -> None:
        """Let runs begin with `start`, and with the model's own values of everything else."""
        unknown = [name for name in start if name not in self._frozen]
        if unknown:
            self.session.rebase({})
            found = {name: self.session.read(name) for name in unknown}
            self._frozen |= found
        self.session.rebase({**self._frozen, **start})

    @property
    def alive(self) -> bool:
        """Whether the session can be used further."""
        return bool(getattr(self.session, "alive", True))

    def stop(self) -> None:
        """End the present run after its step."""
        self.session.stop()

    def kill(self) -> None:
        """End the process of the session, if it has one."""
        if self.isolation == "process" and self.alive:
            with suppress(ProcessLookupError):
                os.kill(getattr(self.session, "pid"), signal.SIGKILL)  # noqa: B009

    def close(self) -> None:
        """Give the memory back."""
        self.session.close()


def lost_session(error: BaseException, seat: Seat) -> bool:
    """Whether `error` says that the seat's session cannot be used any more."""
    if not seat.alive:
        return True
    return isinstance(error, SimulationError) and bool(error.fields.get("sticky"))


def open_seat(
    number: int, model: Model, device: str, isolation: str, start: Mapping[str, np.ndarray]
) -> Seat:
    """Open a session; again, if its process dies meanwhile.

    Raises
    ------
    Exception
        What opening a session raises.
    """
    for _ in range(CRASHES - 1):
        try:
            return Seat(number, model, device, isolation, start)
        except WorkerTimeoutError:
            raise
        except WorkerError:
            continue
    return Seat(number, model, device, isolation, start)


def stop_or_kill(seat: Seat, seconds: float) -> None:
    """Stop a run that was asked to end some seconds ago."""
    if seconds > _PATIENCE:
        seat.kill()
    else:
        with suppress(Exception):
            seat.stop()
