"""Meters: how much memory a device has, and who uses it; what energy a card takes.

`meter_for` gives the meter of a device; a `Sampler` reads one in the background.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from gpurun import nvml
from gpurun.config import parse_device
from gpurun.errors import ConfigError
from gpurun.meter_host import HostMeter
from gpurun.meter_sampler import Sampler
from gpurun.meter_types import MemorySample, Meter, Peak, Timeline

__all__ = [
    "CardMeter",
    "HostMeter",
    "MemorySample",
    "Meter",
    "Peak",
    "Sampler",
    "Timeline",
    "meter_for",
]

# The process ids of the machine itself, not of a container: their namespace has always this
# number (PROC_PID_INIT_INO of the kernel).
_FIRST_NAMESPACE = "pid:[4026531836]"


def _driver_knows_our_ids() -> bool:
    """Whether ids in the driver's list are ids here, so that one that is missing means "no use".

    In a container the list may be empty or hold the machine's ids. The driver in a virtual
    machine of Windows (WSL) lists nothing.
    """
    try:
        return os.readlink("/proc/self/ns/pid") == _FIRST_NAMESPACE and not os.path.exists(
            "/dev/dxg"
        )
    except OSError:
        return False


class CardMeter:
    """The memory of a card, or of a slice of one (MIG), and the energy of a card.

    Reads NVML, which takes neither a context nor memory on the card. CUDA is asked once, by a
    process of its own, which card its number means.

    Parameters
    ----------
    cuda_index : int
        CUDA's number of the card in this process.
    pids : iterable of int, optional
        The processes that `MemorySample.own` is about, such as workers; this one by default.

    Attributes
    ----------
    uuid : str or None
        ``GPU-...`` or ``MIG-...``.
    problem : str or None
        Why there is no such card. All figures are None then.

    Notes
    -----
    `MemorySample.own` is None where the driver does not tell: on some cards, and in a container
    whose processes it lists under other ids. If an id of the container happens to be that of
    another process of the machine that uses the card, the wrong one counts.
    """

    def __init__(self, cuda_index: int, pids: Iterable[int] | None = None) -> None:
        self.device = f"cuda:{cuda_index}"
        self.pids = None if pids is None else frozenset(pids)
        self.uuid, self.problem = nvml.uuid_of(cuda_index)
        self._watch = None if self.uuid is None else nvml.Watch(self.uuid)
        self._ids_are_known = _driver_knows_our_ids()

    def sample(self) -> MemorySample:
        """The memory now."""
        now = time.time()
        if self._watch is None:
            return MemorySample(now)
        found = self._watch.memory()
        return MemorySample(now, found.total, found.used, found.free, self._own(found))

    def _own(self, found: nvml.DeviceMemory) -> int | None:
        pids = frozenset((os.getpid(),)) if self.pids is None else self.pids
        if found.processes is None:
            return None
        listed = [amount for pid, amount in found.processes.items() if pid in pids]
        if not listed:
            return 0 if self._ids_are_known else None
        known = [amount for amount in listed if amount is not None]
        return sum(known) if len(known) == len(listed) else None

    def energy(self) -> float | None:
        """Joules that the card has taken since its driver was loaded; None where NVML has no count.

        Of the whole card, whoever uses it: a slice (MIG) has no count of its own.
        """
        return None if self._watch is None else self._watch.energy()

    def close(self) -> None:
        """Let go of NVML. The next sample takes hold of it again."""
        if self._watch is not None:
            self._watch.close()


def meter_for(device: str) -> Meter:
    """Return the meter of a device: ``"cpu"``, ``"cuda:1"``, or ``"cuda"`` for CUDA's first card.

    Raises
    ------
    ConfigError
        `device` names no device. (That a card is not there is no error: see `CardMeter`.)
    """
    spec = parse_device(device)
    if spec.kind == "auto":
        raise ConfigError(
            "A meter is for a device that is chosen: 'cpu' or 'cuda:0', not 'auto'.",
            name="device",
            value=device,
        )
    return HostMeter() if spec.kind == "cpu" else CardMeter(spec.index or 0)
