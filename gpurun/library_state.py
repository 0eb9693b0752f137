"""The calls of a model library that store, restore and take apart its state (docs/abi.md)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from enum import IntEnum

import numpy as np

from gpurun.library import Library
from gpurun.state import QueueContents


class EventSpaces(IntEnum):
    """What `event_spaces` is asked to do."""

    ASK = 0
    SHOW = 1
    KEEP = 2
    FORGET = 3


def _ids(numbers: Sequence[int]) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)


def store(library: Library, name: str, numbers: Sequence[int]) -> None:
    """Keep these variables, and all else that a run can change, under a name."""
    library.call("store", name.encode(), _ids(numbers), len(numbers))


def restore(library: Library, name: str, keep: Sequence[int] = (), *, random: bool = True) -> None:
    """Put back what was stored, except for the variables in `keep`."""
    library.call("restore", name.encode(), _ids(keep), len(keep), int(random))


def forget(library: Library, name: str) -> None:
    """Free what was stored."""
    library.call("forget", name.encode())


def queue(library: Library, pathway: int) -> QueueContents:
    """Spikes in flight on a pathway, by its number in the manifest."""
    count = ctypes.c_int64()
    steps = synapses = np.empty(0, np.int32)
    while True:
        library.call(
            "queue",
            pathway,
            steps.size,
            steps.ctypes.data,
            synapses.ctypes.data,
            ctypes.byref(count),
        )
        if count.value <= steps.size:
            return QueueContents(steps[: count.value], synapses[: count.value])
        steps, synapses = np.empty(count.value, np.int32), np.empty(count.value, np.int32)


def set_queue(library: Library, pathway: int, contents: QueueContents) -> None:
    """Replace the spikes in flight on a pathway."""
    steps = np.ascontiguousarray(contents.steps, np.int32)
    synapses = np.ascontiguousarray(contents.synapses, np.int32)
    library.call("set_queue", pathway, steps.size, steps.ctypes.data, synapses.ctypes.data)


def networks(library: Library) -> Iterator[tuple[str, float, float]]:
    """(name, model time, what that number lacks to the exact sum of durations)."""
    name, t, rest = ctypes.c_char_p(), ctypes.c_double(), ctypes.c_double()
    number = 0
    while library.ask("network", number, *map(ctypes.byref, (name, t, rest))) == 0:
        yield (name.value or b"").decode(), t.value, rest.value
        number += 1


def set_network(library: Library, number: int, t: float, rest: float) -> None:
    """Set the model time of a network."""
    library.call("set_network", number, t, rest)


def event_spaces(library: Library, what: EventSpaces) -> bool:
    """Say whether the last step has left event spaces, and put them where `what` says."""
    present = ctypes.c_int32()
    library.call("event_spaces", int(what), ctypes.byref(present))
    return bool(present.value)


def event_space_numbers(library: Library) -> list[int]:
    """Numbers of the variables that are such event spaces."""
    found: list[int] = []
    while (number := library.ask("event_space", len(found))) >= 0:
        found.append(number)
    return found
