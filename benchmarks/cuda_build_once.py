"""Builds the CUBA network for a card once in a fresh process; prints what it took as JSON.

``python -m benchmarks.cuda_build_once brian2cuda|gpurun DIRECTORY``: DIRECTORY is empty for a
cold build. It holds brian2cuda's project, and gpurun's cache. Importing and defining the
network is not counted: it is the same for both. No card is needed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gpurun.bench.clocks import CpuStopwatch, Stopwatch

#: What both compile for.
CAPABILITY = (9, 0)
ARCHITECTURE = "sm_{}{}".format(*CAPABILITY)


def build(engine: str, directory: Path) -> dict[str, float]:
    """Build with `engine`; returns seconds by measure."""
    os.environ["GPURUN_CACHE_DIR"] = str(directory / "cache")
    os.environ["GPURUN_CUDA_ARCH"] = ARCHITECTURE
    import brian2 as b2

    import gpurun
    from benchmarks import cuba, diehl_cook, upstream_cuda
    from gpurun.toolchain_nvcc import find_nvcc

    diehl_cook.exact_arithmetic()
    if engine == "gpurun":
        b2.set_device("gpurun", backend="cuda", build_on_run=False)
        job: Callable[[], object] = gpurun.build
    else:
        toolkit = find_nvcc().toolkit
        device = upstream_cuda.select(toolkit, CAPABILITY)
        job = partial(upstream_cuda.build, device, directory / "project", toolkit)
    network = cuba.create()  # noqa: F841  # has to stay alive
    with Stopwatch() as wall, CpuStopwatch() as processor:
        job()
    return {
        "processor time": processor.own + processor.children,
        "of which compilers": processor.children,
        "wall": wall.seconds,
    }


if __name__ == "__main__":
    print(json.dumps(build(sys.argv[1], Path(sys.argv[2]))))
