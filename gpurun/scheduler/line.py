"""Consecutive stimuli: each run begins with what the one before it has carried."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from gpurun.calls import label
from gpurun.errors import OverrideError, WorkerError, WorkerTimeoutError
from gpurun.model import Model
from gpurun.results import RunResult
from gpurun.scheduler.admission import Admission
from gpurun.scheduler.jobs import Failed, Job, Request, failed
from gpurun.scheduler.policy import Policy
from gpurun.scheduler.record import Record
from gpurun.scheduler.seat import CRASHES, Seat, lost_session, open_seat, stop_or_kill


class Line:
    """One session that is given stimuli one after the other.

    While a run is under way in a thread, the next stimulus is taken from the iterable.

    Parameters
    ----------
    model : Model
    policy : Policy
    admission : Admission
    record : Record
    start : mapping of str to ndarray
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        admission: Admission,
        record: Record,
        start: Mapping[str, np.ndarray],
    ) -> None:
        self._model, self._policy, self._record = model, policy, record
        self._admission = admission
        self._start = dict(start)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpurun-line")
        self.seat = self._open()
        #: What the last run has left of the variables that are carried, by name: with it a new
        #: session can go on. Empty: it is in the session only.
        self.carried: dict[str, np.ndarray] = {}
        #: Whether the session is gone; whether a run that failed has left its traces in it.
        self._lost = self._spoiled = False

    def _open(self) -> Seat:
        device, isolation = self._policy.devices[0], self._policy.isolation
        seat = open_seat(0, self._model, device, isolation, self._start)
        self._record.event("seat opened", f"session 0 on {seat.device}, for consecutive stimuli")
        return seat

    def close(self) -> None:
        """Give the session back."""
        self._thread.shutdown(wait=True)
        self.seat.close()

    def restart(self, start: Mapping[str, np.ndarray]) -> None:
        """Begin with other values from now on."""
        self._start = dict(start)
        self.carried.clear()
        self._spoiled = False
        if not self.seat.alive:
            self._lost = True
        if not self._lost:
            self.seat.rebase(self._start)

    def read(self, key: Any) -> np.ndarray:
        """What the last run has left of a variable."""
        name = key if isinstance(key, str) else label(key)
        return self.carried[name] if name in self.carried else self.seat.session.read(key)

    def run(self, request: Request, stimuli: Iterable[Any]) -> Iterator[RunResult | Failed]:
        """Present stimuli in their order.

        Raises
        ------
        ScheduleError
            One failed, and the policy is to raise.
        """
        # Whoever wants to go on after a failure needs to know how the state was before it
        keep = self._policy.isolation == "process" or self._policy.on_error != "raise"
        for target in request.carry if keep else ():
            if target.kind in ("spikes", "poisson"):
                raise OverrideError(
                    f"'{target.name}' can be carried only with isolation='thread' and "
                    "on_error='raise': it is not one variable, which could be put back.",
                    name=target.name,
                )
        names = [label(target) for target in request.carry]
        wanted = {label(target) for target in request.record}
        if keep:
            self.carried = self._present_values(names)
        following = enumerate(iter(stimuli))
        job = self._next(request, following)
        failure: Exception | None = None
        while job is not None:
            if keep:
                extra = [t for t in request.carry if label(t) not in wanted]
                job.options = {**job.options, "record": [*request.record, *extra]}
            work = self._thread.submit(self._present, job)
            try:
                try:
                    # Meanwhile
                    after = self._next(request, following)
                except Exception as error:
                    # What is under way is given first
                    after, failure = None, error
                outcome = work.result()
            except BaseException:
                self._abandon(job, work)
                raise
            if keep and isinstance(outcome, RunResult):
                outcome = self._without(outcome, names, wanted)
            yield outcome
            job = after
        if failure is not None:
            raise failure

    def _abandon(self, job: Job, work: Future[Any]) -> None:
        """Nobody waits for a run any more: stop it, so that the session can be used again."""
        job.abandoned = True
        began = time.monotonic()
        while not wait([work], 0.02).done:
            stop_or_kill(self.seat, time.monotonic() - began)
        # Its result was not given, so that what follows begins where it began
        self._spoiled = True

    def _present_values(self, names: list[str]) -> dict[str, np.ndarray]:
        """What the first run would begin with, should it have to be tried again."""
        unknown = [name for name in names if name not in self.carried]
        if not self._lost and not self.seat.alive:
            self._record.event("worker lost", "session 0, while it was idle")
            self.seat.close()
            self._lost = True
        if self._lost and unknown:
            self.seat = self._open()
            self._lost, self._spoiled = False, True
        found = {name: self.seat.session.read(name) for name in unknown}
        return {name: self.carried[name] if name in self.carried else found[name] for name in names}

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
        while True:
            job.attempts += 1
            began, waited = time.time(), time.perf_counter() - job.queued
            try:
                if self._lost:
                    self.seat = self._open()
                    self._lost, self._spoiled = False, True
                further = list(self.carried.items()) if self._spoiled else ()
                result = self.seat.run(job, further)
            except BaseException as error:
                self._record.stimulus(job, self.seat, began, waited, None, error)
                self._spoiled = True
                instead = self._after_failure(job, error)
                if instead is not None:
                    return instead
                continue
            if job.abandoned:
                return Failed(job.index, CancelledError(), job.attempts)
            self._spoiled = False
            self._record.stimulus(job, self.seat, began, waited, result, None)
            self._record.memory(self.seat.device, self._admission.look(self.seat.device))
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
            if job.crashes < CRASHES:
                return None
        retry = self._policy.on_error == "retry" and not job.abandoned
        retry = retry and isinstance(error, Exception)
        if retry and not crashed and job.attempts <= self._policy.retries:
            self._record.retry()
            return None
        self._record.failure()
        if self._policy.on_error == "skip" and isinstance(error, Exception):
            return failed(job.index, error, job.attempts)
        raise job.failure(error)
