"""Finds the CUDA toolkit: an installed one, conda's, or the PyPI wheels."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpurun.toolchain_memory import remembered

# Where NVIDIA's installers put it, often without adding it to PATH.
SYSTEM = Path("/usr/local/cuda")

Source = Literal["environment", "path", "conda", "wheels", "system"]


@dataclass(frozen=True)
class CudaToolkit:
    """A CUDA toolkit whose nvcc answers.

    Attributes
    ----------
    nvcc : str
        The executable, absolute.
    version : str
        Such as "13.0".
    identity : str
        The whole of what nvcc says of its version.
    root : str
        The toolkit's directory.
    source : {"environment", "path", "conda", "wheels", "system"}
        Where it was found; "environment" means ``CUDA_PATH`` or ``CUDA_HOME``.
    include_dirs : tuple of str
        Existing directories with its headers (those of CCCL among them).
    library_dirs : tuple of str
        Existing directories with its libraries.
    curand : str or None
        The cuRAND library file, if its header exists too; gpurun does not need it. The
        wheels have no ``libcurand.so``, and nvcc takes no ``libcurand.so.10`` among its input
        files: hand its path to the linker (``-Xlinker``).
    missing : tuple of str
        Headers and programs that gpurun needs and that were not found.
    architectures : tuple of str
        What nvcc can compile for, such as "sm_90", the oldest first; empty if it does not say.
    """

    nvcc: str
    version: str
    root: str
    source: Source
    include_dirs: tuple[str, ...]
    library_dirs: tuple[str, ...]
    curand: str | None
    missing: tuple[str, ...]
    identity: str = ""
    architectures: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that gpurun needs was found."""
        return not self.missing


def _places() -> Iterator[tuple[Path, Source]]:
    """Yield every nvcc that might exist, the user's own choice first."""
    for name in ("CUDA_PATH", "CUDA_HOME"):
        if value := os.environ.get(name):
            yield Path(value) / "bin" / "nvcc", "environment"
    if found := shutil.which("nvcc"):
        yield Path(found), "path"
    for prefix in (os.environ.get("CONDA_PREFIX"), sys.prefix):
        if prefix and (Path(prefix) / "conda-meta").is_dir():
            yield Path(prefix) / "bin" / "nvcc", "conda"
    try:
        spec = importlib.util.find_spec("nvidia")
    except ValueError:  # somebody put a module without a spec in its place
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for nvcc in sorted(Path(folder).glob("cu[0-9]*/bin/nvcc"), reverse=True):
            yield nvcc, "wheels"
    yield SYSTEM / "bin" / "nvcc", "system"


