"""The calls of a model library that hand over what monitors have recorded (docs/abi.md)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from gpurun.errors import SimulationError
from gpurun.library import FULL, Library


def add_stream(library: Library, counter: int, arrays: Sequence[int], rows: int) -> int:
    """Have these variables handed over whenever `rows` are recorded; returns the number."""
    ids = (ctypes.c_int64 * len(arrays))(*arrays)
    number = library.ask("stream", counter, ids, len(arrays), rows)
    if number < 0:
        raise SimulationError(
            f"The monitor with the counter {counter} cannot be streamed.", status=3, call="stream"
        )
    return number


def clear_streams(library: Library) -> None:
    """Hand nothing over any more."""
    library.ask("stream", 0, None, 0, 0)


def empty_stream(library: Library, number: int) -> None:
    """Empty a monitor whose rows were read outside of a run."""
    library.call("empty_stream", number)


def when_full(library: Library, take: Callable[[int], bool] | None) -> None:
    """Call `take` with the number of a stream that has its rows; a true result ends the run."""
    callback = FULL() if take is None else FULL(lambda number: int(bool(take(number))))
    library.tell("when_full", callback)
    # The library calls it until it is told another
    library.kept_alive["when_full"] = callback
