"""What the tests of semantics run on; see ``GPURUN_TEST_BACKEND`` in ``tests/conftest.py``."""

from __future__ import annotations

import os
from pathlib import Path

#: What the scripts are built for, ``"cpu"`` or ``"cuda"``.
BACKEND = os.environ.get("GPURUN_TEST_BACKEND", "cpu")
#: Whether its kernels run on the emulator.
EMULATED = (
    BACKEND == "cuda"
    and Path(os.environ.get("CUDA_PATH", "")).resolve() == Path(__file__).parent / "cuda_emulator"
)
#: Whether equal runs are equal to the last bit. Sums of atomic additions depend on the order
#: of the threads, which only the emulator keeps, unless it is to change it from launch to launch.
EXACT = BACKEND == "cpu" or (EMULATED and "random" not in os.environ.get("CUDA_EMULATOR", ""))


def amount(number: int) -> int:
    """How many of `number` runs or examples to make: an emulated card takes its time."""
    return max(2, number // 25) if EMULATED else number
