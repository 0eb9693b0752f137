"""Consecutive stimuli on one session."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import is_cupy_array

from gpurun.calls import as_list, carried_numbers, check_duration, record_targets
from gpurun.errors import NotSupportedError, StimulusError, UnitMismatchError
from gpurun.loop.changes import bind_changes
from gpurun.loop.keeping import Checkpoints, evaluated, positive
from gpurun.loop.progress import LoopReporter
from gpurun.overrides import Target, pairs, resolve
from gpurun.results import RunResult
from gpurun.session import Session
from gpurun.stimulus.batch import Stimulus, StimulusBatch
from gpurun.stimulus.staging import BatchIterator
from gpurun.stimulus.stream import StimulusStream

_HERTZ = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
_CHECKPOINT_EVERY = 1000


@dataclass(frozen=True)
class Presentation:
    """One stimulus and what the network made of it.

    Attributes
    ----------
    stimulus : Stimulus
    result : RunResult
        Of the last attempt.
    attempts : int
        How often it was presented.
    satisfied : bool
        Whether the condition `until` was met; true without one.
    done : int
        Presentations so far, this one included, and those of the stream before it was resumed.
    wait_time : float
        Wall seconds for which the session has waited for this stimulus.
    evaluation : object
        What `evaluate` returned after this presentation, None where it was not called.
    """

    stimulus: Stimulus
    result: RunResult
    attempts: int
    satisfied: bool
    done: int
    wait_time: float
    evaluation: Any = None

    @property
    def label(self) -> Any:
        """Label of the stimulus."""
        return self.stimulus.label


class Presentations:
    """Iterator over presentations; made by `present`. Also a context manager, see `close`.

    Attributes
    ----------
    waited : float
        Wall seconds for which the session has waited for stimuli so far.
    waited_first : float
        Seconds of these for the first batch, which nothing hides.
    done : int
        Presentations so far, those before a resumed run included.
    total : int or None
        Presentations that there will have been in the end; None if that is not known.
    """

    def __init__(self, session: Session, stimuli: Any, settings: _Settings) -> None:
        self._session, self._settings = session, settings
        self.waited = self.waited_first = 0.0
        self.done = settings.resumed
        self.total = settings.total
        self._stimuli = stimuli
        self._runs = self._present()

    def __iter__(self) -> Presentations:
        return self

    def __next__(self) -> Presentation:
        return next(self._runs)

    def __enter__(self) -> Presentations:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the loop; the stream stops preparing."""
        self._runs.close()

    # -- the loop ---------------------------------------------------------------

    def _present(self) -> Generator[Presentation]:
        settings, began = self._settings, self.done
        report = settings.reporter
        report.begin()
        for stimulus, waited in self._timed():
            result, attempts, satisfied = self._show(stimulus)
            self.done += 1
            shown = Presentation(stimulus, result, attempts, satisfied, self.done, waited)
            for callback in settings.callbacks:
                callback(shown)
            if settings.evaluate is not None and self.done % settings.evaluate_every == 0:
                found = evaluated(self._session, settings.evaluate)
                shown = replace(shown, evaluation=found)
            report.tell(self.done - began, self.waited)
            yield shown
            # Now, so that what the caller did between two stimuli is saved with them
            if settings.checkpoints is not None:
                settings.checkpoints.after(self.done)
        report.tell(self.done - began, self.waited, over=True)
        if settings.checkpoints is not None and self.done > began:
            settings.checkpoints.after(self.done, last=True)

    def _timed(self) -> Iterator[tuple[Stimulus, float]]:
        """Stimuli, and how long each was waited for."""
        batches: Any = None
        if isinstance(self._stimuli, StimulusStream):
            batches = self._stimuli.batches()
            stimuli: Iterator[Any] = (one for batch in batches for one in batch)
        else:
            stimuli = iter(self._stimuli)
        try:
            number = 0
            while True:
                began = time.perf_counter()
                try:
                    stimulus = next(stimuli)
                except StopIteration:
                    return
                if not isinstance(stimulus, Stimulus):
                    stimulus = Stimulus(stimulus, None, number, number, number)
                waited = time.perf_counter() - began
                self.waited += waited
                if not number:
                    self.waited_first = waited
                number += 1
                yield stimulus, waited
        finally:
            if isinstance(batches, BatchIterator):
                batches.close()

    def _show(self, stimulus: Stimulus) -> tuple[RunResult, int, bool]:
        settings, session = self._settings, self._session
        attempt = 0
        while True:
            for target, change in settings.before:
                session.modify(target, change.function, reading=change.reading)
            result = session.run(
                settings.overrides_for(stimulus, attempt),
                carry=settings.carry,
                record=settings.record,
                duration=settings.duration,
                seed=settings.take_seed(),
                view=settings.view,
                on_device=settings.on_device,
            )
            # Before a blank period, which borrowed views would show
            satisfied = settings.until is None or bool(settings.until(result))
            if settings.blank is not None:
                if settings.silence is not None:
                    session.write([(settings.silence, 0.0)])
                session.advance(settings.blank)
            attempt += 1
            if satisfied or attempt >= settings.attempts:
                return result, attempt, satisfied