def _ask(nvcc: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [str(nvcc), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None


def _interrogate(nvcc: Path) -> dict[str, Any] | None:
    """Ask nvcc what it is; None if it does not answer."""
    said = _ask(nvcc, "--version")
    match = re.search(r"release (\d+\.\d+)", said.stdout) if said else None
    if said is None or said.returncode != 0 or match is None:
        return None
    listed = _ask(nvcc, "--list-gpu-code")
    names = re.findall(r"^sm_\w+", listed.stdout, re.M) if listed and not listed.returncode else []
    return {
        "version": match[1],
        "identity": " ".join(said.stdout.split()),
        "architectures": names,
        **_folders_named_by(nvcc),
    }


def _programs(nvcc: Path, answer: dict[str, Any]) -> list[str]:
    # The nvcc on PATH may be a script that stays the same when the toolkit is replaced.
    inner = [os.path.join(top, "bin", "nvcc") for top in answer["tops"]]
    return [str(nvcc), *(path for path in inner if os.path.isfile(path))]


def _folders_named_by(nvcc: Path) -> dict[str, list[str]]:
    """Return the root, include and library folders that nvcc itself would use.

    The nvcc on PATH is often a link or a small script far from the toolkit.
    """
    said = _ask(nvcc, "-dryrun", "-E", "-x", "cu", os.devnull)
    values: dict[str, str] = {}
    for line in said.stderr.splitlines() if said else ():
        match = re.match(r"#\$ (TOP|INCLUDES|SYSTEM_INCLUDES|LIBRARIES)=(.*)", line)
        if match:
            values[match[1]] = match[2]
    quoted = re.compile(r'"(-[IL])?([^"]+)"')

    def folders(name: str) -> list[str]:
        words = quoted.findall(values.get(name, ""))
        return [os.path.normpath(word) for _, word in words if word != "-isystem"]

    top = values.get("TOP", "").strip()
    return {
        "tops": [os.path.normpath(top)] if top else [],
        "includes": folders("INCLUDES") + folders("SYSTEM_INCLUDES"),
        # The stubs are for linking with the driver where there is none.
        "libraries": [x for x in folders("LIBRARIES") if os.path.basename(x) != "stubs"],
    }


def _examine(nvcc: Path, answer: dict[str, Any], source: Source) -> CudaToolkit:
    guesses = [nvcc.resolve().parent.parent, nvcc.absolute().parent.parent]
    roots = dict.fromkeys([Path(top) for top in answer["tops"]] or guesses)
    targets = f"targets/{ {'aarch64': 'sbsa'}.get(platform.machine(), platform.machine()) }-linux"
    includes = {folder: None for folder in answer["includes"] if os.path.isdir(folder)}
    libraries = {folder: None for folder in answer["libraries"] if os.path.isdir(folder)}
    for root in roots:
        for below in ("include", f"{targets}/include", "include/cccl", f"{targets}/include/cccl"):
            if (root / below).is_dir():
                includes[str(root / below)] = None
        for below in ("lib64", "lib", f"{targets}/lib", f"lib/{platform.machine()}-linux-gnu"):
            if (root / below).is_dir():
                libraries[str(root / below)] = None

    def header(name: str) -> bool:
        return any((Path(folder) / name).is_file() for folder in includes)

    missing = [] if header("cuda_runtime.h") else ["cuda_runtime.h"]
    if source == "wheels":
        # Each of these comes in a wheel of its own.
        missing += [] if header("crt/host_config.h") else ["crt/host_config.h"]
        missing += [] if any((root / "nvvm/bin/cicc").is_file() for root in roots) else ["cicc"]
    curand = next(
        (
            str(file)
            for pattern in ("libcurand.so", "libcurand.so.*", "libcurand.dylib")
            for folder in libraries
            for file in sorted(Path(folder).glob(pattern))
        ),
        None,
    )
    return CudaToolkit(
        nvcc=str(nvcc.absolute()),
        version=answer["version"],
        root=str(next(iter(roots))),
        source=source,
        include_dirs=tuple(includes),
        library_dirs=tuple(libraries),
        curand=curand if header("curand.h") else None,
        missing=tuple(missing),
        identity=answer["identity"],
        architectures=tuple(answer["architectures"]),
    )


def find_cuda() -> CudaToolkit | None:
    """Return the CUDA toolkit, or None if there is no nvcc that answers.

    Looks at ``CUDA_PATH`` and ``CUDA_HOME``, at nvcc on ``PATH``, in the conda environment, in
    the installed wheels (``site-packages/nvidia/cu13``) and in ``/usr/local/cuda``. A complete
    toolkit is preferred to one that lacks headers or parts of the compiler.
    """
    incomplete: CudaToolkit | None = None
    seen: set[Path] = set()
    for nvcc, source in _places():
        if nvcc in seen or not nvcc.is_file():
            continue
        seen.add(nvcc)
        answer = remembered(
            ["nvcc", str(nvcc.absolute())],
            functools.partial(_interrogate, nvcc),
            functools.partial(_programs, nvcc),
        )
        if answer is None:
            continue
        toolkit = _examine(nvcc, answer, source)
        if toolkit.complete:
            return toolkit
        incomplete = incomplete or toolkit
    return incomplete
