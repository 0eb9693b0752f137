"""What a run of the suite is to do, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gpurun.errors import ConfigError

#: The contender that the others have to agree with: Brian2's own reference, in NumPy.
REFERENCE = "brian2-numpy"

QUICK_CASES = ("cuba", "diehl_cook")
QUICK_CONTENDERS = ("gpurun-cpu", "gpurun-cuda", "brian2-numpy", "brian2-cpp")


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    cases : tuple of (str, str)
        Names of cases and of their sizes.
    contenders : tuple of str
    seconds : float
        The time limit of it all.
    width : float
        The relative half-width of a median's interval that is tight enough.
    judged : int
        Presentations that contenders have to agree on.
    rounds : int
        Most turns of a contender that are timed.
    replicas : tuple of int
        Numbers of stimuli at a time; empty: throughput is not measured.
    quick : bool
    """

    cases: tuple[tuple[str, str], ...]
    contenders: tuple[str, ...]
    seconds: float
    width: float = 0.05
    judged: int = 4
    rounds: int = 60
    replicas: tuple[int, ...] = (1, 2)
    quick: bool = False

    def __post_init__(self) -> None:
        if not self.cases or not self.contenders:
            raise ConfigError("A benchmark needs at least one case and one contender.")
        if not self.seconds > 0:
            raise ConfigError(
                f"The time limit is {self.seconds:g} s: expected a positive number of seconds."
            )


class Deadline:
    """Shares what is left of a time limit."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end, 0 after it."""
        return max(0.0, self._end - time.perf_counter())

    def share(self, parts: int) -> Deadline:
        """The end of the first of so many equal parts of what is left."""
        return Deadline(self.left / max(1, parts))


def chosen(what: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The names of `known` that `wanted` lists, in the order of `known`; all if it lists none.

    Raises
    ------
    ConfigError
        One of them is not known.
    """
    for name in wanted:
        if name not in known:
            raise ConfigError(f"There is no {what} {name!r}: expected some of {', '.join(known)}.")
    return tuple(name for name in known if not wanted or name in wanted)
