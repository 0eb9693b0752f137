"""A thread that measures memory all the time."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Self

import numpy as np

from gpurun.errors import ConfigError
from gpurun.meter_types import MemorySample, Meter, Peak, Timeline
from gpurun.reporting import wall_seconds

# A driver that hangs must not hang what ends (seconds).
_PATIENCE = 5.0


class Sampler:
    """Measures in the background, and keeps the newest samples.

    A sampler starts with its `with` block or with `start`. An error of the meter does not end it:
    `error` tells of the last one, and the next sample is tried as usual. In a process that this
    one forks there is no thread, and nothing has been measured.

    Parameters
    ----------
    meter : Meter
    period : float, optional
        Wall time from the end of one sample to the next one in seconds.
    keep : int, optional
        How many samples are kept for `timeline`. The peak is that of all.

    Raises
    ------
    ConfigError, UnitMismatchError
        `period` is no positive number of seconds, or `keep` no positive integer.
    """

    def __init__(self, meter: Meter, period: float = 0.2, keep: int = 4096) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ConfigError(f"keep is a number of samples, not {keep!r}.", name="keep")
        self.meter = meter
        self.period = wall_seconds("period", period)
        self.keep = keep
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # for what was measured
        self._measuring = threading.Lock()  # so that samples stay in the order of time
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._rows = np.empty((self.keep, 5))
        self._count = 0
        self._latest: MemorySample | None = None
        self._peak = Peak()
        self._error: Exception | None = None

    def _here(self) -> None:
        # In a forked child the thread is gone, and may have held a lock.
        if self._pid != os.getpid():
            self._forget()
            self._stop.set()

    # -- The thread ------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to measure. Without effect once it has begun or ended, and in a forked child."""
        forked = self._pid != os.getpid()
        self._here()
        if self._thread is None and not forked and not self._stop.is_set():
            self._thread = threading.Thread(
                target=_measure,
                args=(weakref.ref(self), self._stop, self.period),
                name=f"gpurun memory of {self.meter.device}",
                daemon=True,
            )
            # A sampler that is forgotten ends, too.
            weakref.finalize(self, self._stop.set).atexit = False
            self._thread.start()
        return self

    @property
    def running(self) -> bool:
        """Whether it measures in the background."""
        self._here()
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Take a last sample and end the thread. What was measured can still be read."""
        self._here()
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- What was measured -----------------------------------------------------------

    def sample(self) -> MemorySample | None:
        """Measure now, in this thread, beside the period; None if that failed (see `error`)."""
        self._here()
        with self._measuring:
            try:
                found = self.meter.sample()
            except Exception as error:
                self._error = error
                return None
            figures = (found.time, found.total, found.used, found.free, found.own)
            with self._lock:
                row: Any = [np.nan if figure is None else figure for figure in figures]
                self._rows[self._count % self.keep] = row
                self._count += 1
                self._latest = found
                self._peak = self._peak.joined(found)
            return found

    @property
    def latest(self) -> MemorySample | None:
        """The newest sample, or None."""
        self._here()
        return self._latest

    @property
    def error(self) -> Exception | None:
        """What the meter raised last, or None."""
        self._here()
        return self._error

    @property
    def peak(self) -> Peak:
        """The largest values since the beginning or the last `reset`."""
        self._here()
        return self._peak

    def reset(self) -> None:
        """Begin with a new peak. The time line stays. Measures nothing, so that it is quick."""
        self._here()
        with self._lock:
            self._peak = Peak()

    def timeline(self, since: float | None = None, until: float | None = None) -> Timeline:
        """The samples that were kept, the oldest first.

        Parameters
        ----------
        since, until : float, optional
            Only those from one time to another, in seconds since the epoch: of one run, say.
        """
        self._here()
        with self._lock:
            begin = self._count % self.keep if self._count > self.keep else 0
            rows = np.roll(self._rows[: self._count], -begin, axis=0)
        inside = np.ones(len(rows), bool)
        if since is not None:
            inside &= rows[:, 0] >= since
        if until is not None:
            inside &= rows[:, 0] <= until
        return Timeline(*rows[inside].T.copy())


def _measure(sampler: weakref.ref[Sampler], stop: threading.Event, period: float) -> None:
    last = False
    while not last:
        last = stop.is_set()
        measuring = sampler()
        if measuring is None:
            return
        measuring.sample()
        del measuring
        if not last:
            stop.wait(period)
