"""Whether a further session fits into the memory that the scheduler may use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpurun.meter import MemorySample, meter_for
from gpurun.scheduler.policy import Policy

#: Asking a meter more often than this costs more than it tells.
_SECONDS = 0.5


@dataclass(frozen=True)
class Expected:
    """Bytes that a session is expected to take, when it is opened and while it runs."""

    opened: int
    running: int


@dataclass
class _Gauge:
    """The memory of one device."""

    device: str
    limit: float
    before: int | None = None
    #: What one session has taken, as far as it was measured.
    each: int | None = None
    looked: float = -1e9
    sample: MemorySample = field(default_factory=lambda: MemorySample(0.0))


class Admission:
    """Keeps the sessions of a scheduler within its memory.

    Parameters
    ----------
    policy : Policy
    estimates : mapping of str to Expected
        What a session is expected to take on each device, until it was measured.

    Attributes
    ----------
    corrections : dict of str to float
        What the first session of each device took to open, divided by what was expected.
    """

    def __init__(self, policy: Policy, estimates: Mapping[str, Expected]) -> None:
        self.corrections: dict[str, float] = {}
        self._estimates = dict(estimates)
        self._meters = {device: meter_for(device) for device in policy.devices}
        self._gauges: dict[str, _Gauge] = {}
        for device, meter in self._meters.items():
            sample = meter.sample()
            self._gauges[device] = _Gauge(device, policy.budget(sample.total), sample=sample)

    def close(self) -> None:
        """Let go of the driver."""
        for meter in self._meters.values():
            meter.close()

    def look(self, device: str, *, now: bool = False) -> MemorySample:
        """The memory of a device, as it was at most half a second ago."""
        gauge = self._gauges[device]
        if now or time.monotonic() - gauge.looked > _SECONDS:
            gauge.sample = self._meters[device].sample()
            gauge.looked = time.monotonic()
        return gauge.sample

    def fits(self, device: str, coming: int = 0) -> bool:
        """Whether a further session fits; where nothing can be measured, it does.

        `coming` of them are being opened.
        """
        used = self.look(device, now=True).used
        if used is None:
            return True
        return used + (1 + coming) * self.expected(device) <= self._gauges[device].limit

    def exceeded(self, device: str) -> bool:
        """Whether more is used than may be, by whomever."""
        used = self.look(device).used
        return used is not None and used > self._gauges[device].limit

    def expected(self, device: str) -> int:
        """Bytes that a further session will take."""
        expected = self._estimates.get(device, Expected(0, 0))
        each = self._gauges[device].each
        # Measured before its first run: monitors are yet to be filled
        return expected.running if each is None else each + expected.running - expected.opened

    def opening(self, device: str) -> None:
        """A session is about to be opened."""
        sample = self.look(device, now=True)
        own = sample.own if sample.own is not None else sample.used
        self._gauges[device].before = own

    def opened(self, device: str) -> str | None:
        """It was opened: what it took is what the next one will take.

        Returns
        -------
        str or None
            What the first one took, against what was expected.
        """
        gauge = self._gauges[device]
        if gauge.before is None:
            return None
        sample = self.look(device, now=True)
        own = sample.own if sample.own is not None else sample.used
        said = None
        if own is not None:
            # What others free meanwhile makes it too small
            expected = self._estimates.get(device, Expected(0, 0)).opened
            took = max(0, own - gauge.before)
            # The first also paid for what all share, such as the context
            first = gauge.each is None
            each = took if gauge.each is None else min(gauge.each, took)
            gauge.each = max(each, expected // 2)
            if first and expected:
                self.corrections[device] = took / expected
                said = (
                    f"a session on {device} took {took / 2**20:.1f} MiB to open, where "
                    f"{expected / 2**20:.1f} MiB were expected ({took / expected:.2f} times)"
                )
        gauge.before = None
        return said
