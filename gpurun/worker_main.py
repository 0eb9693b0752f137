"""What runs in a worker: a session that does what messages ask for. Started by `worker_process`.

There is no brian2 here, and nothing of the user's script.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from gpurun.build import _libraries
from gpurun.config import configure
from gpurun.results import RunResult
from gpurun.session import Session
from gpurun.worker_channel import Channel, ChannelClosedError
from gpurun.worker_process import CLOSE, STOP
from gpurun.worker_values import pack_error, pack_result

#: What a session is asked for. Runs can be stopped; the last two are attributes.
_RUNS = ("run", "advance")
_CALLS = ("write", "rebase", "read", "save", "load", "store", "restore", "forget")
_ATTRIBUTES = ("t", "snapshots")

# Where there is no descriptor for the parent's end
_PARENT_SECONDS = 1.0

# sys/prctl.h
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class _Stops:
    """Which call is under way, and which one is to stop."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._lock = threading.Lock()
        self._current = 0
        self._wanted = 0

    def begin(self, number: int) -> None:
        """A call begins, or none (0)."""
        with self._lock:
            self._current = number

    def stop(self, number: int) -> None:
        """Stop a call, perhaps one that will only begin. Called in the thread that listens."""
        with self._lock:
            self._wanted = number
            if self.session is not None and self._current == number:
                self.session.stop()

    def progress(self, completed: float, elapsed: float) -> bool:
        """For the time loop: the request may have come before the session could take it."""
        return self._wanted == self._current


def _watch(control: int, parent: int, stops: _Stops) -> None:
    """Take requests to stop, and end this process when its parent is gone."""
    poller = select.poll()
    poller.register(control, select.POLLIN)
    patience: float | None = None
    try:
        poller.register(os.pidfd_open(parent), select.POLLIN)
    except (AttributeError, OSError):
        patience = _PARENT_SECONDS * 1000
    # It may have ended before the descriptor was opened, and its number given to another
    while os.getppid() == parent:
        ready = [descriptor for descriptor, _ in poller.poll(patience)]
        if ready == [control]:
            data = os.read(control, STOP.size)
            if len(data) < STOP.size:
                break
            stops.stop(STOP.unpack(data)[0])
        elif ready:
            break
    # In the middle of whatever it does: nobody is there for the result
    os._exit(0)


def _flush() -> None:
    """Show what was printed, also by C and C++, which buffer on their own."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    _libc.fflush(None)


def _open(options: dict[str, Any]) -> Session:
    configure(**options["settings"])
    model = options["model"]
    # Found by the parent; nothing is to be compiled in a process that may be killed
    _libraries[model.key] = Path(options["library"])
    session = Session(
        model,
        options["device"],
        directory=options["directory"],
        keep_static_state=options["keep_static_state"],
    )
    # As the user knows the card; here it is the only one
    session.device = options["name"]
    return session


def _answer(session: Session, stops: _Stops, name: str, arguments: Any, options: Any) -> Any:
    if name in _RUNS:
        # Lent memory: it is copied once, on its way
        made = getattr(session, name)(*arguments, **options, view=True, progress=stops.progress)
        assert isinstance(made, RunResult)
        return pack_result(made)
    if name == "read":
        return session.read(*arguments, **options, view=True)
    if name in _CALLS:
        return getattr(session, name)(*arguments, **options)
    assert name in _ATTRIBUTES, name
    return getattr(session, name)


def _reply(
    session: Session | None, stops: _Stops, name: str, arguments: Any, options: Any
) -> tuple[str, Any]:
    try:
        if session is None:
            stops.session = _open(options)
            return "done", None
        return "done", _answer(session, stops, name, arguments, options)
    except Exception as error:
        return "failed", pack_error(error)
    finally:
        _flush()


def _serve(channel: Channel, stops: _Stops) -> None:
    number, name, arguments, options = channel.receive()
    while name != CLOSE:
        stops.begin(number)
        reply = _reply(stops.session, stops, name, arguments, options)
        try:
            packet = channel.prepare(reply)
        except (OSError, MemoryError) as error:
            packet = channel.prepare(("failed", pack_error(error)))
        # They may be large, and the next request may be long in coming
        del reply, arguments, options
        stops.begin(0)
        channel.transmit(packet)
        if stops.session is None:
            return
        number, name, arguments, options = channel.receive()
    if stops.session is not None:
        stops.session.close()


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent ends, even one that is stopped."""
    with contextlib.suppress(AttributeError):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(*, connection: int, block: int, control: int, parent: int, first_thread: bool) -> None:
    """Serve until the parent closes the connection or ends.

    Parameters
    ----------
    connection, block, control : int
        Descriptors: a socket, shared memory, and the pipe of requests to stop.
    parent : int
        Process number of the parent.
    first_thread : bool
        Whether the parent's first thread has started this process, which lives as long as the
        parent does.
    """
    if first_thread:
        # With any other thread this process would end when that thread does
        _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (connection, block, control):
        os.set_inheritable(descriptor, False)
    stops = _Stops()
    threading.Thread(target=_watch, args=(control, parent, stops), daemon=True).start()
    # Closed by the parent, or the parent is gone
    with contextlib.suppress(ChannelClosedError):
        _serve(Channel(socket.socket(fileno=connection), block), stops)
    _flush()
    # Without the end of the interpreter, which a driver or a thread of the model could hold up
    os._exit(0)
