"""What meters measure: one moment, a peak, and a time line of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class MemorySample:
    """The memory of one device at one moment.

    Attributes
    ----------
    time : float
        In seconds since the epoch, as `time.time`.
    total, used, free : int or None
        Bytes of the device, whoever uses them. None: not available.
    own : int or None
        Of `used`: bytes of this process; on the host with its children.
    """

    time: float
    total: int | None = None
    used: int | None = None
    free: int | None = None
    own: int | None = None


class Meter(Protocol):
    """Something that measures the memory of a device."""

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda:0"``."""
        ...

    def sample(self) -> MemorySample:
        """The memory now; never raises because a figure is missing."""
        ...

    def close(self) -> None:
        """Let go of the driver. The next sample takes hold of it again."""
        ...


@dataclass(frozen=True)
class Peak:
    """The largest values of several samples.

    Attributes
    ----------
    used, own : int or None
        In bytes, each for itself: they need not have occurred together. None: no sample had
        such a figure.
    """

    used: int | None = None
    own: int | None = None

    def joined(self, sample: MemorySample) -> Peak:
        """The peak of what was seen before and of `sample`."""
        return Peak(_larger(self.used, sample.used), _larger(self.own, sample.own))


def _larger(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else max(one, other)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Samples in the order of time.

    Attributes
    ----------
    time : ndarray, shape (samples,), float64
        In seconds since the epoch.
    total, used, free, own : ndarray, shape (samples,), float64
        In bytes, as in `MemorySample`; nan: not available. Whole numbers to 2**53.
    """

    time: np.ndarray
    total: np.ndarray
    used: np.ndarray
    free: np.ndarray
    own: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    @property
    def peak(self) -> Peak:
        """The largest values that are available."""
        known = (column[~np.isnan(column)] for column in (self.used, self.own))
        return Peak(*(int(column.max()) if len(column) else None for column in known))
