"""Seats that take jobs from one queue, as many as fit and are of use, whatever happens to them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, InvalidStateError, wait
from contextlib import suppress
from enum import Enum, auto

import numpy as np

from gpurun.errors import DeviceMemoryError, ScheduleError, WorkerError, WorkerTimeoutError
from gpurun.model import Model
from gpurun.scheduler.admission import Admission
from gpurun.scheduler.jobs import Job
from gpurun.scheduler.policy import Policy
from gpurun.scheduler.record import Record
from gpurun.scheduler.seat import CRASHES, Seat, lost_session, open_seat, stop_or_kill
from gpurun.scheduler.tuning import Tuner

_LOOK_AGAIN = 0.2
#: Seconds that a session given up has to show its effect on the memory.
_SETTLE = 0.5


class _Then(Enum):
    """What a seat does after a stimulus."""

    GO_ON = auto()
    REOPEN = auto()
    LEAVE = auto()


class Engine:
    """Runs jobs on seats, each in a thread of its own.

    Parameters
    ----------
    model : Model
    policy : Policy
    admission : Admission
    record : Record
    start : mapping of str to ndarray
        What runs begin with.
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        admission: Admission,
        record: Record,
        start: Mapping[str, np.ndarray],
    ) -> None:
        self.policy = policy
        self.tuner = Tuner(policy.most)
        if policy.replicas is not None:
            self.tuner.wanted, self.tuner.settled = policy.most, True
        self._model = model
        self._admission = admission
        self._record = record
        self._start, self._version = dict(start), 0
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        #: By number; None while it is being opened. Each of them serves, or is taken out of here
        #: by its own thread, which sees to it that no job is left behind.
        self._seats: dict[int, Seat | None] = {}
        self._devices: dict[int, str] = {}
        self._threads: list[threading.Thread] = []
        self._number = 0
        self._opening = threading.Lock()
        self._closing = False
        self._fatal: BaseException | None = None
        #: Seats that stand back, and when the last was given up, for lack of memory.
        self._standing: set[int] = set()
        self._leaving: set[int] = set()
        self._shrunk_at = -_SETTLE

    # -- from outside -----------------------------------------------------------

    def submit(self, job: Job) -> Job:
        """Put a job into the queue.

        Raises
        ------
        ScheduleError
            The engine has been closed, or has lost what it needs.
        """
        with self._changed:
            if self._closing:
                raise ScheduleError("The scheduler has been closed.", index=job.index, attempts=0)
            if self._fatal is not None:
                raise self._gone(job)
            job.queued = time.perf_counter()
            if not self._jobs and not any(s is not None and s.job for s in self._seats.values()):
                # Nothing was to be done: that was not slow
                self.tuner.rest()
            self._jobs.append(job)
            self._grow()
            # All, because one may stand back
            self._changed.notify_all()
        return job

    def cancel(self, jobs: list[Job]) -> None:
        """Take jobs back. Those that are at work are stopped, and waited for."""
        wanted = {id(job) for job in jobs}
        with self._changed:
            for job in jobs:
                job.abandoned = True
            for job in [job for job in self._jobs if id(job) in wanted]:
                self._jobs.remove(job)
                _cancel(job)
        futures = [job.future for job in jobs]
        self._stop(lambda: not wait(futures, 0.05).not_done, lambda job: id(job) in wanted)

    def _stop(self, over: Callable[[], bool], meant: Callable[[Job], bool]) -> None:
        """Stop runs until it is `over`, which may wait a moment.

        Again and again: a request is lost if it comes just before the run begins.
        """
        began = time.monotonic()
        while True:
            with self._changed:
                seats = [seat for seat in self._seats.values() if seat is not None]
            for seat in seats:
                job = seat.job
                if job is not None and meant(job):
                    stop_or_kill(seat, time.monotonic() - began)
            if over():
                return

    def restart(self, start: Mapping[str, np.ndarray]) -> None:
        """Let runs begin with other values from now on."""
        with self._changed:
            self._start = dict(start)
            self._version += 1

    @property
    def seats(self) -> dict[str, int]:
        """Sessions that are open, by device."""
        with self._changed:
            return dict(Counter(seat.device for seat in self._seats.values() if seat is not None))

    def close(self) -> None:
        """Stop what is at work, forget what waits, and give everything back."""
        with self._changed:
            self._closing = True
            for job in self._jobs:
                _cancel(job)
            self._jobs.clear()
            for seat in self._seats.values():
                if seat is not None and (job := seat.job) is not None:
                    job.abandoned = True
            threads = list(self._threads)
            self._changed.notify_all()

        def over() -> bool:
            alive = [thread for thread in threads if thread.is_alive()]
            for thread in alive[:1]:
                thread.join(0.05)
            return not alive

        self._stop(over, lambda job: True)

    # -- opening seats ----------------------------------------------------------

    def _grow(self) -> None:
        """Open a seat if it is wanted and fits. The lock is held."""
        while self._jobs and len(self._seats) < self.tuner.wanted and not self._closing:
            device = self._device_for_next()
            if device is None:
                if self.policy.replicas is None:
                    self.tuner.limit(len(self._seats))
                return
            self._number += 1
            number = self._number
            self._seats[number] = None
            self._devices[number] = device
            thread = threading.Thread(
                target=self._serve, args=(number, device), name=f"gpurun-seat-{number}", daemon=True
            )
            self._threads = [other for other in self._threads if other.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _device_for_next(self) -> str | None:
        taken = Counter(self._devices[number] for number in self._seats)
        # What they will take cannot be measured yet
        coming = Counter(self._devices[n] for n, seat in self._seats.items() if seat is None)
        for device in sorted(self.policy.devices, key=lambda name: taken[name]):
            if not self._seats or self.policy.replicas is not None:
                return device
            if self._admission.fits(device, coming[device]):
                return device
        return None

    def _open(self, number: int, device: str) -> Seat:
        # One at a time, so that what each takes can be told
        with self._opening:
            with self._changed:
                start, version = self._start, self._version
            self._admission.opening(device)
            seat = open_seat(number, self._model, device, self.policy.isolation, start)
            seat.version = version
            if said := self._admission.opened(device):
                self._record.event("estimate corrected", said)
        self._record.event("seat opened", f"session {number} on {seat.device}")
        with self._changed:
            self._seats[number] = seat
            self.tuner.restart()
        return seat

    # -- one seat's thread ------------------------------------------------------

    def _serve(self, number: int, device: str) -> None:
        seat: Seat | None = None
        job: Job | None = None
        try:
            seat = self._open(number, device)
            while (job := self._take(number, seat)) is not None:
                then = self._run(seat, job)
                job = None
                if then is _Then.LEAVE:
                    break
                if then is _Then.REOPEN:
                    with self._changed:
                        self._seats[number] = None
                    seat.close()
                    seat = self._open(number, device)
        except BaseException as error:
            if job is not None and not job.future.done():
                job.future.set_exception(job.failure(error))
            self._ended(number, error)
        finally:
            self._leave(number)
            if seat is not None:
                with suppress(Exception):
                    seat.close()
                self._record.event("seat closed", f"session {number}")

    def _leave(self, number: int) -> None:
        with self._changed:
            self._seats.pop(number, None)
            self._standing.discard(number)
            self._leaving.discard(number)
            self._changed.notify_all()

    def _take(self, number: int, seat: Seat) -> Job | None:
        """The next job; None if the seat is to be given up."""
        with self._changed:
            while True:
                if self._closing or self._fatal is not None or self._superfluous(number):
                    self._leave(number)
                    return None
                if self._jobs and not self._has_to_wait(number, seat):
                    job = self._jobs.popleft()
                    if job.future.running() or job.future.set_running_or_notify_cancel():
                        seat.job = job
                        self._grow()
                        return job
                    continue
                self._changed.wait(_LOOK_AGAIN if self._jobs else None)

    def _superfluous(self, number: int) -> bool:
        if number in self._leaving:
            return True
        return (
            len(self._seats) > self.tuner.wanted
            and not self._leaving
            and number == max(self._seats)
        )

    def _has_to_wait(self, number: int, seat: Seat) -> bool:
        """Whether others have taken so much memory that this seat stands back."""
        sample = self._admission.look(seat.device)
        self._record.memory(seat.device, sample)
        if not self._admission.exceeded(seat.device):
            self._standing.discard(number)
            return False
        told, what = number in self._standing, f"{(sample.used or 0) / 2**30:.2f} GiB"
        what += f" of {seat.device} are used"
        self._standing.add(number)
        if number == min(self._seats) or self.policy.when_full == "go_on":
            # Somebody has to work, or nothing would ever end
            if not told:
                self._record.event("memory exceeded", f"{what}; session {number} goes on")
            return False
        if self.policy.when_full == "wait":
            if not told:
                self._record.event("waiting for memory", f"{what}; session {number} stands back")
        elif time.monotonic() - self._shrunk_at >= _SETTLE and self.tuner.wanted >= len(
            self._seats
        ):
            self._shrunk_at = time.monotonic()
            self._record.event("shrunk", f"{what}; one session less")
            self.tuner.limit(len(self._seats) - 1)
            # This one, whose device is full, and not the youngest of another device
            self._leaving.add(number)
            self._changed.notify_all()
        return True

    def _run(self, seat: Seat, job: Job) -> _Then:
        """Run a job; says what becomes of the seat."""
        if not seat.alive:
            # It ended between two stimuli, which is not this one's doing
            seat.job = None
            self._record.event("worker lost", f"session {seat.number}, while it was idle")
            self._again(job)
            return _Then.REOPEN
        job.attempts += 1
        began, waited = time.time(), time.perf_counter() - job.queued
        try:
            self._renew(seat)
            result = seat.run(job)
        except BaseException as error:
            seat.job = None
            self._record.stimulus(job, seat, began, waited, None, error)
            return self._failed(seat, job, error)
        seat.job = None
        if job.abandoned:
            job.future.set_exception(CancelledError())
            return _Then.GO_ON
        self._record.stimulus(job, seat, began, waited, result, None)
        job.future.set_result(result)
        with self._changed:
            working = sum(other is not None for other in self._seats.values())
            self.tuner.finished(working)
            self._grow()
            self._changed.notify_all()
        self._record.show(self.seats)
        return _Then.GO_ON

    def _renew(self, seat: Seat) -> None:
        with self._changed:
            start, version = self._start, self._version
        if seat.version != version:
            seat.rebase(start)
            seat.version = version

    # -- faults -----------------------------------------------------------------

    def _failed(self, seat: Seat, job: Job, error: BaseException) -> _Then:
        lost = lost_session(error, seat)
        if lost:
            self._record.event("worker lost", f"session {seat.number}: {error}")
        if job.abandoned:
            job.future.set_exception(CancelledError())
        elif lost and self.policy.isolation == "thread":
            # CUDA is lost for the whole process
            self._give_up(job, error)
        elif isinstance(error, DeviceMemoryError) and (then := self._shrink(seat)) is not None:
            self._again(job)
            return then
        elif isinstance(error, WorkerError) and not isinstance(error, WorkerTimeoutError):
            job.crashes += 1
            if job.crashes < CRASHES:
                self._again(job)
            else:
                self._fail(job, error)
        elif (
            self.policy.on_error == "retry"
            and isinstance(error, Exception)
            and job.attempts <= self.policy.retries
        ):
            self._record.retry()
            self._again(job)
        else:
            self._fail(job, error)
        return _Then.REOPEN if lost else _Then.GO_ON

    def _shrink(self, seat: Seat) -> _Then | None:
        """Go on without this session, or with it while others are opened; None if it is the last.

        One that is being opened may fail for the same reason.
        """
        with self._changed:
            others = sum(other is not None for other in self._seats.values()) - 1
            if others < 1:
                return _Then.GO_ON if len(self._seats) > 1 else None
            self._leave(seat.number)
            self.tuner.limit(len(self._seats))
        self._record.event("shrunk", f"no memory for session {seat.number}; going on with {others}")
        return _Then.LEAVE

    def _again(self, job: Job) -> None:
        with self._changed:
            if self._closing or job.abandoned:
                _cancel(job)
            elif self._fatal is not None:
                job.future.set_exception(self._gone(job))
            else:
                job.queued = time.perf_counter()
                self._jobs.appendleft(job)
            self._changed.notify_all()

    def _fail(self, job: Job, error: BaseException) -> None:
        self._record.failure()
        job.future.set_exception(job.failure(error))
        with self._changed:
            self._changed.notify_all()

    def _give_up(self, job: Job | None, error: BaseException) -> None:
        """Nothing can be run any more."""
        with self._changed:
            self._fatal = error
            waiting = [*self._jobs] if job is None else [job, *self._jobs]
            self._jobs.clear()
            self._changed.notify_all()
        for other in waiting:
            if not other.future.done():
                other.future.set_exception(self._gone(other))

    def _gone(self, job: Job) -> ScheduleError:
        hint = ""
        if self.policy.isolation == "thread":
            hint = " With isolation='process' such an error costs one session only."
        failed = ScheduleError(
            f"Stimulus {job.index} cannot be run: {self._fatal}{hint}",
            index=job.index,
            attempts=job.attempts,
        )
        failed.__cause__ = self._fatal
        return failed

    def _ended(self, number: int, error: BaseException) -> None:
        """A seat's thread has come to an error outside of a run: it could not be opened."""
        self._record.event("seat not opened", f"session {number}: {error}")
        with self._changed:
            # At once: of two that fail at the same time, the second is the last
            self._leave(number)
            if self._seats and isinstance(error, Exception):
                self.tuner.limit(len(self._seats))
                return
        self._give_up(None, error)


def _cancel(job: Job) -> None:
    """Nobody runs it any more; whoever waits for it is told."""
    if job.future.cancel():
        with suppress(RuntimeError, InvalidStateError):
            job.future.set_running_or_notify_cancel()
    elif not job.future.done():
        # It was at work once
        job.future.set_exception(CancelledError())
