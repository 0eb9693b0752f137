"""Whether a further session fits into the memory that the scheduler may use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from gpurun.meter import MemorySample, meter_for
from gpurun.scheduler.policy import Policy

#: Asking a meter more often than this costs more than it tells.
_SECONDS = 0.5


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
    estimates : mapping of str to int
        What a session is expected to take on each device, in bytes, until it was measured.
    """

    def __init__(self, policy: Policy, estimates: dict[str, int]) -> None:
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
        each = self._gauges[device].each
        return self._estimates.get(device, 0) if each is None else each

    def opening(self, device: str) -> None:
        """A session is about to be opened."""
        sample = self.look(device, now=True)
        own = sample.own if sample.own is not None else sample.used
        self._gauges[device].before = own

    def opened(self, device: str) -> None:
        """It was opened, and has run: what it took is what the next one will take."""
        gauge = self._gauges[device]
        if gauge.before is None:
            return
        sample = self.look(device, now=True)
        own = sample.own if sample.own is not None else sample.used
        if own is not None:
            took = max(0, own - gauge.before)
            # The first also paid for what all share, such as the context
            gauge.each = took if gauge.each is None else min(gauge.each, took)
        gauge.before = None
