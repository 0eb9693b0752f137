"""Finds out what this machine can compute with, and what would mend what it cannot.

``gpurun doctor`` prints all of it; ``--device cuda`` uses the same checks for its message.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gpurun import nvml, toolchain, toolchain_nvcc
from gpurun.cache import Cache
from gpurun.config import settings
from gpurun.errors import GpurunError
from gpurun.toolchain_nvcc import WHEELS, pip_install

_GIB = 1024**3

Backend = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes
    ----------
    name : str
        What it is.
    detail : str
        What was found, or what is wrong.
    ok : bool
        Whether it is as it has to be.
    needed_by : tuple of {"cpu", "cuda"}
        The backends that cannot be used while it is not; empty for what only matters a bit.
    fix : str
        The command that mends it, or "" where there is none.
    """

    name: str
    detail: str
    ok: bool = True
    needed_by: tuple[Backend, ...] = ()
    fix: str = ""


def examine() -> list[Finding]:
    """Look for everything; takes a few seconds.

    Returns
    -------
    list of Finding
        In the order in which one thing needs another.
    """
    return [
        *_packages(),
        *_cpu(),
        *_compiler(),
        *cuda_findings(compiles=True),
        _cache(),
    ]


def usable(findings: list[Finding], backend: Backend) -> bool:
    """Whether nothing that `backend` needs is missing."""
    return all(finding.ok or backend not in finding.needed_by for finding in findings)


def exit_status(findings: list[Finding]) -> int:
    """Return 0, plus 1 if the CUDA backend and 2 if the CPU backend is not usable."""
    return (not usable(findings, "cuda")) + 2 * (not usable(findings, "cpu"))


# -- Python and its packages ---------------------------------------------------------


def _packages() -> Iterator[Finding]:
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    pinned = _requirements()
    for name in ("brian2", "brian2cuda"):
        needed_by: tuple[Backend, ...] = ("cpu", "cuda") if name == "brian2" else ("cuda",)
        wanted = pinned.get(name, "")
        fix = pip_install(f'"{name}{wanted}"')
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "is not installed", False, needed_by, fix)
            continue
        if wanted.startswith("==") and wanted != f"=={version}":
            detail = f"{version}, but this version of gpurun is made for {wanted[2:]}"
            yield Finding(name, detail, False, needed_by, fix)
        elif problem := _import_problem(name):
            fix = pip_install(f'--force-reinstall "{name}{wanted}"')
            yield Finding(name, f"{version}, but {problem}", False, needed_by, fix)
        else:
            yield Finding(name, version)


def _requirements() -> dict[str, str]:
    """Return what gpurun's own metadata asks for: name -> version condition."""
    try:
        lines = importlib.metadata.requires("gpurun") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"([\w.-]+)\s*([=<>~!][^;]*)?", line) for line in lines)
    return {match[1]: (match[2] or "").strip() for match in matches if match}


