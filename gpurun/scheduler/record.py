"""What a scheduler says about its work: run log, board for ``gpurun top``, warnings."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Mapping

from gpurun.meter import MemorySample
from gpurun.results import RunResult
from gpurun.runlog import RunLog
from gpurun.scheduler.jobs import Job
from gpurun.scheduler.seat import Seat
from gpurun.status_board import Board

#: What the user should hear of, once for each kind.
_WARNED = {"waiting for memory", "shrunk", "worker lost", "seat not opened", "memory exceeded"}


class Record:
    """Passes on what happens.

    Parameters
    ----------
    log : RunLog or None
    devices : sequence of str
    """

    def __init__(self, log: RunLog | None, devices: tuple[str, ...]) -> None:
        self.log = log
        self.board = Board(devices=devices)
        self.done = self.failed = self.retried = self.lost = 0
        self._total: int | None = None
        self._counting = threading.Lock()
        self._warned: set[str] = set()
        self._memory_at: dict[str, float] = {}
        self._memory: dict[str, int] = {}

    def event(self, what: str, text: str) -> None:
        """Something happened that is no stimulus."""
        if self.log is not None:
            self.log.event(what, text)
        if what == "worker lost":
            self.lost += 1
        if what in _WARNED and what not in self._warned:
            self._warned.add(what)
            # Where warnings are errors, this one must not end a session's thread
            with contextlib.suppress(RuntimeWarning):
                warnings.warn(f"gpurun: {what}: {text}", RuntimeWarning, stacklevel=2)

    def memory(self, device: str, sample: MemorySample) -> None:
        """The memory of a device was looked at."""
        if sample.used is None or self._memory_at.get(device) == sample.time:
            return
        self._memory_at[device] = sample.time
        self._memory[device] = sample.used
        if self.log is not None:
            self.log.memory(device, sample.used, own=sample.own, total=sample.total)

    def stimulus(
        self,
        job: Job,
        seat: Seat,
        began: float,
        queue_time: float,
        result: RunResult | None,
        error: BaseException | None,
    ) -> None:
        """A stimulus was tried. `began` as `time.time`."""
        if error is None:
            with self._counting:
                self.done += 1
        if self.log is None:
            return
        times = {
            name: getattr(result, name)
            for name in ("upload_time", "reset_time", "loop_time", "read_time")
            if result is not None
        }
        self.log.stimulus(
            job.number,
            seat=seat.number,
            device=seat.device,
            began=began,
            wall_time=time.time() - began,
            attempt=job.attempts,
            queue_time=queue_time,
            memory=self._memory.get(seat.device),
            seed=job.options.get("seed"),
            ok=error is None,
            error=None if error is None else f"{type(error).__name__}: {error}",
            **times,
        )

    def expect(self, count: int | None) -> None:
        """That many stimuli are coming; None: nobody knows how many."""
        known = count is not None and (self._total is not None or not self.done)
        self._total = self.done + self.failed + (count or 0) if known else None

    def failure(self) -> None:
        """A stimulus is given up."""
        with self._counting:
            self.failed += 1

    def retry(self) -> None:
        """A stimulus is run again."""
        with self._counting:
            self.retried += 1

    def show(self, seats: Mapping[str, int]) -> None:
        """Tell the board."""
        self.board.update(
            done=self.done,
            failed=self.failed,
            total=self._total,
            seats=dict(seats),
            memory=dict(self._memory),
        )

    def close(self) -> None:
        """The work is over."""
        self.board.close()
