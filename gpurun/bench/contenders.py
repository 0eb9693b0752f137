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
    in_a_row: int = 1,
    warmup: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Series:
    """Let every contender do every round, and collect the measures.

    Who begins moves on by one each turn, so that nobody always runs with the caches
    that the same predecessor left. Garbage is collected between turns, not in them.

    Parameters
    ----------
    contenders : sequence of Contender
        With distinct names.
    rounds : int
        Measured rounds, at least one.
    in_a_row : int
        Rounds that a contender does in one turn, before the next one's. With one, each
        round begins with caches full of what the others did; in a loop that presents
        stimuli nobody else comes in between, and several in a row are what it is like.
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
        If names repeat, `rounds` is not a positive multiple of `in_a_row`, or a
        contender's measures change from round to round.
    """
    names = [contender.name for contender in contenders]
    if len(set(names)) != len(names):
        raise ConfigError(f"Contenders need distinct names, got {', '.join(names)}.")
    if rounds < 1 or warmup < 0:
        raise ConfigError(f"Expected at least one round and no negative warm-up, got {rounds}.")
    if in_a_row < 1 or rounds % in_a_row:
        raise ConfigError(f"Expected rounds in turns of {in_a_row}, got {rounds} rounds.")
    series: Series = {name: {} for name in names}
    enabled = gc.isenabled()
    gc.disable()
    try:
        starts = [-warmup] if warmup else []
        for turn, start in enumerate([*starts, *range(0, rounds, in_a_row)], -len(starts)):
            gc.collect()
            numbers = range(start, start + in_a_row if start >= 0 else 0)
            first = turn % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                for number in numbers:
                    measured = contender.present(number)
                    if number >= 0:
                        _add(series[contender.name], contender.name, measured, number)
            if progress is not None and start >= 0:
                progress(numbers.stop, rounds)
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


def rounds_within(seconds: float, per_round: float, most: int, *, in_a_row: int = 1) -> int:
    """How many rounds to do in `seconds`, in whole turns: one turn at least, `most` at most.

    Parameters
    ----------
    seconds : float
        That are left; may be negative.
    per_round : float
        Seconds that a round of all contenders takes.
    most : int
        A multiple of `in_a_row`, as the result is.
    in_a_row : int
        See :func:`interleave`.

    Raises
    ------
    ConfigError
        If `per_round` is not positive, or `most` is no whole number of turns.
    """
    if per_round <= 0 or most < in_a_row or in_a_row < 1 or most % in_a_row:
        raise ConfigError(
            f"Expected a positive time per round and whole turns of {in_a_row}, got {per_round} s "
            f"and at most {most} rounds."
        )
    turns = int(max(seconds, 0.0) / (per_round * in_a_row))
    return in_a_row * min(max(turns, 1), most // in_a_row)
