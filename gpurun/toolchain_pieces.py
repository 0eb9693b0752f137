"""Compiles the units of a library side by side, each with the effort that it is worth."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpurun.toolchain import Compilation, compile_with, find_cxx

#: What is compiled with less than this is so on purpose.
_MUCH = ("-O", "-O2", "-O3", "-Ofast")
_LITTLE = "-O1"


def light_flags(flags: Sequence[str]) -> tuple[str, ...]:
    """What to add to `flags` for a unit whose speed does not matter."""
    levels = [flag for flag in flags if flag.startswith("-O")]
    return (_LITTLE,) if levels and levels[-1] in _MUCH else ()


def compile_pieces(
    units: Sequence[Path],
    output: Path,
    *,
    light: Collection[Path],
    flags: Sequence[str],
    link_flags: Sequence[str] = (),
    include_dirs: Sequence[str | Path] = (),
    cwd: Path,
) -> float:
    """Compile `units` into the shared library `output`, as many at a time as there are cores.

    Parameters
    ----------
    units : sequence of Path
        At least one. Relative paths are relative to `cwd`, as those of `output` and
        `include_dirs`.
    output : Path
    light : collection of Path
        Those of `units` that take more time to optimise than they could save.
    flags, link_flags, include_dirs, cwd
        As in :func:`gpurun.toolchain.compile_shared`.

    Returns
    -------
    float
        Wall time in seconds.

    Raises
    ------
    BuildError, ToolchainError
        As :func:`gpurun.toolchain.compile_shared`. The call is that of the unit that failed.
    """
    started = time.perf_counter()
    compiler = find_cxx().command
    include = [word for folder in include_dirs for word in ("-I", str(folder))]
    # By number: units in different folders may have the same name
    objects = [Path(f"unit{number}.o") for number in range(len(units))]

    def compile_one(unit: Path, target: Path) -> None:
        own = light_flags(flags) if unit in light else ()
        command = (*compiler, *flags, *own, "-fPIC", *include, "-c", str(unit), "-o", str(target))
        compile_with(Compilation(command, Path(cwd), target))

    with ThreadPoolExecutor(_cores()) as pool:
        for done in [pool.submit(compile_one, *pair) for pair in zip(units, objects, strict=True)]:
            done.result()
    # Of inline functions that several units have, the linker takes the first: the fast ones
    order = sorted(range(len(units)), key=lambda number: units[number] in light)
    linked = [str(objects[number]) for number in order]
    command = (*compiler, *flags, "-shared", "-fPIC", *linked, "-o", str(output))
    compile_with(Compilation((*command, *link_flags), Path(cwd), Path(output)))
    for target in objects:
        Path(cwd, target).unlink()
    return time.perf_counter() - started


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
