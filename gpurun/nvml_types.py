"""What is known of the NVIDIA cards of a machine at one moment. None stands for "not available"."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Why a card's clock is lower than it could be, by NVML's bits (nvmlClocksEventReason...).
THROTTLE_REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}


def throttle_names(bits: int) -> tuple[str, ...]:
    """The names of the reasons whose bits are set, the lowest bit first.

    A bit that has no name here, because a later driver brought it, is shown as ``"0x800"``.
    """
    found = (1 << place for place in range(bits.bit_length()) if bits >> place & 1)
    return tuple(THROTTLE_REASONS.get(bit, hex(bit)) for bit in found)


@dataclass(frozen=True)
class DeviceMemory:
    """The memory of a card, or of a slice of one.

    Attributes
    ----------
    total, used, free : int or None
        In bytes. What the driver keeps for itself counts as used.
    processes : dict of int to (int or None), or None
        What each process uses, in bytes, by its id. None: the driver does not tell, or there is
        no card. In a container the list may be empty, or may hold ids that mean nothing there.
    """

    total: int | None = None
    used: int | None = None
    free: int | None = None
    processes: dict[int, int | None] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class MigInstance:
    """A slice of a card (MIG), at one moment. To CUDA it is a card of its own.

    Attributes
    ----------
    index : int
        Its place on the card.
    cuda_index, name, uuid, memory_total, memory_used, memory_free, processes
        As for a `Card`, but of this slice alone. The UUID begins with ``MIG-``.
    gpu_instance, compute_instance : int or None
        NVML's numbers for it.
    """

    index: int
    cuda_index: int | None = None
    name: str | None = None
    uuid: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    memory_free: int | None = None
    processes: dict[int, int | None] | None = field(default=None, hash=False)
    gpu_instance: int | None = None
    compute_instance: int | None = None


@dataclass(frozen=True)
class Card:
    """One card, at one moment.

    Attributes
    ----------
    nvml_index : int
        Its number for ``nvidia-smi``: by PCI bus.
    cuda_index : int or None
        Its number for CUDA in this process, as in ``--device cuda:N``. None if CUDA does not
        see it, for instance because ``CUDA_VISIBLE_DEVICES`` leaves it out. Of a divided card:
        the number of the first slice that CUDA sees.
    name, uuid : str or None
    memory_total, memory_used, memory_free : int or None
        In bytes; None on cards that have no memory of their own.
    processes : dict of int to (int or None), or None
        Bytes by process id, see `DeviceMemory`.
    utilisation_gpu, utilisation_memory : int or None
        The share of the last moment (by the card, 1/6 s to 1 s) in which a kernel ran, and in
        which memory was read or written, in per cent. None for divided cards.
    temperature : int or None
        Of the chip, in degrees Celsius.
    power, power_limit : float or None
        What it draws and may draw, in watts.
    clock_sm, clock_memory : int or None
        In MHz.
    throttle_reasons : tuple of str or None
        Why the clock is lower than it could be, see `THROTTLE_REASONS`; empty at full speed.
        An idle card says ``"idle"``.
    ecc : bool or None
        Whether memory is checked for errors.
    ecc_corrected, ecc_uncorrected : int or None
        Errors of memory since the driver was loaded. One that could not be corrected ended
        the program that ran.
    mig : bool or None
        Whether the card can be divided (MIG mode).
    mig_instances : tuple of MigInstance
        The slices that this process may know of.
    """

    nvml_index: int
    cuda_index: int | None = None
    name: str | None = None
    uuid: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    memory_free: int | None = None
    processes: dict[int, int | None] | None = field(default=None, hash=False)
    utilisation_gpu: int | None = None
    utilisation_memory: int | None = None
    temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    clock_sm: int | None = None
    clock_memory: int | None = None
    throttle_reasons: tuple[str, ...] | None = None
    ecc: bool | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    mig: bool | None = None
    mig_instances: tuple[MigInstance, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The driver and its cards, at one moment.

    Attributes
    ----------
    driver_version : str or None
        None: there is no driver, or it does not answer.
    cuda_version : tuple of (int, int) or None
        The newest CUDA that the driver supports.
    cards : tuple of Card
        In the order of their NVML index.
    problem : str or None
        Why CUDA can use none of the cards; None if it can use at least one.
    """

    driver_version: str | None = None
    cuda_version: tuple[int, int] | None = None
    cards: tuple[Card, ...] = ()
    problem: str | None = None

    def device(self, cuda_index: int) -> Card | MigInstance | None:
        """The card, or the slice of one, that CUDA means by a number; None if it means none."""
        for card in self.cards:
            for part in card.mig_instances:
                if part.cuda_index == cuda_index:
                    return part
        return next((card for card in self.cards if card.cuda_index == cuda_index), None)

    @property
    def cuda_order(self) -> dict[str, int]:
        """CUDA's numbers, by UUID; those of slices, too."""
        parts = [*self.cards, *(part for card in self.cards for part in card.mig_instances)]
        return {
            part.uuid: part.cuda_index
            for part in parts
            if part.uuid is not None and part.cuda_index is not None
        }