@dataclass
class _Settings:
    """The checked arguments of `present`."""

    target: Target | None
    overrides: Any
    carry: list[Any]
    record: list[Any]
    before: list[tuple[Target, Any]]
    duration: Any
    blank: Any
    until: Callable[[RunResult], Any] | None
    attempts: int
    boost: Callable[[Any, int], Any]
    seed: int | None
    callbacks: tuple[Callable[[Presentation], Any], ...]
    evaluate: Callable[[Session], Any] | None
    evaluate_every: int
    checkpoints: Checkpoints | None
    resumed: int
    total: int | None
    reporter: LoopReporter
    view: bool
    on_device: bool
    card: AbstractContextManager[Any]
    dtype: np.dtype[Any] | None

    @property
    def silence(self) -> Target | None:
        """What is set to zero for a blank period."""
        # A SpikeGeneratorGroup is silent when its spikes are over
        return None if self.target is None or self.target.kind == "spikes" else self.target

    def take_seed(self) -> int | None:
        """The seed, once."""
        seed, self.seed = self.seed, None
        return seed

    def fitted(self, value: Any) -> Any:
        """A card takes an array in the variable's own type only; on the CPU any is converted."""
        wanted = self.dtype
        if wanted is None or not is_cupy_array(value) or value.dtype == wanted:
            return value
        if not np.can_cast(value.dtype, wanted, "same_kind"):
            return value
        with self.card:
            return value.astype(wanted)

    def overrides_for(self, stimulus: Stimulus, attempt: int) -> list[tuple[Any, Any]]:
        """The overrides of one run."""
        given: Any = self.overrides
        if callable(given):
            given = given(stimulus, attempt)
        value = stimulus.value
        if attempt:
            with self.card:
                value = self.boost(value, attempt)
        value = self.fitted(value)
        return [*pairs(value if self.target is None else [(self.target, value)]), *pairs(given)]


