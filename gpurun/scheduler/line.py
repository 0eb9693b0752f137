"""Consecutive stimuli: each run begins with what the one before it has carried."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gpurun.calls import label
from gpurun.errors import WorkerError, WorkerTimeoutError
from gpurun.model import Model
from gpurun.results import RunResult
from gpurun.scheduler.jobs import Failed, Job, Request
from gpurun.scheduler.policy import Policy
from gpurun.scheduler.record import Record
from gpurun.scheduler.seat import Seat, lost_session

_CRASHES = 3


class Line:
    """One session that is given stimuli one after the other.

    While a run is under way in a thread, the next stimulus is taken from the iterable.

    Parameters
    ----------
    model : Model
    policy : Policy
    record : Record
    start : mapping of str to ndarray
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        record: Record,
        start: Mapping[str, np.ndarray],
    ) -> None:
        self._model, self._policy, self._record = model, policy, record
        self._start = dict(start)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpurun-line")
        self.seat = self._open()
        #: What the last run has left of the variables that are carried, by name: with it a new
        #: session can go on. None: it is in the session only.
        self.carried: dict[str, np.ndarray] = {}
        self._lost = False

    def _open(self) -> Seat:
        seat = Seat(0, self._model, self._policy.devices[0], self._policy.isolation, self._start)
        self._record.event("seat opened", f"session 0 on {seat.device}, for consecutive stimuli")
        return seat

    def close(self) -> None:
        """Give the session back."""
        self._thread.shutdown(wait=True)
        self.seat.close()

    def restart(self, start: Mapping[str, np.ndarray]) -> None:
        """Begin with other values from now on."""
        self._start = dict(start)
        self.seat.session.rebase(self._start)
        self.carried.clear()

    def run(self, request: Request, stimuli: Iterable[Any]) -> Iterator[RunResult | Failed]:
        """Present stimuli in their order.

        Raises
        ------
        ScheduleError
            One failed, and the policy is to raise.
        """
        # Whoever wants to go on after a failure needs to know how the state was before it
        keep = self._policy.isolation == "process" or self._policy.on_error != "raise"
        names = [label(target) for target in request.carry]
        wanted = {label(target) for target in request.record}
        following = enumerate(iter(stimuli))
        job = self._next(request, following)
        while job is not None:
            if keep:
                extra = [t for t in request.carry if label(t) not in wanted]
                job.options = {**job.options, "record": [*request.record, *extra]}
            work = self._thread.submit(self._present, job)
            try:
                # Meanwhile
                after = self._next(request, following)
                outcome = work.result()
            except BaseException:
                job.abandoned = True
                if not work.done():
                    self.seat.stop()
                raise
            if keep and isinstance(outcome, RunResult):
                outcome = self._without(outcome, names, wanted)
            yield outcome
            job = after

    def _next(self, request: Request, stimuli: Iterator[tuple[int, Any]]) -> Job | None:
        found = next(stimuli, None)
        return None if found is None else request.job(*found)

    def _without(self, result: RunResult, names: list[str], wanted: set[str]) -> RunResult:
        """Take out of a result what only this line needs of it."""
        values = dict(result.values)
        self.carried = {name: np.array(values[name]) for name in names if name in values}
        for name in set(names) - wanted:
            values.pop(name, None)
        object.__setattr__(result, "values", values)
        return result

    def _present(self, job: Job) -> RunResult | Failed:
        """Present one stimulus, again if need be. In the line's thread."""
        restore = False
        while True:
            job.attempts += 1
            began, waited = time.time(), time.perf_counter() - job.queued
            further = list(self.carried.items()) if restore or self._lost else ()
            try:
                if self._lost:
                    self.seat = self._open()
                    self._lost = False
                result = self.seat.run(job, further)
            except BaseException as error:
                self._record.stimulus(job, self.seat, began, waited, None, error)
                restore = True
                failed = self._after_failure(job, error)
                if failed is not None:
                    return failed
                continue
            self._record.stimulus(job, self.seat, began, waited, result, None)
            self._record.show({self.seat.device: 1})
            return result

    def _after_failure(self, job: Job, error: BaseException) -> Failed | None:
        """None to try again, what stands for the result to go on; raises to end."""
        if lost_session(error, self.seat):
            self._record.event("worker lost", f"session 0: {error}")
            self.seat.close()
            self._lost = True
            if self._policy.isolation == "thread":
                raise job.failure(error)
        crashed = isinstance(error, WorkerError) and not isinstance(error, WorkerTimeoutError)
        if crashed and not job.abandoned:
            job.crashes += 1
            if job.crashes < _CRASHES:
                return None
        retry = self._policy.on_error == "retry" and isinstance(error, Exception)
        if retry and not crashed and job.attempts <= self._policy.retries:
            self._record.retried += 1
            return None
        self._record.failed += 1
        if self._policy.on_error == "skip" and isinstance(error, Exception):
            self._put_back()
            return Failed(job.index, error, job.attempts)
        raise job.failure(error)

    def _put_back(self) -> None:
        """The failed run leaves no trace: what is carried is as before it."""
        if not self._lost and self.carried:
            self.seat.session.write(self.carried)
