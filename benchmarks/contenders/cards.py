"""The card of contenders that use one, and what they take of it: memory, energy."""

from __future__ import annotations

from collections.abc import Callable

from gpurun.bench import card
from gpurun.bench.card import BenchmarkCard
from gpurun.bench.suite.contender import DEVICE_PEAK, Absent
from gpurun.errors import DeviceUnavailableError, ToolchainError
from gpurun.meter import CardMeter
from gpurun.meter_sampler import Sampler

from .common import Measures, choose_flags

#: Seconds between two samples while a program runs.
_PERIOD = 0.01


def describe() -> BenchmarkCard:
    """Return the card that CUDA counts as its first.

    Raises
    ------
    Absent
        There is none, or nothing to compile for it with.
    """
    try:
        return card.describe()
    except (DeviceUnavailableError, ToolchainError) as error:
        raise Absent(str(error)) from error


def choose_card_flags(found: BenchmarkCard) -> None:
    """The flags of all contenders. For an emulated card, whose speed means nothing, quick ones."""
    choose_flags(["-w", "-O0", "-ffp-contract=off"] if found.emulated else None)


class CardUse:
    """Memory and energy that the first card takes; for whom, the driver does not always tell."""

    def __init__(self) -> None:
        self._meter = CardMeter(0)
        self._before = self._meter.sample().used
        self._more: int | None = None

    def note(self) -> None:
        """What the card has less now than at the beginning is this contender's.

        Contenders are set up one after the other.
        """
        used = self._meter.sample().used
        if used is not None and self._before is not None:
            self._more = used - self._before

    def own(self) -> Measures:
        """What this process has now, or else what `note` has found."""
        own = self._meter.sample().own or self._more
        return {DEVICE_PEAK: float(own)} if own else {}

    def sampler(self) -> Sampler:
        """To be used in a ``with`` block, in which a program runs, and given to `risen`."""
        self._before = self._meter.sample().used
        return Sampler(self._meter, _PERIOD)

    def risen(self, sampler: Sampler) -> Measures:
        """By how much the card was fuller in the block than before."""
        most = sampler.peak.used
        if most is None or self._before is None or most <= self._before:
            return {}
        return {DEVICE_PEAK: float(most - self._before)}

    def energy_of(self, work: Callable[[], object]) -> float | None:
        """Joules of the whole card during `work`, or None where NVML does not count them.

        A card counts in steps of a tenth of a second or so.
        """
        before = self._meter.energy()
        work()
        after = self._meter.energy()
        if before is None or after is None or after <= before:
            return None
        return after - before

    def close(self) -> None:
        """Let go of the driver."""
        self._meter.close()
