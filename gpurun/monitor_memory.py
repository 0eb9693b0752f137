"""Whether what monitors are going to record fits into the memory."""

from __future__ import annotations

import math
from collections.abc import Collection

from gpurun.errors import MonitorMemoryError
from gpurun.instance import Instance
from gpurun.model import Manifest
from gpurun.process import available_memory

#: Fewer bytes fit into any machine, and looking takes its time.
WORTH_A_LOOK = 2**26


def row_bytes(manifest: Manifest, monitor: str) -> int:
    """Bytes of one event, or one time step, of a monitor."""
    total = 0
    for info in manifest.variables:
        if info.kind != "array" and info.name in manifest.monitors[monitor]:
            columns = info.shape[1] if info.kind == "dynamic2d" else 1
            total += columns * info.numpy_dtype.itemsize
    return total


def needed_bytes(manifest: Manifest, seconds: float, streamed: Collection[str]) -> dict[str, int]:
    """Bytes that monitors of every time step are going to need, by monitor.

    How many events there will be nobody knows.
    """
    found = {}
    for monitor, clock in manifest.monitor_clocks.items():
        dt = manifest.clocks.get(clock, math.nan)
        if monitor in streamed or not dt > 0:
            continue
        found[monitor] = math.ceil(seconds / dt) * row_bytes(manifest, monitor)
    return found


def bytes_per_second(manifest: Manifest) -> float:
    """Bytes that monitors of every time step need for a second of model time."""
    return sum(
        row_bytes(manifest, monitor) / manifest.clocks[clock]
        for monitor, clock in manifest.monitor_clocks.items()
        if manifest.clocks.get(clock, math.nan) > 0
    )


def check_monitors(
    instance: Instance, seconds: float, *, streamed: Collection[str], goes_on: bool
) -> None:
    """Refuse a run whose monitors would not fit.

    Raises
    ------
    MonitorMemoryError
        With the sizes.
    """
    manifest = instance.model.manifest
    sizes = needed_bytes(manifest, seconds, streamed)
    needed = sum(sizes.values())
    if needed < WORTH_A_LOOK:
        return
    free = instance.free_memory() if manifest.backend == "cuda" else available_memory()
    if free is not None and not goes_on:
        # What the last run has recorded is used again
        free += sum(instance.recorded_bytes(monitor) for monitor in sizes)
    if free is None or needed <= free:
        return
    lines = [f"  {name}: {_text(size)}" for name, size in sorted(sizes.items()) if size]
    where = "on the card" if manifest.backend == "cuda" else "in the memory of this machine"
    raise MonitorMemoryError(
        "\n".join(
            [
                f"What monitors would record in {seconds:g} s does not fit: {_text(needed)} are "
                f"needed, {_text(free)} are free {where}.",
                *lines,
                "Stream them to a file (session.stream(monitor, path)), record fewer elements or "
                "less often (StateMonitor(..., dt=...)), or run in pieces with advance().",
            ]
        ),
        needed=needed,
        free=free,
        monitors=sizes,
    )


def _text(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
