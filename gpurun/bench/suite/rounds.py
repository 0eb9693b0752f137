"""Presentations in turns until the medians are known well enough, or the time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gpurun.bench import stats
from gpurun.bench.suite.contender import WALL
from gpurun.bench.suite.plan import Deadline

#: Turns that every contender has, as long as there is time.
LEAST = 3
#: Values that are needed before an interval is looked at.
ENOUGH = 8
#: Stimuli that a contender presents in one turn, where they take less than so many seconds. A loop
#: over stimuli has warm caches; with one in a turn, each would find what the others left.
IN_A_ROW, SHORT = 5, 0.1

#: Presents so many stimuli from this number on and returns what was measured, for each.
Present = Callable[[int, int], Sequence[Mapping[str, float]]]


class Racer:
    """One contender in the race.

    Attributes
    ----------
    name : str
    measured : dict of str to list of float
        By measure, one value per presentation.
    spent : float
        Seconds of its presentations.
    """

    def __init__(self, name: str, present: Present) -> None:
        self.name = name
        self._present = present
        self.measured: dict[str, list[float]] = {}
        self.spent = 0.0

    @property
    def count(self) -> int:
        """Presentations so far."""
        return len(self.measured.get(WALL, ()))

    def present(self, turn: int) -> None:
        """Do the presentations of a turn and keep what they measured."""
        short = self.count > 0 and self.spent < SHORT * self.count
        for measured in self._present(turn * IN_A_ROW, IN_A_ROW if short else 1):
            for name, value in measured.items():
                self.measured.setdefault(name, []).append(float(value))
            self.spent += measured[WALL]

    def tight(self, width: float) -> bool:
        """Whether the interval of the median reaches at most `width` of it to either side."""
        if self.count < ENOUGH:
            return False
        found = stats.median_interval(self.measured[WALL])
        half = max(found.high - found.value, found.value - found.low)
        return found.level >= 0.95 and half <= width * found.value


def race(
    racers: Sequence[Racer],
    deadline: Deadline,
    *,
    width: float,
    most: int,
    dropped: Callable[[Racer, Exception], None],
) -> None:
    """Let all take a turn, then all the next one, and so on.

    Who begins moves on by one each round. A contender that has used up its share of the time
    waits, so that a slow one does not keep the others from being measured well; none stops because
    it alone is known well enough: what slows the machine down would then meet only the others.

    Parameters
    ----------
    racers : sequence of Racer
    deadline : Deadline
    width : float
        See `Racer.tight`; it ends when all are.
    most : int
        Turns of each, at most.
    dropped : callable
        Told of a contender that raised; it takes no further part.
    """
    taking_part = list(racers)
    share = deadline.left / max(1, len(taking_part))
    for turn in range(most):
        if not taking_part or deadline.left <= 0:
            return
        if turn >= LEAST and all(
            racer.tight(width) or racer.spent > share for racer in taking_part
        ):
            return
        first = turn % len(taking_part)
        for racer in [*taking_part[first:], *taking_part[:first]]:
            if racer.count >= LEAST and (racer.spent > share or deadline.left <= 0):
                continue
            try:
                racer.present(turn)
            except Exception as error:
                taking_part.remove(racer)
                dropped(racer, error)
