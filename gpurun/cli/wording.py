"""Times and sizes as people write them, and what gpurun says about a script."""

from __future__ import annotations

import sys

from gpurun.cli.tally import Tally


def say(message: str) -> None:
    """Print a message of gpurun; stderr, because stdout is the script's."""
    print(f"gpurun: {message}", file=sys.stderr, flush=True)


def seconds(value: float) -> str:
    """Write a time in seconds: ``0.034 s``, ``12.3 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if value < 0.0005:
        return "0 s"
    if value < 1:
        return f"{value:.3f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    if value < 3599.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest:02d} s"
    hours, rest = divmod(round(value / 60), 60)
    return f"{hours} h {rest:02d} min"


def size(count: float) -> str:
    """Write a number of bytes: ``512 B``, ``1.5 MiB``."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024 or unit == "GiB":
            return f"{count:.1f} {unit}"
    raise AssertionError("unreachable")


def number(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def closing_line(tally: Tally, wall_time: float, *, interrupted: bool = False) -> str:
    """Say in one line what was done.

    Parameters
    ----------
    tally : Tally
        What was counted.
    wall_time : float
        Seconds from the start of the script to its end.
    interrupted : bool, optional
        Whether Ctrl-C ended the script.
    """
    parts: list[str] = []
    if tally.runs:
        early = f" ({tally.stopped} ended early)" if tally.stopped else ""
        parts.append(f"{number(tally.runs, 'run')}{early}")
        parts.append(f"{seconds(tally.model_time)} of model time")
    else:
        parts.append("no run was finished")
    running = f" ({seconds(tally.run_time)} in runs)" if tally.runs else ""
    parts.append(f"{seconds(wall_time)} of wall time{running}")
    if tally.builds:
        if tally.cached == tally.builds:
            source = " (from the cache)"
        elif tally.cached:
            source = f" ({number(tally.builds, 'build')}, {tally.cached} from the cache)"
        else:
            source = "" if tally.builds == 1 else f" ({tally.builds} builds)"
        parts.append(f"build {seconds(tally.build_time)}{source}")
    text = ", ".join(parts)
    return f"interrupted; {text}" if interrupted else text
