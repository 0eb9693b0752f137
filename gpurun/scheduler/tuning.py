"""How many sessions side by side make the most of the machine: tried out while running."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Less of an improvement than this is noise.
_WORTH = 1.05
#: Stimuli of each session, and seconds, from which a rate is told.
_STIMULI, _SECONDS = 3, 0.3


@dataclass
class Tuner:
    """Doubles the number of sessions as long as that raises throughput.

    A bounded search: at most log2(most) steps up and one step back.

    Parameters
    ----------
    most : int
        Sessions at most.
    clock : callable, optional
        Seconds, for tests.

    Attributes
    ----------
    wanted : int
        Sessions that are to be at work now.
    settled : bool
        Whether the search is over.
    rates : dict of int to float
        Stimuli per second that were measured, by number of sessions.
    """

    most: int
    clock: Callable[[], float] = time.perf_counter
    wanted: int = 1
    settled: bool = False
    rates: dict[int, float] = field(default_factory=dict)
    _done: int = 0
    _since: float = 0.0
    _best: tuple[int, float] = (0, 0.0)
    #: Stimuli that are not counted: the first of each session is slower.
    _first: int = 0
    _last: float = 0.0
    _doubts: int = 0

    def __post_init__(self) -> None:
        self.settled = self.most <= 1
        self.restart()

    def restart(self) -> None:
        """Forget what was counted: the number of sessions at work has changed."""
        self._done, self._since = 0, self.clock()
        self._last = self._since
        self._first, self._doubts = self.wanted, 0

    def rest(self) -> None:
        """There was nothing to do until now, which says nothing of the rate."""
        now = self.clock()
        self._since += now - self._last
        self._last = now

    def limit(self, most: int) -> None:
        """No more sessions than this fit."""
        self.most = max(1, most)
        if self.wanted > self.most:
            self.wanted, self.settled = self.most, True
        if self._best[0] >= self.most:
            self.settled = True

    def finished(self, working: int) -> None:
        """A stimulus was presented, with `working` sessions at work."""
        self._last = self.clock()
        if self.settled:
            return
        if working != self.wanted:
            # Further ones are being opened
            self.restart()
            return
        if self._first:
            self._first -= 1
            self._since = self.clock()
            return
        self._done += 1
        elapsed = self.clock() - self._since
        if self._done < _STIMULI * working or elapsed < _SECONDS:
            return
        rate = self._done / elapsed
        self.rates[working] = rate
        if rate < self._best[1] * _WORTH:
            # Once may be others at work
            self._doubts += 1
            self._done, self._since = 0, self.clock()
            if self._doubts > 1:
                self.wanted, self.settled = self._best[0], True
            return
        self._best = (working, rate)
        if working >= self.most:
            self.settled = True
        else:
            self.wanted = min(2 * working, self.most)
        self.restart()
