"""brian2cuda 1.0b1 as released, in a project that CUDA 13 can compile.

Its makefile asks for C++11, and CUDA 13's headers need C++17. The standard is replaced in the
makefile that was written, and nothing else is changed.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brian2 as b2
from brian2.codegen.cpp_prefs import get_compiler_and_args

from gpurun.errors import ConfigError
from gpurun.toolchain_cuda import CudaToolkit

_BACKEND = "devices.cuda_standalone.cuda_backend."
#: nvcc's part of :data:`.common.EXACT`.
EXACT = ("-w", "-fmad=false")
_APPEND = "NVCC_APPEND_FLAGS"


def select(toolkit: CudaToolkit, capability: tuple[int, int], flags: Sequence[str] | None) -> Any:
    """Make brian2cuda's device the active one and return it.

    brian2cuda would ask programs of the toolkit's samples which card there is; what it would
    learn from them is set by its preferences instead.

    Parameters
    ----------
    toolkit : CudaToolkit
    capability : tuple of int
        Of the card to compile for, such as (9, 0).
    flags : sequence of str
        For nvcc; None: brian2cuda's own.
    """
    import brian2cuda  # noqa: F401  (registers its device and preferences)

    root = Path(toolkit.root)
    if not (root / "bin" / "nvcc").is_file():
        root = Path(toolkit.nvcc).parent.parent
    chosen: dict[str, Any] = {
        "cuda_path": str(root),
        "detect_gpus": False,
        "gpu_id": 0,
        "compute_capability": float("{}.{}".format(*capability)),
        "cuda_runtime_version": float(toolkit.version),
    }
    if flags is not None:
        chosen["extra_compile_args_nvcc"] = list(flags)
    for name, value in chosen.items():
        b2.prefs[_BACKEND + name] = value
    b2.set_device("cuda_standalone", build_on_run=False)
    return b2.get_device()


def write(device: Any, directory: Path) -> None:
    """Write the project of `device` into `directory`, with its own makefile."""
    with _cpp17(device):
        device.build(directory=str(directory), compile=False, run=False, with_output=False)


def compile_project(device: Any, directory: Path, toolkit: CudaToolkit) -> None:
    """Compile what `write` has written."""
    with _appended(curand_flags(toolkit, Path(directory, "curand"))):
        device.compile_source(str(directory), get_compiler_and_args()[0], False, False)


def with_cpp17(makefile: str) -> str:
    """The text of a makefile with C++17 for C++11.

    Raises
    ------
    ConfigError
        If it does not ask for C++11: then this is another brian2cuda.
    """
    text, count = re.subn(r"-std=(c|gnu)\+\+11\b", r"-std=\1++17", makefile)
    if not count:
        raise ConfigError("brian2cuda's makefile does not ask for C++11: expected that of 1.0b1.")
    return text


@contextmanager
def _cpp17(device: Any) -> Iterator[None]:
    original = device.generate_makefile

    def generate(writer: Any, *arguments: Any) -> None:
        original(writer, *arguments)
        makefile = Path(writer.project_dir, "makefile")
        makefile.write_text(with_cpp17(makefile.read_text(encoding="utf-8")), encoding="utf-8")

    device.generate_makefile = generate
    try:
        yield
    finally:
        del device.generate_makefile


def curand_flags(
    toolkit: CudaToolkit, links: Path, packages: Sequence[Path] | None = None
) -> list[str]:
    """nvcc's flags for cuRAND, which brian2cuda needs, where nvcc does not find it itself.

    Parameters
    ----------
    toolkit : CudaToolkit
    links : Path
        A folder to make for cuRAND's headers, and its library under the name that a linker
        looks for.
    packages : sequence of Path, optional
        Where NVIDIA's wheels are; default: among the packages of this Python.

    Raises
    ------
    ConfigError
        If there is no cuRAND.
    """
    if toolkit.curand is not None and toolkit.source != "wheels":
        return []
    found = _curand_in(_nvidia_packages() if packages is None else packages)
    if found is None:
        raise ConfigError(
            "brian2cuda needs cuRAND, which the CUDA toolkit "
            f"{toolkit.root} lacks. Install it with: pip install nvidia-curand"
        )
    header, library = found
    links.mkdir(parents=True, exist_ok=True)
    for path in (*header.parent.glob("curand*.h"), library):
        link = links / ("libcurand.so" if path is library else path.name)
        link.unlink(missing_ok=True)  # of an earlier build
        link.symlink_to(path)
    folders = [links, *toolkit.library_dirs] if toolkit.source == "wheels" else [links]
    return [
        f"-I{links.resolve()}",
        *(f"-L{Path(folder).resolve()}" for folder in folders),
        f"-Xlinker=-rpath={library.parent}",
    ]


def _nvidia_packages() -> list[Path]:
    spec = importlib.util.find_spec("nvidia")
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def _curand_in(packages: Sequence[Path]) -> tuple[Path, Path] | None:
    """cuRAND's header and library, of the newest toolkit that has both."""
    for folder in packages:
        for header in sorted(folder.glob("*/include/curand.h"), reverse=True):
            libraries = sorted(header.parents[1].glob("lib/libcurand.so*"))
            if libraries:
                return header, libraries[0]
    return None


@contextmanager
def _appended(flags: Sequence[str]) -> Iterator[None]:
    """Have nvcc see these flags after its own."""
    before = os.environ.get(_APPEND)
    if flags:
        os.environ[_APPEND] = " ".join([*([before] if before else []), *flags])
    try:
        yield
    finally:
        if flags and before is None:
            del os.environ[_APPEND]
        elif before is not None:
            os.environ[_APPEND] = before
