"""The connection of a session to its process: calls, and what happens when one goes wrong."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from gpurun.errors import (
    DeviceError,
    SessionBusyError,
    SessionClosedError,
    SessionError,
    WorkerError,
)
from gpurun.model import Model
from gpurun.reporting import wall_seconds
from gpurun.worker_call import STOP_SECONDS, Call, GivenUpError, Interruption
from gpurun.worker_channel import ChannelClosedError
from gpurun.worker_process import WorkerProcess, shut
from gpurun.worker_values import unpack_error

_RUNS = ("run", "advance")


class Link:
    """Calls to a process, one at a time; a part of `RemoteSession`.

    Parameters
    ----------
    model : Model
    device : str
        As the user knows it.
    environment : mapping of str to str
        Of the process.
    """

    def __init__(self, model: Model, device: str, environment: Mapping[str, str]) -> None:
        self.model = model
        self.device = device
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._closed = False
        self._number = 0
        self._lost: WorkerError | None = None
        self._process = WorkerProcess(device, environment)
        # Also when the interpreter ends
        self._finalizer = weakref.finalize(self, shut, self._process)

    # -- life -----------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there and can be asked for something."""
        return not self._closed and self._lost is None and self._process.running

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """End the process, whatever it does. Closing twice is allowed.

        A call that another thread has under way is stopped. A process that does not end within
        some seconds is killed.
        """
        if self._owner != os.getpid():
            self._closed = True
            self._process.forget()
            return
        with Interruption(lambda: None):
            self._process.closing = True
            held = self._lock.acquire(blocking=False)
            if not held:
                self.stop()
                held = self._lock.acquire(timeout=STOP_SECONDS)
            if not held:
                # Whoever holds the lock notices
                self._process.kill()
                held = self._lock.acquire(timeout=STOP_SECONDS)
            try:
                self._closed = True
                self._finalizer()
            finally:
                if held:
                    self._lock.release()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self._owner != os.getpid():
            raise SessionError(
                "This session belongs to the process from which this one was forked. Open one here."
            )
        if not self._lock.acquire(blocking=False):
            raise SessionBusyError(
                "Another thread is using this session. Open one session per thread."
            )
        try:
            if self._closed:
                raise SessionClosedError("This session has been closed; open a new one.")
            if self._lost is not None:
                raise _again(self._lost)
            yield
        finally:
            self._lock.release()

    def stop(self) -> None:
        """Stop the run that is under way in another thread after its present step."""
        if self._lock.locked():
            self._process.tell_stop(self._number)

    # -- a call ---------------------------------------------------------------

    def _call(
        self,
        name: str,
        *arguments: Any,
        options: Mapping[str, Any] | None = None,
        timeout: Any = None,
        needs: int = 2,
    ) -> Any:
        """Have the process do something; `needs` is how many Ctrl-C it takes to give it up."""
        seconds = None if timeout is None else wall_seconds("timeout", timeout)
        with self._exclusive():
            began = time.monotonic()
            process = self._process
            # At once, so that a request to stop from now on is for this call
            self._number += 1
            # Fails, if it does, before the process has noticed anything
            packet = process.channel.prepare((self._number, name, arguments, dict(options or {})))
            call = Call(process, name, self._number, began, seconds, needs)
            with Interruption(call.interrupt):
                try:
                    process.in_flight = True
                    process.channel.transmit(packet)
                    kind, made = process.channel.receive(call.wait)
                    process.in_flight = False
                except BaseException as error:
                    self._lose(call, error)
                    raise
                if kind == "failed":
                    self._fail(made)
                if call.timed_out and name in _RUNS and made["completed"] < 1:
                    raise call.timeout_error(killed=False)
            return made

    def _fail(self, packed: Any) -> None:
        error = unpack_error(packed, self.model)
        if isinstance(error, DeviceError) and error.fields.get("sticky"):
            self._process.end(politely=False)
            self._lost = WorkerError(
                f"The process {self.pid} of a session on '{self.device}' has lost its card and "
                f"was ended: {error.message}. Open a new session.",
                exitcode=None,
                signal=None,
            )
            raise _again(self._lost) from error
        raise error

    def _lose(self, call: Call, error: BaseException) -> None:
        """End the process after a call that has had no reply, and say why."""
        process = self._process
        if isinstance(error, GivenUpError):
            process.end(politely=False)
            self._lost = call.given_up()
        elif isinstance(error, ChannelClosedError):
            self._lost = process.obituary(call.name + "()")
        else:
            # Raised by a signal handler, say. The reply would be taken for that of the next call
            process.end(politely=False)
            self._lost = WorkerError(
                f"The process {self.pid} of a session on '{self.device}' was ended, because "
                f"{call.name}() was interrupted by {type(error).__name__}. Open a new session.",
                exitcode=None,
                signal=None,
            )
            return
        if process.closing:
            raise SessionClosedError("This session was closed by another thread.") from None
        raise _again(self._lost) from None


def _again(error: WorkerError) -> WorkerError:
    """The same error without a traceback, which would keep alive what the caller has."""
    return type(error)(error.message, **error.fields)
