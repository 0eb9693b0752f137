"""Finds the CUDA toolkit: an installed one, conda's, or the PyPI wheels."""

from __future__ import annotations

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
from typing import Literal

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
    root : str
        The toolkit's directory.
    source : {"environment", "path", "conda", "wheels", "system"}
        Where it was found; "environment" means ``CUDA_PATH`` or ``CUDA_HOME``.
    include_dirs : tuple of str
        Existing directories with its headers (those of CCCL among them).
    library_dirs : tuple of str
        Existing directories with its libraries.
    curand : str or None
        The cuRAND library file, if its header exists too. The wheels have no
        ``libcurand.so``, so link this file by its path.
    missing : tuple of str
        Headers and libraries that gpurun needs and that were not found.
    """

    nvcc: str
    version: str
    root: str
    source: Source
    include_dirs: tuple[str, ...]
    library_dirs: tuple[str, ...]
    curand: str | None
    missing: tuple[str, ...]

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


def _ask_version(nvcc: Path) -> str | None:
    try:
        said = subprocess.run(
            [str(nvcc), "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"release (\d+\.\d+)", said.stdout)
    return match[1] if said.returncode == 0 and match else None


def _folders_named_by(nvcc: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the root, include and library folders that nvcc itself would use.

    The nvcc on PATH is often a link or a small script far from the toolkit.
    """
    try:
        said = subprocess.run(
            [str(nvcc), "-dryrun", "-E", "-x", "cu", os.devnull],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return [], [], []
    values: dict[str, str] = {}
    for line in said.splitlines():
        match = re.match(r"#\$ (TOP|INCLUDES|SYSTEM_INCLUDES|LIBRARIES)=(.*)", line)
        if match:
            values[match[1]] = match[2]
    quoted = re.compile(r'"(-[IL])?([^"]+)"')

    def folders(name: str) -> list[Path]:
        words = quoted.findall(values.get(name, ""))
        return [Path(os.path.normpath(word)) for _, word in words if word != "-isystem"]

    top = values.get("TOP", "").strip()
    return (
        [Path(os.path.normpath(top))] if top else [],
        folders("INCLUDES") + folders("SYSTEM_INCLUDES"),
        # The stubs are for linking with the driver where there is none.
        [folder for folder in folders("LIBRARIES") if folder.name != "stubs"],
    )


def _examine(nvcc: Path, version: str, source: Source) -> CudaToolkit:
    tops, own_includes, own_libraries = _folders_named_by(nvcc)
    guesses = [nvcc.resolve().parent.parent, nvcc.absolute().parent.parent]
    roots = dict.fromkeys(tops or guesses)
    targets = f"targets/{ {'aarch64': 'sbsa'}.get(platform.machine(), platform.machine()) }-linux"
    includes = {str(folder): None for folder in own_includes if folder.is_dir()}
    libraries = {str(folder): None for folder in own_libraries if folder.is_dir()}
    for root in roots:
        for below in ("include", f"{targets}/include", "include/cccl", f"{targets}/include/cccl"):
            if (root / below).is_dir():
                includes[str(root / below)] = None
        for below in ("lib64", "lib", f"{targets}/lib", f"lib/{platform.machine()}-linux-gnu"):
            if (root / below).is_dir():
                libraries[str(root / below)] = None
    missing = [
        what
        for what in ("cuda_runtime.h", "curand.h", "thrust/version.h")
        if not any((Path(folder) / what).is_file() for folder in includes)
    ]
    curand = next(
        (
            str(file)
            for pattern in ("libcurand.so", "libcurand.so.*", "libcurand.dylib")
            for folder in libraries
            for file in sorted(Path(folder).glob(pattern))
        ),
        None,
    )
    if curand is None:
        missing.append("libcurand")
    if "curand.h" in missing:
        curand = None
    return CudaToolkit(
        nvcc=str(nvcc.absolute()),
        version=version,
        root=str(next(iter(roots))),
        source=source,
        include_dirs=tuple(includes),
        library_dirs=tuple(libraries),
        curand=curand,
        missing=tuple(missing),
    )


def find_cuda() -> CudaToolkit | None:
    """Return the CUDA toolkit, or None if there is no nvcc that answers.

    Looks at ``CUDA_PATH`` and ``CUDA_HOME``, at nvcc on ``PATH``, in the conda environment, in
    the installed wheels (``site-packages/nvidia/cu13``) and in ``/usr/local/cuda``. A complete
    toolkit is preferred to one that lacks headers or cuRAND.
    """
    incomplete: CudaToolkit | None = None
    seen: set[Path] = set()
    for nvcc, source in _places():
        if nvcc in seen or not nvcc.is_file():
            continue
        seen.add(nvcc)
        version = _ask_version(nvcc)
        if version is None:
            continue
        toolkit = _examine(nvcc, version, source)
        if toolkit.complete:
            return toolkit
        incomplete = incomplete or toolkit
    return incomplete
