"""What ``gpurun report`` draws, as arrays: no library for pictures is needed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpurun.cli.report_numbers import known
from gpurun.runlog import MemoryEntry, StimulusEntry

Floats = NDArray[np.float64]

#: The parts of a stimulus, in the order in which they are drawn.
PHASES = ("reset", "upload", "loop", "read", "other", "failed")


@dataclass(frozen=True)
class Spans:
    """Intervals of time in seconds, each of shape (n,)."""

    start: Floats
    length: Floats


def phases(stimuli: Sequence[StimulusEntry], origin: float) -> dict[str, Spans]:
    """When each phase of `stimuli` went on, as seconds after `origin`.

    The log says how long a phase took. They are laid end to end; what is left of the wall time is
    ``other``. An attempt that failed is ``failed`` as a whole.

    Returns
    -------
    dict of str to Spans
        By the names in `PHASES`; intervals of no length are left out.
    """
    start = np.array([entry.began - origin for entry in stimuli])
    wall = np.array([known(entry.wall_time) for entry in stimuli])
    ok = np.array([entry.ok for entry in stimuli], dtype=bool)
    found: dict[str, Spans] = {}
    at = np.zeros(len(stimuli))
    for name in ("reset", "upload", "loop", "read"):
        times = np.array([known(getattr(entry, f"{name}_time")) for entry in stimuli])
        # What was staged during the stimulus before is no part of this one's wall time
        times = np.where(ok, np.minimum(times, wall - at), 0.0)
        found[name] = Spans(start + at, times)
        at = at + times
    found["other"] = Spans(start + at, np.where(ok, wall - at, 0.0))
    found["failed"] = Spans(start, np.where(ok, 0.0, wall))
    return {
        name: Spans(
            found[name].start[found[name].length > 0], found[name].length[found[name].length > 0]
        )
        for name in PHASES
    }


def coverage(spans: Spans, edges: Floats) -> Floats:
    """The part of each bin that `spans` cover; intervals that overlap count twice.

    Parameters
    ----------
    spans : Spans
    edges : array
        Shape (bins + 1,), ascending.

    Returns
    -------
    array
        Shape (bins,).
    """

    def before(moments: Floats) -> Floats:
        """Sum of max(edge - moment, 0) for each edge."""
        moments = np.sort(moments)
        sums = np.concatenate(([0.0], np.cumsum(moments)))
        count = np.searchsorted(moments, edges)
        return count * edges - sums[count]

    covered = before(spans.start) - before(spans.start + spans.length)
    return np.clip(np.diff(covered) / np.diff(edges), 0.0, None)


def throughput(
    stimuli: Sequence[StimulusEntry], origin: float, end: float
) -> tuple[Floats, Floats]:
    """Stimuli that succeeded per second, over time.

    Returns
    -------
    rates : array
        Shape (bins,).
    edges : array
        Shape (bins + 1,), seconds after `origin`.
    """
    ended = np.array([e.began - origin + known(e.wall_time) for e in stimuli if e.ok])
    # About ten stimuli in a bin, so that the rate says something
    bins = int(np.clip(len(ended) // 10, 1, 120))
    edges = np.linspace(0.0, max(end - origin, 1e-9), bins + 1)
    # Rounding must not lose the last one.
    counts, _ = np.histogram(np.clip(ended, 0.0, edges[-1]), edges)
    return counts / np.diff(edges), edges


def memory_lines(
    entries: Sequence[MemoryEntry], origin: float, most: int = 2000
) -> dict[str, dict[str, tuple[Floats, Floats]]]:
    """Memory over time, by device and by ``used``, ``own`` and ``total``.

    Parameters
    ----------
    entries : sequence of MemoryEntry
    origin : float
        From where the time counts.
    most : int, optional
        Points of a line at most; of each stretch of a longer one the largest is kept, so that no
        peak is lost.

    Returns
    -------
    dict
        Seconds and bytes, for what is known.
    """
    lines: dict[str, dict[str, tuple[Floats, Floats]]] = {}
    for device in sorted({entry.device for entry in entries}):
        own = sorted((e for e in entries if e.device == device), key=lambda entry: entry.time)
        lines[device] = {}
        for part in ("used", "own", "total"):
            points = [
                (entry.time - origin, getattr(entry, part))
                for entry in own
                if getattr(entry, part) is not None
            ]
            if points:
                times, values = np.array(points, dtype=float).T
                lines[device][part] = _peaks(times, values, most)
    return lines


def _peaks(times: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    if len(times) <= most:
        return times, values
    edges = np.linspace(0, len(times), most + 1).astype(int)[:-1]
    pieces = zip(edges, [*edges[1:], len(times)], strict=True)
    kept = [first + int(np.argmax(values[first:last])) for first, last in pieces]
    return times[kept], values[kept]
