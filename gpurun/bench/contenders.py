"""Runs contenders in turns, so that a drift of the machine meets all of them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gpurun.errors import ConfigError

Series = dict[str, dict[str, list[float]]]


class Contender(Protocol):
    """Something that does the measured job once per round."""

    @property
    def name(self) -> str:
        """Distinct among the contenders of a case."""
        ...

    def present(self, number: int) -> Mapping[str, float]:
        """Do the job of round `number` and return what was measured, by measure."""
        ...


def interleave(
    contenders: Sequence[Contender],
    rounds: int,
    *,
    warmup: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Series:
    """Let every contender do every round, and collect the measures.

    Who begins moves on by one each round, so that nobody always runs with the caches
    that the same predecessor left. Garbage is collected between rounds, not in them.

    Parameters
    ----------
    contenders : sequence of Contender
        With distinct names.
    rounds : int
        Measured rounds, at least one.
    warmup : int
        Rounds before that whose measures are dropped. Their numbers are negative, so
        that a contender whose state goes on from round to round can tell.
    progress : callable, optional
        Called with the rounds done and the rounds to do.

    Returns
    -------
    dict
        Contender name to measure to one value per round.

    Raises
    ------
    ConfigError
        If names repeat, `rounds` is not positive, or a contender's measures change
        from round to round.
    """
    names = [contender.name for contender in contenders]
    if len(set(names)) != len(names):
        raise ConfigError(f"Contenders need distinct names, got {', '.join(names)}.")
    if rounds < 1 or warmup < 0:
        raise ConfigError(f"Expected at least one round and no negative warm-up, got {rounds}.")
    series: Series = {name: {} for name in names}
    enabled = gc.isenabled()
    gc.disable()
    try:
        for number in range(-warmup, rounds):
            gc.collect()
            first = number % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                measured = contender.present(number)
                if number >= 0:
                    _add(series[contender.name], contender.name, measured, number)
            if progress is not None and number >= 0:
                progress(number + 1, rounds)
    finally:
        if enabled:
            gc.enable()
    return series


def _add(
    collected: dict[str, list[float]], name: str, measured: Mapping[str, float], number: int
) -> None:
    if number and collected.keys() != measured.keys():
        raise ConfigError(
            f"Contender {name!r} measured {sorted(measured)} in round {number}, "
            f"and {sorted(collected)} before. Every round has to give the same measures."
        )
    for measure, value in measured.items():
        collected.setdefault(measure, []).append(float(value))
