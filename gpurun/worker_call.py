"""One call of a session in another process: how long is waited, and when it is given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gpurun.errors import WorkerError, WorkerTimeoutError
from gpurun.process import Interruptible
from gpurun.worker_process import WorkerProcess

#: Seconds that a call has to end after it was asked to stop.
STOP_SECONDS = 5.0
# The longest wait without a look at the clock
_LOOK_SECONDS = 0.5


class GivenUpError(Exception):
    """The process was killed, because the call did not end. For the modules of workers only."""


class Interruption(Interruptible):
    """`Interruptible` that also calls a function at each Ctrl-C, when it is pressed."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then = then

    def _note(self, number: int, frame: Any) -> None:
        super()._note(number, frame)
        self._then()


class Call:
    """The wait for one reply.

    Parameters
    ----------
    process : WorkerProcess
    name : str
        Of the call, for messages.
    number : int
        Of the call, for requests to stop it.
    began : float
        ``time.monotonic()``.
    seconds : float or None
        Wall time that it may take.
    needs : int
        How many Ctrl-C it takes to give the call up: 1 for what can be stopped, 2 for what
        should rather be waited for, 0 for what is killed at once, in time or not.

    Attributes
    ----------
    timed_out : bool
        Whether it took too long, and was asked to stop.
    """

    def __init__(
        self,
        process: WorkerProcess,
        name: str,
        number: int,
        began: float,
        seconds: float | None,
        needs: int,
    ) -> None:
        self.name = name
        self.timed_out = False
        self._process = process
        self._number = number
        self._seconds = seconds
        self._deadline = None if seconds is None else began + seconds
        self._needs = needs
        self._pressed = 0
        self._kill_at: float | None = None

    def interrupt(self) -> None:
        """Ctrl-C was pressed. Called by a signal handler."""
        self._pressed += 1
        if self._pressed >= self._needs:
            self._stop()

    def _stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + (STOP_SECONDS if self._needs else 0.0)
            self._process.tell_stop(self._number)

    def wait(self) -> None:
        """Wait until there is something to read.

        Raises
        ------
        GivenUpError
            There was nothing for too long, and the process was killed.
        ChannelClosedError
            The process has ended.
        """
        while not self._process.readable(self._patience()):
            now = time.monotonic()
            if self._kill_at is not None and now >= self._kill_at:
                self._process.kill()
                raise GivenUpError
            if self._deadline is not None and now >= self._deadline and not self.timed_out:
                self.timed_out = True
                self._stop()

    def _patience(self) -> float:
        moments = [self._kill_at, None if self.timed_out else self._deadline]
        until = min((moment for moment in moments if moment is not None), default=None)
        if until is None:
            return _LOOK_SECONDS
        # Not a little too early, which would make the loop spin
        return min(max(until - time.monotonic(), 0.0) + 1e-3, _LOOK_SECONDS)

    def given_up(self) -> WorkerError:
        """What to raise after a `GivenUpError`."""
        if self.timed_out:
            return self.timeout_error(killed=True)
        return WorkerError(
            f"The process {self._process.pid} of a session on '{self._process.name}' was killed, "
            f"because {self.name}() did not stop after Ctrl-C. What the session held is lost.",
            exitcode=None,
            signal="SIGKILL",
        )

    def timeout_error(self, *, killed: bool) -> WorkerTimeoutError:
        """The error for a call that took too long."""
        what = (
            f"its process {self._process.pid} did not stop and was killed. Open a new session"
            if killed
            else "it was stopped after its present step. The session can still be used"
        )
        return WorkerTimeoutError(
            f"{self.name}() of a session on '{self._process.name}' took longer than "
            f"{self._seconds:g} s, and {what}.",
            exitcode=None,
            signal="SIGKILL" if killed else None,
            seconds=self._seconds,
        )
