"""The Scheduler: many stimuli on one card, several, or the cores of the CPU."""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from gpurun.errors import ConfigError, ScheduleError
from gpurun.loop.progress import LoopReporter
from gpurun.model import Model
from gpurun.results import RunResult
from gpurun.runlog import RunLog
from gpurun.scheduler.admission import Admission, Expected
from gpurun.scheduler.engine import Engine
from gpurun.scheduler.jobs import Failed, Job, Request, failed
from gpurun.scheduler.line import Line
from gpurun.scheduler.policy import make_policy
from gpurun.scheduler.record import Record
from gpurun.scheduler.start import start_values
from gpurun.scheduler.sweep import Sweep, run_sweep
from gpurun.session import choose_device
from gpurun.stimulus.place import Place
from gpurun.stimulus.stream import StimulusStream
from gpurun.values import check_seed


class Scheduler:
    """Presents many stimuli on resident sessions of one model.

    Use it as a context manager, or call `close`.

    Parameters
    ----------
    model : Model
    device : str, int or list of them, optional
        As for a `Session`; several cards share independent stimuli.
    replicas : int or "auto", optional
        Sessions for independent stimuli. ``"auto"``: as many as fit into the memory and as
        still raise the throughput, which is measured while they run; on the CPU at most one
        for each core.
    memory : float, optional
        What may be used of each device, by whomever: a fraction of its memory, or bytes if
        above 1.
    start : path-like, Session or mapping, optional
        What every run begins with instead of the set-up: variables of a checkpoint, of a
        session's present state, or values by key.
    keep : iterable of keys, optional
        Which variables are taken over from `start`; left out, those that its last run carried.
    isolation : {"thread", "process"}, optional
        Whether sessions are in this process, or each in one of its own, so that one that
        crashes takes nothing with it.
    on_error : {"raise", "skip", "retry"}, optional
        What happens if a stimulus fails: ScheduleError, a `Failed` in the place of its result,
        or up to `retries` further attempts and then ScheduleError. Losing a process is not a
        failure of the stimulus: it is run again on another, unless it has taken three with it.
    retries : int, optional
    when_full : {"shrink", "wait", "go_on"}, optional
        What happens if others take so much memory that more than `memory` is used: work on with
        fewer sessions, let all but one stand back until there is room, or take no notice.
    timeout : Quantity or float (s), optional
        Wall time that a stimulus may take. In a thread a run is stopped after a time step; only
        a process can be stopped within one.
    seed : int, optional
        Stimulus k of a list has a seed of its own, made from this one, the number of the list
        (of the call of `run` or `map`) and k: results do not depend on how many sessions there
        are. Left out: drawn; see the attribute.
    log : path-like, optional
        Run log, for ``gpurun report``.

    Attributes
    ----------
    seed : int
        From which the seeds of stimuli are made.
    estimate : MemoryEstimate
        What one session is expected to take; see `corrections`.

    Raises
    ------
    ConfigError
        An argument is not usable.
    DeviceUnavailableError, CheckpointError, OverrideError
        Likewise.
    """

    def __init__(
        self,
        model: Model,
        device: str | int | list[str | int] = "auto",
        *,
        replicas: int | str = "auto",
        memory: float = 0.8,
        start: Any = None,
        keep: Iterable[Any] | None = None,
        isolation: str = "thread",
        on_error: str = "raise",
        retries: int = 2,
        when_full: str = "shrink",
        timeout: Any = None,
        seed: int | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.model = model
        wanted = device if isinstance(device, list | tuple) else [device]
        named = [choose_device(model, one)[0] for one in wanted]
        devices: tuple[str, ...] = tuple(dict.fromkeys(named))
        if not devices:
            raise ConfigError("device is an empty list.", name="device", value=device)
        found = check_seed(seed)
        self._seed_given = found is not None
        self.seed = secrets.randbits(32) if found is None else found
        self.policy = make_policy(
            model, devices=devices, replicas=replicas, memory=memory, isolation=isolation,
            on_error=on_error, retries=retries, when_full=when_full, timeout=timeout,
            seed=self.seed,
        )  # fmt: skip
        self._start = start_values(model, start, keep)
        #: `Model.memory` of one session.
        self.estimate = model.memory()
        self._admission = Admission(self.policy, _expected(model, devices))
        facts = {"model": model.digest, "devices": list(devices), "seed": self.seed,
                 "isolation": isolation, "replicas": replicas}  # fmt: skip
        self._log = None if log is None else RunLog(Path(log), **facts)
        self.record = Record(self._log, devices)
        self._engine: Engine | None = None
        self._line: Line | None = None
        self._line_names: tuple[Any, ...] = ()
        self._submitted = 0
        self._calls, self._submit_call = count(), None
        self._numbers = count()
        self._pid = os.getpid()
        self._closed = False

    # -- life -------------------------------------------------------------------

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is at work, and give all memory back. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        if self._pid != os.getpid():
            # A fork has none of the threads
            return
        with ExitStack() as last:
            if self._log is not None:
                last.callback(self._close_log, self._log)
            last.callback(self.record.close)
            last.callback(self._admission.close)
            if self._line is not None:
                last.callback(self._line.close)
            if self._engine is not None:
                last.callback(self._engine.close)

    def _close_log(self, log: RunLog) -> None:
        log.close(done=self.record.done, failed=self.record.failed)

    @property
    def sessions(self) -> dict[str, int]:
        """How many sessions for independent stimuli are open, by device."""
        return {} if self._engine is None else self._engine.seats

    @property
    def corrections(self) -> dict[str, float]:
        """What the first session took to open, divided by the estimate, by device."""
        return dict(self._admission.corrections)

    @property
    def rates(self) -> dict[int, float]:
        """Stimuli per second that ``replicas="auto"`` has measured, by number of sessions."""
        return {} if self._engine is None else dict(self._engine.tuner.rates)

    def restart(self, start: Any = "run", keep: Iterable[Any] | None = None) -> None:
        """Let all runs begin with another state from now on.

        Parameters
        ----------
        start : optional
            As in the constructor. ``"run"``: what `run` has carried last, so that a network is
            trained with consecutive stimuli and then tested with independent ones.
        keep : iterable of keys, optional

        Raises
        ------
        ConfigError, CheckpointError, OverrideError
        """
        self._check_open()
        if isinstance(start, str) and start == "run":
            if self._line is None:
                raise ConfigError(
                    "No stimuli were presented with run() yet, whose end could be the start.",
                    name="start",
                    value=start,
                )
            names: Iterable[Any] = self._line_names if keep is None else keep
            if not names:
                raise ConfigError(
                    "run() has carried nothing that could be the start. Name it: "
                    "keep=[syn.w, group.theta].",
                    name="keep",
                    value=keep,
                )
            start = {key: self._line.read(key) for key in names}
            keep = None
        self._start = start_values(self.model, start, keep)
        if self._engine is not None:
            self._engine.restart(self._start)
        if self._line is not None:
            self._line.restart(self._start)

    def _check_open(self) -> None:
        if self._closed:
            raise ScheduleError("The scheduler has been closed.", index=None, attempts=0)
        if self._pid != os.getpid():
            raise ScheduleError(
                "This scheduler belongs to the process from which this one was forked. Make one "
                "here.",
                index=None,
                attempts=0,
            )

    def _request(
        self, options: Mapping[str, Any], seed: int | None = None, call: int | None = None
    ) -> Request:
        given = check_seed(seed)
        if call is None:
            # A list with a seed of its own is as if it were the only one
            call = 0 if given is not None else next(self._calls)
        return Request.of(
            self.model,
            timeout=self.policy.timeout,
            seed=self.seed if given is None else given,
            call=call,
            numbers=self._numbers,
            **options,
        )

    def _stream(self, stimuli: Any) -> Any:
        if isinstance(stimuli, StimulusStream) and stimuli.device == "auto":
            # Arrays of a card cannot be sent to another process
            first, *others = self.policy.devices
            shared = self.policy.isolation == "process" or bool(others)
            place = "cpu" if shared else Place.near(first).name
            return replace(stimuli, device=place)
        return stimuli

    # -- consecutive ------------------------------------------------------------

    def run(
        self,
        stimuli: Iterable[Any],
        *,
        target: Any = None,
        carry: Iterable[Any] = (),
        record: Iterable[Any] = (),
        duration: Any = None,
        seed: int | None = None,
        report: Any = None,
    ) -> Generator[RunResult | Failed]:
        """Present consecutive stimuli on one session.

        Each run begins with what the one before it has left of the variables in `carry`, across
        calls of this method, too. While one is presented, the next is taken from `stimuli`: an
        iterable that waits for results needs `Session.run` or `gpurun.present` instead.

        Parameters
        ----------
        stimuli : iterable
            Of overrides; or of what `target` takes, such as a `StimulusStream`.
        target : key, optional
        carry, record : iterable of keys, optional
        duration : Quantity or float (s), optional
        seed : int, optional
            From which the seeds of these stimuli are made. Left out: the scheduler's, and other
            seeds in each call, so that no noise comes twice.
        report : {"text", "stdout", "stderr"} or callable, optional
            As in `gpurun.present`.

        Yields
        ------
        RunResult or Failed
            In the order of the stimuli.

        Raises
        ------
        ScheduleError
            A stimulus failed; results before it were given.
        OverrideError
            And its subclasses: a key is not usable.
        """
        self._check_open()
        request = self._request(
            {"target": target, "carry": carry, "record": record, "duration": duration}, seed
        )
        reporter = LoopReporter(report, 10.0, _length(stimuli))
        self.record.expect(_length(stimuli))
        return self._run(request, self._stream(stimuli), reporter)

    def _run(
        self, request: Request, stimuli: Iterable[Any], reporter: LoopReporter
    ) -> Generator[RunResult | Failed]:
        self._check_open()
        if self._line is None:
            self._line = Line(self.model, self.policy, self._admission, self.record, self._start)
        if request.carry:
            self._line_names = request.carry
        reporter.begin()
        done = 0
        for result in self._line.run(request, stimuli):
            done += 1
            reporter.tell(done, 0.0)
            yield result
        reporter.tell(done, 0.0, over=True)

    # -- independent ------------------------------------------------------------

    def map(
        self,
        stimuli: Iterable[Any],
        *,
        target: Any = None,
        record: Iterable[Any] = (),
        duration: Any = None,
        ordered: bool = True,
        seed: int | None = None,
        report: Any = None,
    ) -> Generator[Any]:
        """Present independent stimuli, side by side on as many sessions as are of use.

        Stimuli are taken from the iterable, in this thread, a few ahead of the results that have
        been given, so that memory does not grow with their number.

        Parameters
        ----------
        stimuli, target, record, duration, seed, report
            As in `run`.
        ordered : bool, optional
            False: results come as they are ready, as pairs (index, result).

        Yields
        ------
        RunResult or Failed, or (int, RunResult or Failed)

        Raises
        ------
        ScheduleError
            A stimulus failed. Results before it were given, and what is at work is stopped.
        OverrideError
            And its subclasses: a key is not usable.
        """
        self._check_open()
        request = self._request({"target": target, "record": record, "duration": duration}, seed)
        reporter = LoopReporter(report, 10.0, _length(stimuli))
        self.record.expect(_length(stimuli))
        jobs = (request.job(n, stimulus) for n, stimulus in enumerate(self._stream(stimuli)))
        return self._deliver(jobs, ordered, reporter)

    def _deliver(
        self, jobs: Iterable[Job], ordered: bool, reporter: LoopReporter | None
    ) -> Generator[Any]:
        """Results of jobs, of which a few are under way."""
        self._check_open()
        engine = self._open_engine()
        coming = iter(jobs)
        under_way: deque[Job] = deque()
        done, exhausted = 0, False
        failure: Exception | None = None
        if reporter is not None:
            reporter.begin()
        try:
            while True:
                # Enough for all seats while this thread deals with a result
                while not exhausted and len(under_way) < 2 * engine.tuner.wanted + 2:
                    try:
                        job = next(coming, None)
                    except Exception as error:
                        # What is under way is given first
                        job, failure = None, error
                    if job is None:
                        exhausted = True
                    else:
                        under_way.append(engine.submit(job))
                if not under_way:
                    if failure is not None:
                        raise failure
                    break
                if ordered:
                    job = under_way[0]
                else:
                    finished = wait([j.future for j in under_way], return_when=FIRST_COMPLETED)
                    job = next(j for j in under_way if j.future in finished.done)
                outcome = self._outcome(job)
                under_way.remove(job)
                done += 1
                if reporter is not None:
                    reporter.tell(done, 0.0)
                yield outcome if ordered else (job.index, outcome)
        finally:
            if under_way:
                engine.cancel(list(under_way))
        if reporter is not None:
            reporter.tell(done, 0.0, over=True)

    def _outcome(self, job: Job) -> RunResult | Failed:
        try:
            return job.future.result()
        except ScheduleError as error:
            if self.policy.on_error == "skip" and error.__cause__ is not None and job.attempts:
                return failed(job.index, error.__cause__, job.attempts)
            raise
        except CancelledError:
            raise ScheduleError(
                f"The scheduler was closed before stimulus {job.index} was finished.",
                index=job.index,
                attempts=job.attempts,
            ) from None

    def _open_engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(
                self.model, self.policy, self._admission, self.record, self._start
            )
        return self._engine

    def submit(
        self,
        overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
        *,
        record: Iterable[Any] = (),
        duration: Any = None,
        seed: int | None = None,
    ) -> Future[RunResult]:
        """Have one independent stimulus presented when a session is free.

        Parameters
        ----------
        overrides : mapping or list of pairs, optional
        record : iterable of keys, optional
        duration : Quantity or float (s), optional
        seed : int, optional
            Of this run, instead of one made from the scheduler's and the number of the call.

        Returns
        -------
        concurrent.futures.Future
            Of a RunResult. A failure is a ScheduleError, whatever `on_error` says.

        Raises
        ------
        OverrideError
            And its subclasses: a key is not usable.
        """
        self._check_open()
        if self._submit_call is None:
            self._submit_call = next(self._calls)
        options = {"record": record, "duration": duration}
        request = self._request(options, call=self._submit_call)
        job = request.job(self._submitted, {} if overrides is None else overrides)
        if seed is not None:
            job.options = {**job.options, "seed": check_seed(seed)}
        self._submitted += 1
        return self._open_engine().submit(job).future

    # -- sweeps -----------------------------------------------------------------

    def sweep(
        self,
        parameters: Mapping[Any, Any],
        path: str | os.PathLike[str],
        *,
        mode: str = "product",
        repeats: int = 1,
        record: Iterable[Any] = (),
        duration: Any = None,
        overrides: Mapping[Any, Any] | None = None,
        report: Any = None,
    ) -> Sweep:
        """Run the model at many points, each several times, into one results file.

        A sweep that was interrupted goes on where it stopped when it is called again: no point
        is run again that was finished.

        Parameters
        ----------
        parameters : mapping
            Values by key: ``{"exc.tau": [5*ms, 10*ms], syn.w: weights}``.
        path : path-like
            Results file; see `gpurun.open_results`.
        mode : {"product", "zip"}, optional
            All combinations, or the first values of all, the second values, ...
        repeats : int, optional
            Runs of each point, with seeds of their own.
        record : iterable of keys, optional
            What is stored.
        duration : Quantity or float (s), optional
        overrides : mapping, optional
            Of every run.
        report : {"text", "stdout", "stderr"} or callable, optional

        Returns
        -------
        Sweep

        Raises
        ------
        ConfigError
            The parameters do not fit together, or the file is of another sweep.
        ResultsError
            The file cannot be used.
        ScheduleError
            A point failed; what was finished is in the file.
        """
        self._check_open()
        request = self._request({"record": record, "duration": duration}, call=0)
        return run_sweep(
            self.model, request, parameters, Path(path), mode=mode, repeats=repeats,
            overrides=overrides, report=report, deliver=self._deliver, start=self._start,
            seed_given=self._seed_given,
        )  # fmt: skip


def _expected(model: Model, devices: Iterable[str]) -> dict[str, Expected]:
    opened, running = model.memory(0.0), model.memory()
    on_cpu = Expected(opened.host.per_session, running.host.per_session)
    on_card = Expected(opened.card.per_session, running.card.per_session)
    return {device: on_cpu if device == "cpu" else on_card for device in devices}


def _length(stimuli: Any) -> int | None:
    if isinstance(stimuli, StimulusStream):
        return stimuli.total
    return len(stimuli) if hasattr(stimuli, "__len__") else None
