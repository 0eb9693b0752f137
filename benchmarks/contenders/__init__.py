"""The contenders of ``gpurun bench``; `gpurun.bench.suite.contender` says what they do.

`client` starts one in a process of its own, in which `worker` runs. Brian2 is imported there, and
not by whoever lists the contenders.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from gpurun.bench.suite.case import Case
from gpurun.bench.suite.contender import PACKAGE, Contender

#: Makes a contender of a case, the name of a size, and an empty folder.
Maker = Callable[[Case, str, Path], Contender]

#: Module and title of each, in the order in which they are shown.
_KNOWN: dict[str, tuple[str, str]] = {
    "gpurun-cpu": ("resident", "gpurun, CPU"),
    "gpurun-cuda": ("resident", "gpurun, CUDA"),
    "brian2-numpy": ("runtime", "brian2 runtime, NumPy"),
    "brian2-cython": ("runtime", "brian2 runtime, Cython"),
    "brian2-cpp": ("standalone", "brian2 cpp_standalone"),
    "brian2-cpp-threads": ("standalone", "brian2 cpp_standalone, OpenMP"),
    "brian2-cpp-pool": ("pool", "brian2 cpp_standalone, process pool"),
    "brian2cuda": ("cuda", "brian2cuda"),
    "pygenn": ("genn", "PyGeNN"),
    "bindsnet": ("binds", "BindsNET"),
    "gpurun-timed-array": ("long_runs", "gpurun, CPU, one run with a TimedArray"),
    "gpurun-run-regularly": ("long_runs", "gpurun, CPU, one run with run_regularly"),
    "brian2-cpp-timed-array": ("long_runs", "brian2 cpp_standalone, one run with a TimedArray"),
    "brian2-cpp-run-regularly": ("long_runs", "brian2 cpp_standalone, one run with run_regularly"),
}


def all_contenders() -> dict[str, tuple[str, Maker]]:
    """Title and maker of every contender by name, in the order in which they are shown.

    Nothing is imported before a maker is called.
    """
    return {name: (title, partial(_make, module, name)) for name, (module, title) in _KNOWN.items()}


def _make(module: str, name: str, *arguments: Any) -> Contender:
    return import_module(f"{PACKAGE}.{module}").CONTENDERS[name](*arguments)
