"""Builds the benchmark network once in a fresh process; prints the seconds as JSON.

``python -m benchmarks.build_once brian2|gpurun DIRECTORY``: DIRECTORY is brian2's project
folder, or gpurun's cache. A build is cold when DIRECTORY is empty. Importing and defining
the network is not counted: it is the same for both.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from gpurun.bench.clocks import Stopwatch


def build(engine: str, directory: Path) -> float:
    """Build with `engine`; returns the wall time in seconds."""
    if engine == "gpurun":
        os.environ["GPURUN_CACHE_DIR"] = str(directory)
    import brian2 as b2

    import gpurun
    from benchmarks import diehl_cook

    diehl_cook.exact_arithmetic()
    b2.set_device("cpp_standalone" if engine == "brian2" else "gpurun", build_on_run=False)
    network = diehl_cook.create()  # noqa: F841  # has to stay alive
    with Stopwatch() as watch:
        if engine == "brian2":
            b2.device.build(directory=str(directory), run=False)
        else:
            gpurun.build()
    return watch.seconds


if __name__ == "__main__":
    print(json.dumps(build(sys.argv[1], Path(sys.argv[2]))))
