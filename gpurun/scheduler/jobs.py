"""What a seat is given to do, and what comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from gpurun.calls import as_list, carried_numbers, check_duration, record_targets
from gpurun.errors import ScheduleError, StimulusError
from gpurun.model import Model
from gpurun.overrides import Target, pairs, resolve
from gpurun.stimulus.batch import Stimulus


@dataclass(frozen=True)
class Failed:
    """Stands for the result of a stimulus that failed; it counts as false.

    Attributes
    ----------
    index : int
        Number of the stimulus in its list.
    error : Exception
    attempts : int
        How often it was tried.
    """

    index: int
    error: BaseException
    attempts: int

    def __bool__(self) -> bool:
        return False


def failed(index: int, error: BaseException, attempts: int) -> Failed:
    """What stands for a result; without the frames of the error, which hold arrays."""
    return Failed(index, error.with_traceback(None), attempts)


@dataclass(eq=False)
class Job:
    """One stimulus to present.

    Attributes
    ----------
    index : int
        Number in its list.
    overrides : list of (Target, value)
    options : mapping
        For `Session.run`: carry, record, duration, seed.
    future : Future
        Gets the RunResult.
    timeout : float or None
        Wall seconds.
    attempts, crashes : int
        Runs so far; sessions that were lost while they ran it.
    abandoned : bool
        Whether nobody wants its result any more.
    number : int
        Among all stimuli of a scheduler, for its log.
    queued : float
        When it was ready to be run.
    """

    index: int
    overrides: list[tuple[Target, Any]]
    options: Mapping[str, Any]
    timeout: float | None = None
    future: Future[Any] = field(default_factory=Future)
    attempts: int = 0
    crashes: int = 0
    abandoned: bool = False
    number: int = 0
    queued: float = field(default_factory=time.perf_counter)

    def failure(self, error: BaseException) -> ScheduleError:
        """The error of this stimulus, for the caller."""
        wrapped = ScheduleError(
            f"Stimulus {self.index} failed after {self.attempts} attempt(s): "
            f"{type(error).__name__}: {error}",
            index=self.index,
            attempts=self.attempts,
        )
        wrapped.__cause__ = error
        return wrapped


@dataclass(frozen=True)
class Request:
    """How each stimulus of a list becomes a `Job`.

    `call` counts the lists of a scheduler, and `numbers` its stimuli. Brian objects are looked
    up here, in the caller's thread.
    """

    model: Model
    target: Target | None
    carry: tuple[Target, ...]
    record: tuple[Target, ...]
    duration: Any
    timeout: float | None
    seed: int
    call: int
    numbers: Iterator[int]

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        target: Any = None,
        carry: Iterable[Any] = (),
        record: Iterable[Any] = (),
        duration: Any = None,
        timeout: float | None = None,
        seed: int,
        call: int = 0,
        numbers: Iterator[int] | None = None,
    ) -> Request:
        """Look up the keys.

        Raises
        ------
        OverrideError, DurationError
            And their subclasses.
        """

        def find(key: Any) -> Target:
            return resolve(model.manifest, key, model.resolver)

        found = None if target is None else replace(find(target), require_unit=False)
        carried = tuple(find(key) for key in as_list(carry, "carry"))
        carried_numbers(model, carried)
        return cls(
            model,
            found,
            carried,
            tuple(record_targets(model, record)),
            check_duration(model.manifest, duration, "run"),
            timeout,
            seed,
            call,
            count() if numbers is None else numbers,
        )

    def job(self, index: int, stimulus: Any) -> Job:
        """The job for one stimulus.

        Raises
        ------
        StimulusError
            It is no mapping or list of pairs, and there is no target.
        OverrideError
            And its subclasses: a key is not usable.
        """
        if isinstance(stimulus, Stimulus):
            stimulus = stimulus.value
        if self.target is not None:
            entries = [(self.target, stimulus)]
        else:
            if not isinstance(stimulus, Mapping | list | tuple):
                raise StimulusError(
                    f"Stimulus {index} is of type {type(stimulus).__name__}. A stimulus is a "
                    "mapping of overrides; or name the variable that takes it: target=...",
                    name="stimuli",
                )
            entries = [
                (resolve(self.model.manifest, key, self.model.resolver), value)
                for key, value in pairs(stimulus)
            ]
        options = {
            "carry": list(self.carry),
            "record": list(self.record),
            "duration": self.duration,
            "seed": self.seed_of(index),
        }
        return Job(index, entries, options, self.timeout, number=next(self.numbers))

    def seed_of(self, index: int) -> int:
        """The seed of a stimulus: in each call another one."""
        # As many numbers as no other use of a seed has
        return seed_of(self.seed, *((self.call, index, 0) if self.call else (index,)))


def seed_of(seed: int, *where: int) -> int:
    """The seed of one stimulus of a list (or point and repetition), by its place alone.

    Whichever session presents it, and whenever, it has the same random numbers.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=where)
    return int(sequence.generate_state(1)[0])
