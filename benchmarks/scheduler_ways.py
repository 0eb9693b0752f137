"""Ways to present many independent stimuli, as contenders."""

from __future__ import annotations

import statistics
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpurun
from gpurun import Scheduler
from gpurun.bench.clocks import Stopwatch
from gpurun.scheduler.jobs import seed_of
from gpurun.session import Session

TARGET, COUNT = "inputs.rates", "spikes.count"
SEED = 20150803
BARE = "session.run in a loop"
WALL, LOOP = "wall", "time loop of a stimulus"

#: What is read after a presentation.
Values = NDArray[Any]


@dataclass(frozen=True)
class Work:
    """What is to be presented.

    Attributes
    ----------
    model : gpurun.Model
    device : str
        Of sessions.
    rates : sequence of ndarray
        Of the input, in Hz, one array for each stimulus.
    duration : float or None
        Model seconds of a presentation; None: the script's.
    read : str
        What is read after each presentation.
    """

    model: gpurun.Model
    device: str
    rates: Sequence[NDArray[np.float64]]
    duration: float | None = None
    read: str = COUNT

    @cached_property
    def seeds(self) -> list[int]:
        """Those that a `Scheduler` gives these stimuli."""
        return [seed_of(SEED, number) for number in range(len(self.rates))]

    @cached_property
    def expected(self) -> list[Values]:
        """What each stimulus gives in a session that presents nothing else."""
        with self.model.session(device=self.device) as session:
            return [self.alone(session, number)[self.read] for number in range(len(self.rates))]

    def alone(self, session: Session, number: int) -> gpurun.RunResult:
        """Present one stimulus, without a scheduler."""
        return session.run(
            {TARGET: self.rates[number]},
            record=[self.read],
            duration=self.duration,
            seed=self.seeds[number],
        )


class Way(ABC):
    """One way to present all stimuli of a `Work`, once in each round.

    Parameters
    ----------
    name : str
    work : Work
    fresh : bool
        Whether each round begins with nothing there, and gives everything back.

    Attributes
    ----------
    rounds, right : int
        Rounds so far, and those in which all stimuli gave what was expected.
    """

    def __init__(self, name: str, work: Work, *, fresh: bool = False) -> None:
        self.name, self.work, self.fresh = name, work, fresh
        self.rounds = self.right = 0

    @property
    def expected(self) -> Sequence[Values]:
        """What each stimulus has to give."""
        return self.work.expected

    @abstractmethod
    def open(self) -> None:
        """Make ready."""

    @abstractmethod
    def show(self) -> Iterator[tuple[Values, float | None]]:
        """Present all; what was read and the engine's own time of each, in order."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back; allowed if nothing is open."""

    def present(self, number: int) -> Mapping[str, float]:
        """One round."""
        with Stopwatch() as watch:
            if self.fresh:
                self.open()
            try:
                found = list(self.show())
            finally:
                if self.fresh:
                    self.close()
        self.rounds += 1
        pairs = zip(found, self.expected, strict=True)
        self.right += all(np.array_equal(values, other) for (values, _), other in pairs)
        loops = [seconds for _, seconds in found if seconds is not None]
        times = {WALL: watch.seconds}
        return {**times, LOOP: statistics.median(loops)} if loops else times


class Bare(Way):
    """One session, and nothing else."""

    session: Session | None = None

    def open(self) -> None:
        self.session = self.work.model.session(device=self.work.device)

    def show(self) -> Iterator[tuple[Values, float | None]]:
        assert self.session is not None
        for number in range(len(self.work.rates)):
            result = self.work.alone(self.session, number)
            yield result[self.work.read], result.loop_time

    def close(self) -> None:
        if self.session is not None:
            self.session.close()


class BareThreads(Way):
    """As many sessions in threads, and nothing else: what this machine can give at best."""

    def __init__(self, name: str, work: Work, threads: int, *, fresh: bool = False) -> None:
        super().__init__(name, work, fresh=fresh)
        self.threads = threads
        self.sessions: list[Session] = []

    def open(self) -> None:
        model, device = self.work.model, self.work.device
        self.sessions = [model.session(device=device) for _ in range(self.threads)]

    def show(self) -> Iterator[tuple[Values, float | None]]:
        numbers = deque(range(len(self.work.rates)))
        found: dict[int, tuple[Values, float]] = {}

        def serve(session: Session) -> None:
            while True:
                try:
                    number = numbers.popleft()
                except IndexError:
                    return
                result = self.work.alone(session, number)
                found[number] = (result[self.work.read], result.loop_time)

        threads = [threading.Thread(target=serve, args=(one,)) for one in self.sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(len(self.work.rates)):
            yield found[number]

    def close(self) -> None:
        for session in self.sessions:
            session.close()


class Scheduled(Way):
    """A `Scheduler`.

    Parameters
    ----------
    name, work, fresh
        As for `Way`.
    method : {"map", "run"}
    options
        Of the scheduler.

    Attributes
    ----------
    sessions : list of int
        How many were at work at the end of each round.
    """

    def __init__(
        self, name: str, work: Work, method: str = "map", *, fresh: bool = False, **options: Any
    ) -> None:
        super().__init__(name, work, fresh=fresh)
        self.method, self.options = method, options
        self.scheduler: Scheduler | None = None
        self.sessions: list[int] = []

    def open(self) -> None:
        work = self.work
        self.scheduler = Scheduler(work.model, work.device, seed=SEED, **self.options)

    def show(self) -> Iterator[tuple[Values, float | None]]:
        assert self.scheduler is not None
        results = getattr(self.scheduler, self.method)(
            self.work.rates, target=TARGET, record=[self.work.read],
            duration=self.work.duration, seed=SEED,
        )  # fmt: skip
        for result in results:
            yield result[self.work.read], result.loop_time
        self.sessions.append(sum(self.scheduler.sessions.values()))

    def close(self) -> None:
        if self.scheduler is not None:
            self.scheduler.close()
