"""Where CUDA code runs: on a card, or, where there is none, by the emulated toolkit."""

from __future__ import annotations

import os
from pathlib import Path

TOOLKIT = Path(__file__).resolve().parents[1] / "cuda_emulator"
EMULATED = "the emulated toolkit"


def emulated() -> bool:
    """Whether gpurun's CUDA code is run by the emulated toolkit, on which ``CUDA_PATH`` decides.

    Without that variable it is so where no card can be used.
    """
    from gpurun.toolchain_nvcc import cuda_problem

    chosen = os.environ.get("CUDA_PATH")
    return Path(chosen).resolve() == TOOLKIT if chosen else cuda_problem() is not None


def use_emulated(settings: str) -> None:
    """Have this process compile and run with the emulated toolkit, with these settings of it."""
    os.environ["CUDA_PATH"] = str(TOOLKIT)
    os.environ["CUDA_EMULATOR"] = settings


def describe() -> str:
    """What runs gpurun's CUDA code, for the report."""
    from gpurun import nvml

    if emulated():
        return EMULATED
    found = nvml.snapshot()
    names = sorted({card.name or "a card without a name" for card in found.cards})
    return f"{', '.join(names)} (driver {found.driver_version})"
