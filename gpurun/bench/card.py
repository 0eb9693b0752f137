"""Which card a case runs on, and with what driver and toolkit."""

from __future__ import annotations

from dataclasses import dataclass

from gpurun import nvml
from gpurun.errors import DeviceUnavailableError
from gpurun.toolchain_cuda import CudaToolkit
from gpurun.toolchain_nvcc import find_nvcc

#: What stands in a report for a card whose speed means nothing.
EMULATED = "emulated"


@dataclass(frozen=True)
class BenchmarkCard:
    """The first card that CUDA sees, and what compiles for it.

    Attributes
    ----------
    name : str
        As the driver gives it.
    capability : tuple of int
        Such as (9, 0).
    driver : str
        Version.
    toolkit : CudaToolkit
    """

    name: str
    capability: tuple[int, int]
    driver: str
    toolkit: CudaToolkit

    @property
    def emulated(self) -> bool:
        """Whether code for it runs on the CPU."""
        return EMULATED in self.toolkit.identity

    def parameters(self) -> dict[str, str]:
        """What a report says of it."""
        return {
            "card": EMULATED if self.emulated else self.name,
            "driver": self.driver,
            "nvcc": self.toolkit.version,
        }


def describe() -> BenchmarkCard:
    """Return the card with CUDA's number 0.

    Raises
    ------
    DeviceUnavailableError
        There is none.
    ToolchainError
        There is no toolkit to compile with.
    """
    found = nvml.snapshot()
    if found.problem:
        raise DeviceUnavailableError(f"This case needs a card: {found.problem}.", device="cuda:0")
    card = next(card for card in found.cards if card.cuda_index == 0)
    # The oldest of several: the others run its code, too
    capability = nvml.compute_capabilities()[0]
    return BenchmarkCard(
        card.name or "unknown", capability, found.driver_version or "unknown", find_nvcc().toolkit
    )
