"""Seats that take jobs from one queue, as many as fit and are of use, whatever happens to them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import CancelledError

import numpy as np

from gpurun.errors import (
    DeviceMemoryError,
    GpurunError,
    ScheduleError,
    WorkerError,
    WorkerTimeoutError,
)
from gpurun.model import Model
from gpurun.scheduler.admission import Admission
from gpurun.scheduler.jobs import Job
from gpurun.scheduler.policy import Policy
from gpurun.scheduler.record import Record
from gpurun.scheduler.seat import Seat, lost_session
from gpurun.scheduler.tuning import Tuner

#: Sessions that one stimulus may take with it before it is given up.
_CRASHES = 3
_LOOK_AGAIN = 0.2


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
        #: By number; None while it is being opened.
        self._seats: dict[int, Seat | None] = {}
        self._devices: dict[int, str] = {}
        self._threads: list[threading.Thread] = []
        self._number = 0
        self._opening = threading.Lock()
        self._closing = False
        self._fatal: BaseException | None = None

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
            self._jobs.append(job)
            self._grow()
            self._changed.notify()
        return job

    def cancel(self, jobs: list[Job]) -> None:
        """Take jobs back; those that are at work are stopped."""
        wanted = {id(job) for job in jobs}
        with self._changed:
            for job in [job for job in self._jobs if id(job) in wanted]:
                self._jobs.remove(job)
                _cancel(job)
            for seat in self._seats.values():
                if seat is not None and seat.job is not None and id(seat.job) in wanted:
                    seat.job.abandoned = True
                    seat.stop()

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
        """Finish what is at work, forget what waits, and give everything back."""
        with self._changed:
            self._closing = True
            for job in self._jobs:
                _cancel(job)
            self._jobs.clear()
            for seat in self._seats.values():
                if seat is not None and seat.job is not None:
                    seat.stop()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

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
        for device in sorted(self.policy.devices, key=lambda name: taken[name]):
            if not self._seats or self.policy.replicas is not None or self._admission.fits(device):
                return device
        return None

    def _open(self, number: int, device: str) -> tuple[Seat, int]:
        # One at a time, so that what each takes can be told
        with self._opening:
            with self._changed:
                start, version = self._start, self._version
            self._admission.opening(device)
            seat = Seat(number, self._model, device, self.policy.isolation, start)
            self._admission.opened(device)
        self._record.event("seat opened", f"session {number} on {seat.device}")
        return seat, version

    # -- one seat's thread ------------------------------------------------------

    def _serve(self, number: int, device: str) -> None:
        seat: Seat | None = None
        try:
            seat, version = self._open(number, device)
            with self._changed:
                self._seats[number] = seat
                self.tuner.restart()
            while (job := self._take(number, seat)) is not None:
                if version != self._version:
                    with self._changed:
                        start, version = self._start, self._version
                    seat.session.rebase(start)
                if not self._run(seat, job):
                    # Its session is lost
                    seat.close()
                    seat, version = self._open(number, device)
                    with self._changed:
                        self._seats[number] = seat
        except BaseException as error:
            self._ended(number, error)
        finally:
            if seat is not None:
                seat.close()
                self._record.event("seat closed", f"session {number}")
            with self._changed:
                self._seats.pop(number, None)
                self._changed.notify_all()

    def _take(self, number: int, seat: Seat) -> Job | None:
        """The next job; None if the seat is to be given up."""
        with self._changed:
            while True:
                if self._closing or self._fatal is not None or self._superfluous(number):
                    return None
                if self._jobs and not self._has_to_wait(number, seat):
                    job = self._jobs.popleft()
                    if job.attempts or job.future.set_running_or_notify_cancel():
                        seat.job = job
                        self._grow()
                        return job
                    continue
                self._changed.wait(_LOOK_AGAIN if self._jobs else None)

    def _superfluous(self, number: int) -> bool:
        return len(self._seats) > self.tuner.wanted and number == max(self._seats)

    def _has_to_wait(self, number: int, seat: Seat) -> bool:
        """Whether others have taken so much memory that this seat stands back."""
        sample = self._admission.look(seat.device)
        self._record.memory(seat.device, sample)
        if not self._admission.exceeded(seat.device):
            return False
        what = f"{(sample.used or 0) / 2**30:.2f} GiB of {seat.device} are used"
        if number == min(self._seats) or self.policy.when_full == "go_on":
            # Somebody has to work, or nothing would ever end
            self._record.event("memory exceeded", f"{what}; going on")
            return False
        if self.policy.when_full == "shrink":
            self._record.event("shrunk", f"{what}; one session less")
            self.tuner.limit(len(self._seats) - 1)
            return True
        self._record.event("waiting for memory", what)
        return True

    def _run(self, seat: Seat, job: Job) -> bool:
        """Run a job; false if the seat has lost its session."""
        job.attempts += 1
        began, waited = time.time(), time.perf_counter() - job.queued
        try:
            result = seat.run(job)
        except BaseException as error:
            seat.job = None
            self._record.stimulus(job, seat, began, waited, None, error)
            return self._failed(seat, job, error)
        seat.job = None
        if job.abandoned:
            job.future.set_exception(CancelledError())
            return True
        self._record.stimulus(job, seat, began, waited, result, None)
        job.future.set_result(result)
        with self._changed:
            working = sum(other is not None for other in self._seats.values())
            self.tuner.finished(working)
            self._grow()
            self._changed.notify_all()
        self._record.show(self.seats)
        return True

    # -- faults -----------------------------------------------------------------

    def _failed(self, seat: Seat, job: Job, error: BaseException) -> bool:
        lost = lost_session(error, seat)
        if lost:
            self._record.event("worker lost", f"session {seat.number}: {error}")
        if job.abandoned:
            job.future.set_exception(CancelledError())
        elif lost and self.policy.isolation == "thread":
            # CUDA is lost for the whole process
            self._give_up(job, error)
        elif isinstance(error, DeviceMemoryError) and self._shrink(seat):
            self._again(job)
        elif isinstance(error, WorkerError) and not isinstance(error, WorkerTimeoutError):
            job.crashes += 1
            if job.crashes < _CRASHES:
                self._again(job)
            else:
                self._fail(job, error)
        elif (
            self.policy.on_error == "retry"
            and isinstance(error, Exception)
            and job.attempts <= self.policy.retries
        ):
            self._record.retried += 1
            self._again(job)
        else:
            self._fail(job, error)
        return not lost

    def _shrink(self, seat: Seat) -> bool:
        """Go on with one session less; false if it is the last."""
        with self._changed:
            others = len(self._seats) - 1
            if others < 1:
                return False
            self.tuner.limit(others)
            self._changed.notify_all()
        self._record.event("shrunk", f"no memory for session {seat.number}; going on with {others}")
        return True

    def _again(self, job: Job) -> None:
        with self._changed:
            job.queued = time.perf_counter()
            self._jobs.appendleft(job)
            self._changed.notify_all()

    def _fail(self, job: Job, error: BaseException) -> None:
        self._record.failed += 1
        job.future.set_exception(job.failure(error))
        with self._changed:
            self._changed.notify_all()

    def _give_up(self, job: Job, error: BaseException) -> None:
        with self._changed:
            self._fatal = error
            waiting = list(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
        for other in [job, *waiting]:
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
        with self._changed:
            others = [seat for n, seat in self._seats.items() if n != number and seat is not None]
        self._record.event("seat not opened", f"session {number}: {error}")
        if others and isinstance(error, GpurunError):
            with self._changed:
                self.tuner.limit(len(others))
            return
        with self._changed:
            self._fatal = error
            waiting = list(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
        for job in waiting:
            if not job.future.done():
                job.future.set_exception(self._gone(job))


def _cancel(job: Job) -> None:
    """Nobody runs it any more; whoever waits for it is told."""
    if not job.future.done():
        job.future.cancel()
        job.future.set_running_or_notify_cancel()
