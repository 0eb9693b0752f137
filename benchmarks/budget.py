"""How many rounds the parts of a case do, so that all of it ends in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.bench.contenders import Contender, Series, interleave, rounds_within


@dataclass(frozen=True)
class Part:
    """How much of a case one of its parts does.

    Attributes
    ----------
    rounds : int
        At most; a multiple of `in_a_row`.
    in_a_row : int
        Rounds of one contender before the next one's turn.
    share : float
        Of the time that is left.
    deadline : float or None
        Of ``time.perf_counter()``, when the case shall be over.
    """

    rounds: int
    in_a_row: int = 1
    share: float = 1.0
    deadline: float | None = None

    def take_turns(
        self, recording: Recording, group: str, contenders: Sequence[Contender]
    ) -> Series:
        """Let the contenders do as many rounds as fit; keeps and returns what they measured."""
        count = self._fitting(contenders)
        recording.say(f"{group}: {count} rounds in turns of {self.in_a_row}")
        found = interleave(contenders, count, in_a_row=self.in_a_row, warmup=1)
        recording.add_all(group, found)
        return found

    def _fitting(self, contenders: Sequence[Contender]) -> int:
        if self.deadline is None:
            return self.rounds
        with Stopwatch() as watch:
            for contender in contenders:
                contender.present(-1)
        # A turn before the clock counts
        left = self.share * (self.deadline - time.perf_counter()) - watch.seconds
        # A ratio of medians needs two values
        turn = self.in_a_row if self.in_a_row > 1 else 2
        return rounds_within(left, watch.seconds, self.rounds, in_a_row=turn)


@dataclass(frozen=True)
class Budget:
    """What a case may do.

    Attributes
    ----------
    few : bool
        Whether it is a trial, in which each part does two rounds.
    deadline : float or None
        As for `Part`.
    """

    few: bool
    deadline: float | None = None

    def part(self, rounds: int, share: float, in_a_row: int = 1) -> Part:
        """A part that does so many rounds, in this share of the time that is left.

        Parameters
        ----------
        rounds : int
            A multiple of `in_a_row`, and even if that is 1.
        share : float
        in_a_row : int
        """
        if self.few:
            return Part(2)
        return Part(rounds, in_a_row, share, self.deadline)
