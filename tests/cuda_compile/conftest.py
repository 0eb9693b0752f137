"""The toolkit that these tests compile with: the one from PyPI, so that any machine passes."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest

from gpurun.config import configure, settings

# One is enough, and whether a card is here does not matter.
ARCHITECTURE = "sm_90"


def wheels() -> Path | None:
    """The toolkit in this Python's packages."""
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else None
    found = [nvcc for folder in folders or () for nvcc in Path(folder).glob("cu*/bin/nvcc")]
    return max(found).parent.parent if found else None


@pytest.fixture(scope="module", autouse=True)
def toolkit() -> Generator[Path]:
    """The toolkit's folder; gpurun finds it first, also in processes that tests start."""
    root = wheels()
    if root is None:
        pytest.skip("the CUDA toolkit is not installed from PyPI (uv sync)")
    before = settings().cuda_arch
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_HOME", str(root))
        patch.setenv("GPURUN_CUDA_ARCH", ARCHITECTURE)
        patch.delenv("CUDA_PATH", raising=False)
        configure(cuda_arch=ARCHITECTURE)
        yield root
        configure(cuda_arch=before)
