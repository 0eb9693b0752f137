"""The process of a worker as its parent sees it: started, listened to, ended, never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping

from gpurun.errors import WorkerError
from gpurun.worker_channel import Channel, ChannelClosedError, new_block
from gpurun.worker_output import Relay

#: Seconds a worker has to end by itself, and then after SIGTERM, before it is killed.
CLOSE_SECONDS = 5.0
TERMINATE_SECONDS = 1.0
#: Seconds until the system has removed a killed process. One that waits for a broken driver
#: cannot be killed, and is left alone then.
KILL_SECONDS = 5.0
#: A message of `tell_stop`: the number of the call that is to stop.
STOP = struct.Struct("<Q")
#: The request after which a worker ends.
CLOSE = "close"
_SHOWN_LINES = 10

# Nothing but this decides what the worker imports: not its directory, nor the user's script
_BOOT = """\
import json, sys
options = json.loads(sys.argv[1])
sys.path[:] = options.pop("path")
from gpurun.worker_main import main
main(**options)
"""

_living: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()


class WorkerProcess:
    """A started worker, the connection to it, and all that has to be given back.

    Parameters
    ----------
    name : str
        Of the device, for messages.
    environment : mapping of str to str

    Attributes
    ----------
    channel : Channel
    in_flight : bool
        Whether a request has been sent whose reply has not been received.
    closing : bool
        Whether its end is wanted.

    Raises
    ------
    WorkerError
        The process cannot be started.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.in_flight = self.closing = False
        self._owner = os.getpid()
        self._lock = threading.RLock()
        with contextlib.ExitStack() as on_failure:
            ours, theirs = socket.socketpair()
            block = new_block()
            self.channel = Channel(ours, block)
            on_failure.callback(self.channel.close)
            listening, self._control = os.pipe()
            on_failure.callback(os.close, self._control)
            # A worker that does not read must not make its parent wait
            os.set_blocking(self._control, False)
            options = {
                "path": [entry for entry in sys.path if isinstance(entry, str)],
                "connection": theirs.fileno(),
                "block": block,
                "control": listening,
                "parent": os.getpid(),
                "first_thread": threading.get_native_id() == os.getpid(),
            }
            try:
                self.popen = subprocess.Popen(
                    [sys.executable, "-P", "-c", _BOOT, json.dumps(options)],
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env=dict(environment),
                    pass_fds=(theirs.fileno(), block, listening),
                    # Ctrl-C in the terminal is for the parent
                    start_new_session=True,
                )
            except (OSError, TypeError, ValueError) as error:
                raise WorkerError(
                    f"No process could be started for a session on '{name}': {error}.",
                    exitcode=None,
                    signal=None,
                ) from error
            finally:
                theirs.close()
                os.close(listening)
            on_failure.pop_all()
        assert self.popen.stderr is not None
        self.pid = self.popen.pid
        self._relay = Relay(self.popen.stderr)
        self._pidfd = _pidfd(self.pid)
        self._poller = select.poll()
        self._poller.register(ours, select.POLLIN)
        if self._pidfd is not None:
            self._poller.register(self._pidfd, select.POLLIN)
        _living.add(self)

    # -- while it lives -------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._owner == os.getpid() and self.popen.poll() is None

    def readable(self, seconds: float) -> bool:
        """Wait for a message; False if there is none after some seconds.

        Raises
        ------
        ChannelClosedError
            The process has ended, and there is no message.
        """
        ready = dict(self._poller.poll(max(seconds, 0.0) * 1000))
        if self.channel.connection.fileno() in ready:
            return True  # perhaps the end, which receiving tells
        if self._pidfd in ready:
            # It may have sent its last words after the socket was looked at
            if any(fd != self._pidfd for fd, _ in self._poller.poll(0)):
                return True
            raise ChannelClosedError
        return False

    def tell_stop(self, number: int) -> None:
        """Ask it to stop its call of this number, if it is still at it. Usable from everywhere."""
        with self._lock:
            if self._control >= 0:
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    os.write(self._control, STOP.pack(number))

    # -- its end --------------------------------------------------------------

    def kill(self) -> None:
        """End it at once. Whoever waits for it notices."""
        if self._owner == os.getpid():
            self.popen.kill()

    def end(self, *, politely: bool) -> None:
        """End the process and give everything back; in bounded time, and twice if need be.

        Parameters
        ----------
        politely : bool
            Let it close its session first, if it is idle.
        """
        if self._owner != os.getpid():
            self.forget()
            return
        if self.popen.poll() is None and politely and not self.in_flight:
            with contextlib.suppress(ChannelClosedError, OSError):
                self.channel.send((0, CLOSE, (), {}))
                self._wait(CLOSE_SECONDS)
            if self.popen.poll() is None:
                self.popen.terminate()
                self._wait(TERMINATE_SECONDS)
        if self.popen.poll() is None:
            self.popen.kill()
            self._wait(KILL_SECONDS)
        self._release()

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)

    def _release(self) -> None:
        """Close what belongs to this process; nobody waits for the worker any more."""
        with self._lock:
            control, self._control = self._control, -1
            pidfd, self._pidfd = self._pidfd, None
        self.channel.close()
        for descriptor in (control, pidfd):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self._relay.close()

    def forget(self) -> None:
        """In a process that was forked from the parent: let go of it, and leave it alone."""
        self._lock = threading.RLock()
        # Else the object would say that its process was left behind
        self.popen.returncode = 0
        self._relay.abandon()
        control, self._control = self._control, -1
        pidfd, self._pidfd = self._pidfd, None
        self.channel.close()
        for descriptor in (control, pidfd):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)

    def obituary(self, doing: str) -> WorkerError:
        """End what is left of it, and say how it ended.

        Parameters
        ----------
        doing : str
            What it was asked for, such as ``"run()"``.
        """
        self._wait(CLOSE_SECONDS)
        by_itself = self.popen.poll() is not None
        self.end(politely=False)
        code = self.popen.returncode
        how, exitcode, name = "closed its connection and was killed", None, None
        if by_itself and code is not None:
            how, exitcode, name = _ending(code)
        said = self._relay.tail(_SHOWN_LINES)
        words = f" Its last lines on stderr:\n{said}" if said else ""
        return WorkerError(
            f"The process {self.pid} of a session on '{self.name}' {how} during {doing}. "
            f"What the session held is lost; open a new one.{words}",
            exitcode=exitcode,
            signal=name,
        )


def _ending(code: int) -> tuple[str, int | None, str | None]:
    """How a process with this return code ended: in words, its exit code, its signal."""
    if code >= 0:
        return f"ended with exit code {code}", code, None
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    description = signal.strsignal(-code)
    how = f"was ended by {name}" + (f" ({description})" if description else "")
    if -code == signal.SIGKILL:
        how += ", which somebody sent, or the system for lack of memory,"
    return how, None, name


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, where the system has that."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _after_fork() -> None:
    # A copy of the socket in the child would hide from the worker that its parent has ended
    for process in list(_living):
        process.forget()
    _living.clear()


os.register_at_fork(after_in_child=_after_fork)


def shut(process: WorkerProcess) -> None:
    """End a process politely; what `weakref.finalize` calls."""
    process.closing = True
    process.end(politely=True)
