"""What an estimate of memory is: bytes by part, for the host and for the card."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


@dataclass(frozen=True)
class Parts:
    """Bytes of one memory, by what they are for.

    Attributes
    ----------
    arrays : int
        Variables of neurons, clocks and inputs, and static arrays.
    synapses : int
        Arrays with one element for each synapse, and the numbers of synapses of each neuron.
    queues : int
        Spikes under way, and where each neuron's synapses are.
    baseline : int
        Copies of what a run can change, to which a reset puts it back.
    snapshots : int
        Likewise, for `Session.store`.
    random : int
        States of random number generators.
    monitors : int
        What monitors record.
    staging : int
        Pinned memory of the host through which overrides go to a card.
    code : int
        The session's copy of the library.
    context : int
        CUDA's context: once for each process and card, whatever the number of sessions.
    """

    arrays: int = 0
    synapses: int = 0
    queues: int = 0
    baseline: int = 0
    snapshots: int = 0
    random: int = 0
    monitors: int = 0
    staging: int = 0
    code: int = 0
    context: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def per_session(self) -> int:
        """What every further session of the same process takes."""
        return self.total - self.context


@dataclass(frozen=True)
class Correction:
    """An estimate, and what was measured instead.

    Attributes
    ----------
    estimate : MemoryEstimate
    measured : int
        Bytes of the device's memory, in which the estimate has `MemoryEstimate.expected`.
    """

    estimate: MemoryEstimate
    measured: int

    @property
    def ratio(self) -> float:
        """What was measured, divided by what was estimated: what to multiply the next one by."""
        return self.measured / self.estimate.expected if self.estimate.expected else float("nan")

    def __str__(self) -> str:
        return (
            f"estimated {_text(self.estimate.expected)}, measured {_text(self.measured)} "
            f"(ratio {self.ratio:.3f})"
        )


@dataclass(frozen=True)
class MemoryEstimate:
    """The memory that a session is going to take. Printing it shows a table.

    Attributes
    ----------
    host, card : Parts
        The card's are zero for a model for the CPU.
    backend : {"cpu", "cuda"}
    duration : float
        Model time in seconds for which monitors record.
    snapshots : int
        How many `Session.store` keeps.
    events : mapping of str to float
        Events that each monitor of events was assumed to record.
    model : int
        Bytes of the `Model` itself: one copy for all sessions of a process. In no total.
    """

    host: Parts
    card: Parts
    backend: str
    duration: float
    snapshots: int
    events: dict[str, float] = field(default_factory=dict)
    model: int = 0

    @property
    def total(self) -> int:
        """Bytes of the host and of the card together."""
        return self.host.total + self.card.total

    @property
    def expected(self) -> int:
        """Bytes of one session in the memory of the device: the card, or the host on the CPU.

        Without CUDA's context.
        """
        return (self.card if self.backend == "cuda" else self.host).per_session

    def corrected(self, measured: int) -> Correction:
        """Compare with what a session really took.

        Parameters
        ----------
        measured : int
            Bytes by which its opening and its first run made the used memory of the device grow,
            without CUDA's context.
        """
        return Correction(self, int(measured))

    def __str__(self) -> str:
        sides: dict[str, Any] = {"host": self.host}
        if self.backend == "cuda":
            sides["card"] = self.card
        rows = [
            (part.name, *(getattr(side, part.name) for side in sides.values()))
            for part in fields(Parts)
        ]
        rows = [row for row in rows if any(row[1:])]
        rows.append(("total", *(side.total for side in sides.values())))
        lines = [f"{'':10}" + "".join(f"{name:>14}" for name in sides)]
        lines += [
            f"{name:10}" + "".join(f"{_text(size):>14}" for size in sizes) for name, *sizes in rows
        ]
        stored = {0: "", 1: ", 1 snapshot"}.get(self.snapshots, f", {self.snapshots} snapshots")
        return "\n".join([*lines, f"for {self.duration:g} s of model time{stored}"])


def _text(size: int) -> str:
    for unit, name in _UNITS:
        if abs(size) >= unit:
            return f"{size / unit:.2f} {name}"
    return f"{size} B"