def _import_problem(name: str) -> str | None:
    # In a process of its own: an import can crash, and only gpurun.brian imports brian2.
    try:
        said = subprocess.run(
            [sys.executable, "-I", "-c", f"import {name}"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"cannot be tried: {error}"
    if said.returncode == 0:
        return None
    last = (said.stderr.strip() or f"exit status {said.returncode}").splitlines()[-1]
    return f"cannot be imported: {last}"


# -- CPU backend ---------------------------------------------------------------------


def _cpu() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", f"{platform.machine()}, {cores} cores for this process")


def _compiler() -> Iterator[Finding]:
    try:
        compiler = toolchain.find_cxx()
    except GpurunError as error:
        fix = error.fields.get("fix", "")
        yield Finding("C++ compiler", error.message, False, ("cpu", "cuda"), fix)
        return
    detail = f"{compiler.family} {compiler.version} ({' '.join(compiler.command)})"
    if problem := _compile_problem():
        detail = f"{detail} does not make usable libraries: {problem}"
        yield Finding("C++ compiler", detail, False, ("cpu", "cuda"))
    else:
        yield Finding("C++ compiler", detail)


def _compile_problem() -> str | None:
    """Compile a library with the flags that models need, load it and call it."""
    with tempfile.TemporaryDirectory(prefix="gpurun-doctor-") as folder:
        source = Path(folder, "answer.cpp")
        library = Path(folder, "answer.so")
        source.write_text(
            '#include <vector>\n#include <cmath>\nextern "C" int answer(int n)\n'
            "{ std::vector<double> v(n, 4.0); return int(std::sqrt(v.at(n - 1))) + 40; }\n"
        )
        try:
            flags = ["-std=c++17", "-O2", "-march=native"]
            toolchain.compile_shared([source], library, flags=flags, cwd=Path(folder))
            value = ctypes.CDLL(str(library)).answer(3)
        except (GpurunError, OSError) as error:
            return str(error)
    return None if value == 42 else f"a test function returned {value} instead of 42"


# -- CUDA backend --------------------------------------------------------------------


def cuda_findings(index: int | None = None, *, compiles: bool = False) -> list[Finding]:
    """Look for what the CUDA backend needs beside the C++ compiler of the CPU backend.

    Parameters
    ----------
    index : int, optional
        The CUDA index of the card that is wanted; any card by default.
    compiles : bool, optional
        Also compile something, which takes a second.
    """
    snapshot = nvml.snapshot()
    toolkit = toolchain.find_cuda()
    findings = [_toolkit(toolkit)]
    if toolkit is not None and toolkit.complete:
        findings.append(_host_compiler(toolkit, compiles))
    findings.append(_driver(snapshot, toolkit))
    findings += [_card(card) for card in snapshot.cards]
    indices = [card.cuda_index for card in snapshot.cards if card.cuda_index is not None]
    if snapshot.driver_version and snapshot.problem:
        # Without a driver, the driver's own line says it already.
        findings.append(Finding("cards", snapshot.problem, False, ("cuda",), _visible_fix()))
    elif index is not None and indices and index not in indices:
        there = ", ".join(f"cuda:{i}" for i in sorted(indices))
        findings.append(
            Finding("cards", f"there is no card cuda:{index}, only {there}", False, ("cuda",))
        )
    return findings


def _host_compiler(toolkit: toolchain.CudaToolkit, compiles: bool) -> Finding:
    name = "compiler for nvcc"
    try:
        host = toolchain_nvcc.host_compiler(toolkit)
    except GpurunError as error:
        return Finding(name, error.message, False, ("cuda",), error.fields.get("fix", ""))
    detail = f"{host.family} {host.version} ({' '.join(host.command)})"
    if compiles and (problem := _cuda_compile_problem()):
        return Finding(name, f"{detail}, but nvcc fails: {problem}", False, ("cuda",))
    return Finding(name, detail)


def _cuda_compile_problem() -> str | None:
    """Compile a library with host and device code, load it and call it; needs no card."""
    with tempfile.TemporaryDirectory(prefix="gpurun-doctor-") as folder:
        Path(folder, "answer.cpp").write_text("int half_of(int n) { return n / 2; }\n")
        Path(folder, "answer.cu").write_text(
            "int half_of(int);\n__global__ void kernel(int* p) { *p = 1; }\n"
            'extern "C" __attribute__((visibility("default"))) int answer(int n)\n'
            "{ if (n < 0) kernel<<<1, 1>>>(nullptr); return half_of(n) + 40; }\n"
        )
        library = Path(folder, "answer.so")
        try:
            compiler = toolchain_nvcc.find_nvcc()
            toolchain_nvcc.compile_cuda_shared(
                [Path("answer.cpp"), Path("answer.cu")],
                library,
                architectures=toolchain_nvcc.architectures(compiler.toolkit)[-1:],
                cwd=Path(folder),
                compiler=compiler,
            )
            value = ctypes.CDLL(str(library)).answer(4)
        except (GpurunError, OSError) as error:
            return str(error)
    return None if value == 42 else f"a test function returned {value} instead of 42"


def _toolkit(toolkit: toolchain.CudaToolkit | None) -> Finding:
    fix = pip_install(WHEELS)
    if toolkit is None:
        return Finding("CUDA toolkit", "no nvcc was found", False, ("cuda",), fix)
    detail = f"{toolkit.version} ({toolkit.nvcc})"
    if not toolkit.complete:
        detail += f", but without {', '.join(toolkit.missing)}"
        return Finding("CUDA toolkit", detail, False, ("cuda",), fix)
    return Finding("CUDA toolkit", detail)


def _driver(snapshot: nvml.Snapshot, toolkit: toolchain.CudaToolkit | None) -> Finding:
    if snapshot.driver_version is None:
        problem = snapshot.problem or "does not answer"
        if not _has_nvidia_hardware():
            problem += "; this machine shows no NVIDIA card either, so there is nothing to install"
            return Finding("NVIDIA driver", problem, False, ("cuda",))
        return Finding("NVIDIA driver", problem, False, ("cuda",), _driver_fix())
    detail = snapshot.driver_version
    if snapshot.cuda_version:
        major, minor = snapshot.cuda_version
        detail += f", for CUDA up to {major}.{minor}"
        if toolkit and int(toolkit.version.partition(".")[0]) > major:
            detail += f", which is too old for the toolkit's {toolkit.version}"
            return Finding("NVIDIA driver", detail, False, ("cuda",), _driver_fix())
    return Finding("NVIDIA driver", detail)


def _card(card: nvml.Card) -> Finding:
    name = f"card {card.nvml_index}" if card.cuda_index is None else f"card cuda:{card.cuda_index}"
    if card.name is None and card.uuid is None:
        # Fallen off the bus, for instance. Others may be usable.
        return Finding(name, "does not answer", False)
    detail = card.name or "a card without a name"
    if card.memory_total is not None and card.memory_free is not None:
        free, total = card.memory_free / _GIB, card.memory_total / _GIB
        detail += f", {free:.1f} of {total:.1f} GiB free"
    if card.cuda_index is None:
        detail += ", not visible to CUDA"
    return Finding(name, detail)


def _visible_fix() -> str:
    return "unset CUDA_VISIBLE_DEVICES" if "CUDA_VISIBLE_DEVICES" in os.environ else ""


def _has_nvidia_hardware() -> bool:
    """Whether there is an NVIDIA card, as far as the kernel tells; True if it does not."""
    vendors = list(Path("/sys/bus/pci/devices").glob("*/vendor"))
    if not vendors:
        return True
    for file in vendors:
        try:
            if file.read_text().strip() == "0x10de":
                return True
        except OSError:
            continue
    return False


def _driver_fix() -> str:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "start the container with --gpus all (the driver is the host's)"
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r'^ID="?([\w-]+)', text, re.MULTILINE)
    commands = {
        "ubuntu": "sudo ubuntu-drivers install",
        "debian": "sudo apt-get install nvidia-driver (from the component non-free)",
        "fedora": "sudo dnf install akmod-nvidia (from RPM Fusion)",
        "arch": "sudo pacman -S nvidia",
    }
    return commands.get(
        match[1] if match else "", "install the driver from https://www.nvidia.com/drivers"
    )


# -- cache ---------------------------------------------------------------------------


def _cache() -> Finding:
    root = settings().cache_dir
    if not settings().cache:
        return Finding("cache", "switched off (GPURUN_CACHE or --no-cache)")
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    fix = "set GPURUN_CACHE_DIR to a directory that can be written"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        detail = f"{root} cannot be written, so everything is compiled anew in each process"
        return Finding("cache", detail, False, (), fix)
    entries = Cache(root).list()
    held = sum(info.bytes for info in entries) / _GIB
    free = shutil.disk_usage(existing).free / _GIB
    limit = settings().cache_max_bytes / _GIB
    count = f"{len(entries)} entries" if len(entries) != 1 else "1 entry"
    detail = f"{root}, {count}, {held:.2f} of at most {limit:.1f} GiB; {free:.1f} GiB free on disk"
    if free < 0.5:
        return Finding("cache", f"{detail}, which is little", False, (), "gpurun cache clear")
    return Finding("cache", detail)
