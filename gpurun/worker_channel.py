"""Messages between two processes: a socket for what is small, shared memory for arrays.

Each side sends in turn, so that one block of memory serves both directions: whoever has
received a message has copied everything out of it. See ``docs/design/workers.md``.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Arrays with fewer bytes travel in the message itself.
INLINE_BYTES = 16 * 1024
#: What a block may keep between messages; more is given back to the system after each.
KEPT_BYTES = 64 * 1024**2
# The most that Linux moves in one call is a little less than 2 GiB
_PIECE = 1024**3
# Bytes of the pickle in the message, bytes of it in the block, number of arrays in the block
_HEADER = struct.Struct("<QQQ")
_LENGTH = struct.Struct("<Q")


class ChannelClosedError(Exception):
    """The other side is gone. For the modules of workers only."""


@dataclass(frozen=True)
class Packet:
    """A message that is ready to be sent: bytes for the socket; the rest lies in the block."""

    data: bytes


def new_block() -> int:
    """File descriptor of an empty block of shared memory that has no name.

    Whatever happens to the processes that have it open, nothing of it is left behind.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gpurun-worker", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix="gpurun-worker-") as file:
        return os.dup(file.fileno())


class Channel:
    """One end of a connection. One thread at a time, and the two sides in turn.

    Parameters
    ----------
    connection : socket
        A connected stream socket.
    block : int
        Descriptor of the block, from `new_block`, that both sides have open.
    """

    def __init__(self, connection: socket.socket, block: int) -> None:
        self.connection = connection
        self.block = block

    def close(self) -> None:
        """Close this end; closing twice is allowed."""
        self.connection.close()
        block, self.block = self.block, -1
        if block >= 0:
            os.close(block)

    # -- sending --------------------------------------------------------------

    def prepare(self, message: Any) -> Packet:
        """Pickle `message` and put what is large into the block. Nothing is sent yet.

        Raises
        ------
        Exception
            What pickle says of a message that cannot be pickled, or OSError where there is not
            enough memory. The other side has noticed nothing.
        """
        large: list[memoryview] = []

        def keep_inside(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < INLINE_BYTES:
                return True
            large.append(view)
            return False

        body = pickle.dumps(message, protocol=5, buffer_callback=keep_inside)
        lengths = [view.nbytes for view in large]
        inline = body
        if len(body) >= INLINE_BYTES:
            # The socket's own buffer holds the rest, so that sending never waits
            large.append(memoryview(body))
            inline = b""
        position = 0
        for view in large:
            _write(self.block, view, position)
            position += view.nbytes
        head = _HEADER.pack(len(inline), 0 if inline else len(body), len(lengths))
        return Packet(b"".join([head, *map(_LENGTH.pack, lengths), inline]))

    def transmit(self, packet: Packet) -> None:
        """Send what `prepare` has made.

        Raises
        ------
        ChannelClosedError
        """
        try:
            self.connection.sendall(packet.data)
        except OSError as error:
            raise ChannelClosedError from error

    def send(self, message: Any) -> None:
        """Both of it."""
        self.transmit(self.prepare(message))

    # -- receiving ------------------------------------------------------------

    def receive(self, wait: Callable[[], None] | None = None) -> Any:
        """Wait for a message and return it. Its arrays are copies, read-only where they were.

        Parameters
        ----------
        wait : callable, optional
            Called before each read; returns when there is something to read, or raises.

        Raises
        ------
        ChannelClosedError
            The other side is gone.
        """
        inline, outside, count = _HEADER.unpack(self._exactly(_HEADER.size, wait))
        lengths = [int(_LENGTH.unpack(self._exactly(_LENGTH.size, wait))[0]) for _ in range(count)]
        body: Any = self._exactly(inline, wait)
        position = 0
        buffers = []
        for length in lengths:
            buffers.append(_read(self.block, length, position))
            position += length
        if outside:
            body = _read(self.block, outside, position)
            position += outside
        if position > KEPT_BYTES:
            os.ftruncate(self.block, KEPT_BYTES)
        return pickle.loads(body, buffers=buffers)

    def _exactly(self, size: int, wait: Callable[[], None] | None) -> bytes:
        parts: list[bytes] = []
        while size:
            if wait is not None:
                wait()
            try:
                part = self.connection.recv(size)
            except OSError as error:
                raise ChannelClosedError from error
            if not part:
                raise ChannelClosedError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _write(block: int, view: memoryview, position: int) -> None:
    done = 0
    while done < view.nbytes:
        done += os.pwrite(block, view[done : done + _PIECE], position + done)


def _read(block: int, length: int, position: int) -> np.ndarray:
    # Not a bytearray, which would be filled with zeros first
    buffer = np.empty(length, np.uint8)
    view = memoryview(buffer)
    done = 0
    while done < length:
        got = os.preadv(block, [view[done : done + _PIECE]], position + done)
        if not got:
            raise ChannelClosedError(f"the block ends at {position + done} bytes")
        done += got
    return buffer