def present(
    session: Session,
    stimuli: StimulusStream | StimulusBatch | Iterable[Any],
    *,
    target: Any = None,
    carry: Iterable[Any] = (),
    record: Iterable[Any] = (),
    overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | Callable[..., Any] | None = None,
    before: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
    duration: Any = None,
    blank: Any = None,
    until: Callable[[RunResult], Any] | None = None,
    attempts: int = 1,
    boost: float | Callable[[Any, int], Any] = 0.0,
    seed: int | None = None,
    callbacks: Iterable[Callable[[Presentation], Any]] = (),
    evaluate: Callable[[Session], Any] | None = None,
    evaluate_every: int = 1000,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = _CHECKPOINT_EVERY,
    resume: bool = False,
    report: Any = None,
    report_period: Any = 10.0,
    view: bool = False,
    on_device: bool = False,
) -> Presentations:
    """Present stimuli one after the other on one session.

    Nothing runs before the first presentation is asked for, and nothing between two of them:
    Python between stimuli may read, write and run the session. Every presentation is one
    `Session.run`.

    Parameters
    ----------
    session : Session
    stimuli : StimulusStream, StimulusBatch or iterable
        Of `Stimulus`, or of what `target` takes; without a `target`, of overrides. A stream
        whose ``device`` is ``"auto"`` is prepared on the session's device.
    target : key, optional
        The variable, TimedArray or SpikeGeneratorGroup that is given the stimulus, as bare SI
        values.
    carry : iterable of keys, optional
        What is kept from one run to the next: weights, thresholds. What `before` changes is
        carried in any case.
    record : iterable of keys, optional
        What results hold.
    overrides : mapping, list of pairs or callable, optional
        Further overrides of each run; a function gets the stimulus and the number of attempts
        so far, and returns them.
    before : mapping or list of pairs, optional
        What is done to variables before each run, where they are in memory: by key a function
        of the elements (see `Session.modify`), a text such as ``"w * 78 / sum(w, j)"`` (see
        `Expression`), or `NormaliseWeights`.
    duration : Quantity or float (s), optional
        Of each run, instead of the script's.
    blank : Quantity or float (s), optional
        How long the network goes on after each run, with `target` at zero. Results do not hold
        it; what is carried goes through it.
    until : callable, optional
        Gets the RunResult; where it is false, the stimulus is presented again, at most
        `attempts` times.
    attempts : int, optional
    boost : float or callable, optional
        The value of attempt k (from 0 on) is ``value * (1 + k*boost)``, or what a function of
        (value, k) returns.
    seed : int, optional
        Of the random stream, from the first run on.
    callbacks : iterable of callables, optional
        Called with each `Presentation`.
    evaluate : callable, optional
        Called with the session after every `evaluate_every` presentations; the session is
        as before when it returns, the random stream included.
    evaluate_every : int, optional
    checkpoint : path-like, optional
        File to which the session is saved after every `checkpoint_every` presentations and at
        the end, with the place in the stream. Needs a StimulusStream.
    checkpoint_every : int, optional
    resume : bool, optional
        Go on after the presentations of the checkpoint, if there is one.
    report : {"text", "stdout", "stderr"} or callable, optional
        Says about every `report_period` how far it is; a function gets a `LoopProgress`.
    report_period : Quantity or float (s), optional
    view, on_device : bool, optional
        As in `Session.run`.

    Returns
    -------
    Presentations
        Iterator over `Presentation`.

    Raises
    ------
    StimulusError
        An argument is not usable.
    OverrideError, DurationError, SeedError, ConfigError, CheckpointError
        Likewise. What only shows when a stimulus is there is raised with it; presentations
        that were handed out before are not touched.
    """
    resolved = None if target is None else resolve(session.model.manifest, target,
                                                   session.model.resolver)  # fmt: skip
    if resolved is not None:
        resolved = _checked_target(session, stimuli, resolved)
    changes = bind_changes(session, before)
    check_duration(session.model.manifest, duration, "run")
    if blank is not None:
        check_duration(session.model.manifest, blank, "advance")
    for name, function in (("until", until), ("evaluate", evaluate)):
        if function is not None and not callable(function):
            raise StimulusError(f"{name} is a function, not {function!r}.", name=name)
    if isinstance(stimuli, StimulusStream):
        stimuli = stimuli.near(session)
    if view and blank is not None:
        raise StimulusError(
            "With view=True results would show the end of the blank period. Leave one of the two "
            "out.",
            name="view",
        )
    carry, record = as_list(carry, "carry"), as_list(record, "record")
    carried_numbers(session.model, carry)
    record_targets(session.model, record)
    functions = _functions("callbacks", callbacks)
    attempts, booster = positive("attempts", attempts), _booster(boost)
    evaluate_every = positive("evaluate_every", evaluate_every)
    LoopReporter(report, report_period, None)
    # Last of all: the session is changed
    checkpoints, resumed = None, None
    if checkpoint is not None:
        if not isinstance(stimuli, StimulusStream):
            raise StimulusError(
                "A checkpoint needs stimuli that can be resumed: a StimulusStream.",
                name="checkpoint",
            )
        checkpoints = Checkpoints(session, stimuli, checkpoint, checkpoint_every)
        resumed = checkpoints.resume() if resume else None
        if resumed is not None:
            stimuli = stimuli.starting_at(resumed)
            seed = None
    elif resume:
        raise StimulusError("There is nothing to resume without checkpoint=FILE.", name="resume")
    already = stimuli.order.start if isinstance(stimuli, StimulusStream) and stimuli.order else 0
    length = _length(stimuli)
    total = None if length is None else already + length
    # What was changed is to be there when the run begins
    carried = [*carry, *(_whole(change) for change, _ in changes)]
    settings = _Settings(
        target=resolved,
        overrides=overrides,
        carry=carried,
        record=record,
        before=changes,
        duration=duration,
        blank=blank,
        until=until,
        attempts=attempts,
        boost=booster,
        seed=seed,
        callbacks=functions,
        evaluate=evaluate,
        evaluate_every=evaluate_every,
        checkpoints=checkpoints,
        resumed=already,
        total=total,
        reporter=LoopReporter(report, report_period, total, already),
        view=view,
        on_device=on_device,
        card=_card_of(session),
        dtype=_dtype_of(session, resolved),
    )
    return Presentations(session, stimuli, settings)


