"""How many rounds the parts of a case do, so that all of it ends in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.encoding import Rounds
from gpurun.bench.clocks import Stopwatch
from gpurun.bench.contenders import Contender, rounds_within


@dataclass(frozen=True)
class Budget:
    """What a case may do.

    Attributes
    ----------
    few : bool
        Whether it is a trial, in which each part does two rounds.
    deadline : float or None
        Of ``time.perf_counter()``, when it shall be over.
    """

    few: bool
    deadline: float | None = None

    def part(self, rounds: int, share: float) -> Rounds:
        """Says how many rounds contenders shall do.

        Parameters
        ----------
        rounds : int
            At most; even.
        share : float
            Of the time that is left, for this part.
        """

        def fitting(contenders: Sequence[Contender]) -> int:
            if self.few:
                return 2
            if self.deadline is None:
                return rounds
            with Stopwatch() as watch:
                for contender in contenders:
                    contender.present(-1)
            left = share * (self.deadline - time.perf_counter()) - watch.seconds
            # A ratio of medians needs two values
            return rounds_within(left, watch.seconds, rounds, in_a_row=2)

        return fitting
