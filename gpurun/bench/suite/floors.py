"""What things cost at least on this machine: measured in the run that is held against them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.bench.clocks import Stopwatch
from gpurun.bench.suite.schema import Floor
from gpurun.errors import ToolchainError
from gpurun.toolchain import find_cxx

LOADING = "dlopen"
COMPILING = "compilation of an empty file"
PROCESS = "a new Python process"
COPY = "host memory copy"
MOVED = "host memory copy of the bytes moved"
LAUNCH = "empty kernel launch"
GRAPH = "graph replay"
DEVICE_COPY = "device-to-device copy"

_COPIED = 64 * 2**20


def of_machine(rounds: int = 7) -> list[Floor]:
    """Measure what does not depend on a case.

    Parameters
    ----------
    rounds : int
        Values of each.

    Returns
    -------
    list of Floor
        Those of a card only where CuPy and a card are there.
    """
    with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
        floors = [memory_copy(COPY, _COPIED, rounds), _python(rounds)]
        floors += _compiler(Path(folder), rounds)
    return floors + _card(rounds)


def memory_copy(name: str, size: int, rounds: int = 15) -> Floor:
    """Measure a copy of `size` bytes in host memory, with warm pages."""
    source = np.ones(max(size, 1), dtype=np.uint8)
    target = np.zeros_like(source)
    values = []
    for _ in range(rounds):
        with Stopwatch() as watch:
            np.copyto(target, source)
        values.append(watch.seconds)
    return Floor(name, "s", values, f"{size} bytes")


def _python(rounds: int) -> Floor:
    values = []
    for _ in range(rounds):
        with Stopwatch() as watch:
            subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
        values.append(watch.seconds)
    return Floor(PROCESS, "s", values, "python -I -S -c ''")


def _compiler(folder: Path, rounds: int) -> list[Floor]:
    try:
        compiler = find_cxx()
    except ToolchainError:
        return []
    source, library = folder / "empty.cpp", folder / "empty.so"
    source.write_text('extern "C" int gpurun_empty() { return 0; }\n', encoding="utf-8")
    compiling, loading = [], []
    for number in range(rounds):
        command = [*compiler.command, "-shared", "-fPIC", str(source), "-o", str(library)]
        with Stopwatch() as watch:
            subprocess.run(command, check=True)
        compiling.append(watch.seconds)
        # A library that is loaded already would not be loaded again
        copy = folder / f"empty-{number}.so"
        shutil.copyfile(library, copy)
        with Stopwatch() as watch:
            ctypes.CDLL(str(copy))
        loading.append(watch.seconds)
    return [
        Floor(COMPILING, "s", compiling, "a shared library with one function"),
        Floor(LOADING, "s", loading, "of the library with one function"),
    ]


def _card(rounds: int) -> list[Floor]:
    try:
        cupy: Any = import_module("cupy")

        if not cupy.cuda.runtime.getDeviceCount():
            return []
    except Exception:  # without a driver CuPy raises its own errors
        return []
    return _card_floors(cupy, rounds)


def _card_floors(cupy: Any, rounds: int) -> list[Floor]:
    many = 1000
    kernel = cupy.RawKernel('extern "C" __global__ void empty() {}', "empty")
    stream = cupy.cuda.Stream(non_blocking=True)
    source = cupy.ones(_COPIED, dtype=cupy.uint8)
    target = cupy.empty_like(source)
    launches, replays, copies = [], [], []
    with stream:
        kernel((1,), (1,), ())
        stream.begin_capture()
        for _ in range(many):
            kernel((1,), (1,), ())
        graph = stream.end_capture()
        graph.launch(stream)
        stream.synchronize()
        for _ in range(rounds):
            with Stopwatch() as watch:
                for _ in range(many):
                    kernel((1,), (1,), ())
                stream.synchronize()
            launches.append(watch.seconds / many)
            with Stopwatch() as watch:
                graph.launch(stream)
                stream.synchronize()
            replays.append(watch.seconds / many)
            with Stopwatch() as watch:
                cupy.copyto(target, source)
                stream.synchronize()
            copies.append(watch.seconds)
    return [
        Floor(LAUNCH, "s", launches, f"one of {many} in a row, from Python"),
        Floor(GRAPH, "s", replays, f"one kernel of a graph of {many}"),
        Floor(DEVICE_COPY, "s", copies, f"{_COPIED} bytes"),
    ]