def _checked_target(session: Session, stimuli: Any, target: Target) -> Target:
    if target.kind == "monitor":
        raise StimulusError(
            f"'{target.name}' is a monitor and cannot be given stimuli.", name="target"
        )
    unit = getattr(stimuli, "unit", None)
    manifest = session.model.manifest
    if unit == "Hz" and target.kind in ("variable", "timed_array"):
        name = manifest.timed_arrays.get(target.name, target.name)
        info = manifest.variables[session.model.index[name]]
        if tuple(info.dimensions) != _HERTZ:
            raise UnitMismatchError(
                f"The encoder gives rates in hertz, and '{target.name}' has the unit {info.unit}.",
                name=target.name,
                expected=info.unit,
                got="Hz",
            )
    # Encoders give bare SI values
    return replace(target, require_unit=False)


def _card_of(session: Session) -> AbstractContextManager[Any]:
    # Also a session on a card does without CuPy, as long as stimuli come from the host
    try:
        return session.own_card()
    except NotSupportedError:
        return nullcontext()


def _dtype_of(session: Session, target: Target | None) -> np.dtype[Any] | None:
    if target is None or target.kind not in ("variable", "timed_array"):
        return None
    name = session.model.manifest.timed_arrays.get(target.name, target.name)
    return session.model.manifest.variables[session.model.index[name]].numpy_dtype


def _whole(target: Target) -> Target:
    return replace(target, selection=None)


def _length(stimuli: Any) -> int | None:
    if isinstance(stimuli, StimulusStream):
        return stimuli.total
    return len(stimuli) if hasattr(stimuli, "__len__") else None


def _functions(name: str, given: Any) -> tuple[Callable[..., Any], ...]:
    found: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(callable(function) for function in found):
        raise StimulusError(f"{name} is a list of functions, not {given!r}.", name=name)
    return found


def _booster(boost: Any) -> Callable[[Any, int], Any]:
    if callable(boost):
        return boost
    if isinstance(boost, bool) or not isinstance(boost, int | float):
        raise StimulusError(
            f"boost is a number or a function of (value, attempt), not {boost!r}.", name="boost"
        )

    def stronger(value: Any, attempt: int) -> Any:
        if not boost:
            return value
        if isinstance(value, tuple | list | Mapping):
            raise StimulusError(
                "Spike times and other stimuli that are not one array cannot be multiplied. Give "
                "boost a function of (value, attempt).",
                name="boost",
            )
        return value * (1 + boost * attempt)

    return stronger
