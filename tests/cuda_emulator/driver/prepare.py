"""Makes what the emulated toolkit needs: its libraries and precompiled headers.

``python prepare.py --print`` makes all of it and prints where it is, as ``NAME=PATH`` lines:

``library``
    The folder of ``libcuda_emulator.so``, which every product is linked with.
``nvml``
    The folder of the false ``libnvidia-ml.so.1`` and ``libcuda.so.1``.
``curand``
    Links to NVIDIA's own cuRAND headers; absent where there are none.
``precompiled``
    A precompiled header, for flags such as brian2's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

if not __package__:  # run as a script
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    __package__ = "driver"

from .cache import ROOT, digest_of, digest_of_files, prepared
from .errors import Unprepared

INCLUDE = os.path.join(ROOT, "include")
# Used where NVIDIA's own cuRAND headers are missing
FALLBACK = os.path.join(INCLUDE, "curand_fallback")
# Device code takes its memory from the device's heap.
WRAPPED = ("malloc", "free", "_Znwm", "_Znam", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm")

# Headers that are precompiled together. A unit is given the first of these all of whose headers
# it includes itself, so that it cannot lean on an #include that is missing.
BUNDLES: dict[str, list[str]] = {
    "brian": [
        "cuda_runtime.h",
        "curand.h",
        "curand_kernel.h",
        "thrust/device_vector.h",
        "thrust/host_vector.h",
        "algorithm",
        "chrono",
        "cstdio",
        "ctime",
        "iostream",
        "set",
        "utility",
        "vector",
    ],
    "standard": ["cuda_runtime.h", "algorithm", "iostream", "vector"],
    "runtime": ["cuda_runtime.h"],
}
# Macros that the bundled headers may look at; g++ does without the precompiled header when
# another one turns out to matter.
_MATTERING = re.compile(r"-[DU](?:NDEBUG|DEBUG|_|THRUST|CUB|CCCL|CUDA|CURAND)")
_IRRELEVANT = re.compile(r"-(?:W(?!p,)|w$|pipe$|pthread$)|-f(?:diagnostics|message|random-seed)")


def _run(command: list[str], what: str) -> None:
    said = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    if said.returncode:
        raise Unprepared(f"cannot make {what}: {' '.join(command)}\n{said.stdout}")


def identity(compiler: str) -> str:
    """Return what changes when the compiler does.

    Raises
    ------
    Unprepared
        There is no such compiler.
    """
    found = shutil.which(compiler)
    if found is None:
        raise Unprepared(f"there is no host compiler '{compiler}'")
    found = os.path.realpath(found)
    status = os.stat(found)
    return f"{found} {status.st_size} {status.st_mtime_ns}"


def library(compiler: str = "g++") -> str:
    """Return the folder of ``libcuda_emulator.so``."""
    flags = ["-std=c++17", "-O2", "-g1", "-fPIC", "-shared", "-fvisibility=default", "-Wall"]
    flags += _nvidia_curand_library()
    digest = digest_of(
        identity(compiler),
        *flags,
        digest_of_files(ROOT, ("runtime", "include"), ("include/thrust", "include/cub")),
        *curand_folders(),
    )

    def make(folder: str) -> None:
        runtime = os.path.join(ROOT, "runtime")
        sources = sorted(
            os.path.join(runtime, name) for name in os.listdir(runtime) if name.endswith(".cpp")
        )
        product = os.path.join(folder, "libcuda_emulator.so")
        command = [compiler, *flags, "-I", runtime, *include_flags(), *sources, "-o", product]
        command += ["-Wl,-soname,libcuda_emulator.so", "-ldl", "-lpthread"]
        _run(command, "libcuda_emulator.so")

    return prepared(f"library-{digest}", make)


def _soname(path: str) -> str | None:
    """Return the library that a source of nvml/ says in its first line that it is."""
    with open(path, encoding="utf-8") as file:
        match = re.match(r"// (lib[\w.+-]+\.so[\w.]*)\b", file.readline())
    return match[1].rstrip(".") if match else None


def nvml(compiler: str = "g++") -> str:
    """Return the folder of the false ``libnvidia-ml.so.1`` and ``libcuda.so.1``."""
    flags = ["-std=c++17", "-O1", "-g1", "-fPIC", "-shared", "-Wall"]
    sources = os.path.join(ROOT, "nvml")
    digest = digest_of(
        identity(compiler),
        *flags,
        digest_of_files(ROOT, ("nvml", "include"), ("include/thrust", "include/cub")),
    )

    def make(folder: str) -> None:
        for name in sorted(os.listdir(sources)):
            path = os.path.join(sources, name)
            soname = _soname(path) if name.endswith(".cpp") else None
            if soname:
                command = [compiler, *flags, "-I", INCLUDE, "-I", sources, path]
                command += ["-o", os.path.join(folder, soname), f"-Wl,-soname,{soname}"]
                _run([*command, "-ldl", "-lpthread"], soname)

    return prepared(f"nvml-{digest}", make)


def _packages() -> list[str]:
    """Return the site-packages that may hold NVIDIA's wheels, the most telling ones only."""
    python = os.environ.get("CUDA_EMULATOR_PYTHON")
    if python:
        found = shutil.which(python) or python
        prefix = os.path.dirname(os.path.dirname(os.path.abspath(found)))
    else:
        own = os.path.join(os.path.dirname(os.path.dirname(ROOT)), ".venv")
        prefix = os.environ.get("VIRTUAL_ENV") or own
    packages: list[str] = []
    for lib in ("lib", "lib64", "local/lib"):
        base = os.path.join(prefix, lib)
        names = sorted(os.listdir(base)) if os.path.isdir(base) else []
        for name in names:
            if name.startswith("python"):
                packages += [
                    os.path.join(base, name, one) for one in ("site-packages", "dist-packages")
                ]
    return packages


def _nvidia_curand() -> str | None:
    """Return the folder with NVIDIA's own ``curand_kernel.h``."""
    for packages in _packages():
        nvidia = os.path.join(packages, "nvidia")
        for name in sorted(os.listdir(nvidia), reverse=True) if os.path.isdir(nvidia) else []:
            folder = os.path.join(nvidia, name, "include")
            if os.path.isfile(os.path.join(folder, "curand_kernel.h")):
                return folder
    return None


def _nvidia_curand_library() -> list[str]:
    """Return the flag that names NVIDIA's cuRAND library beside those headers, if it is there."""
    include = _nvidia_curand()
    lib = os.path.join(os.path.dirname(include), "lib") if include else ""
    names = sorted(os.listdir(lib)) if os.path.isdir(lib) else []
    found = [name for name in names if name.startswith("libcurand.so")]
    return [f'-DCUDA_EMULATOR_CURAND_PATH="{os.path.join(lib, found[-1])}"'] if found else []


def curand() -> str | None:
    """Return a folder with links to NVIDIA's cuRAND headers, and to nothing else of theirs."""
    origin = _nvidia_curand()
    if origin is None:
        return None
    names = sorted(name for name in os.listdir(origin) if re.fullmatch(r"curand\w*\.h", name))
    stamps = [f"{name} {os.stat(os.path.join(origin, name)).st_size}" for name in names]

    def make(folder: str) -> None:
        for name in names:
            os.symlink(os.path.join(origin, name), os.path.join(folder, name))

    return prepared(f"curand-{digest_of(origin, *stamps)}", make)


def curand_folders() -> list[str]:
    """Return where the headers behind our own cuRAND headers are, the preferred ones first."""
    found = curand()
    return ([found] if found else []) + ([FALLBACK] if os.path.isdir(FALLBACK) else [])


def include_flags() -> list[str]:
    """Return the flags that make g++ find the emulated toolkit's headers."""
    flags = ["-I", INCLUDE]
    for folder in curand_folders():
        flags += ["-isystem", folder]
    return flags


def bundle_for(names: frozenset[str]) -> str:
    """Return the largest bundle all of whose headers are among those included."""
    for bundle, headers in BUNDLES.items():
        if all(name in names for name in headers[1:]):
            return bundle
    return "runtime"


def precompiled(compiler: str, flags: list[str], bundle: str) -> str:
    """Return a header to put in front of a unit; its precompiled form lies beside it.

    Parameters
    ----------
    compiler : str
        The host compiler.
    flags : list of str
        All flags of the unit, apart from those that name folders and files.
    bundle : str
        One of `BUNDLES`.
    """
    relevant = [
        flag
        for flag in flags
        if (_MATTERING.match(flag) if flag[:2] in ("-D", "-U") else not _IRRELEVANT.match(flag))
    ]
    headers = BUNDLES[bundle]
    digest = digest_of(
        identity(compiler),
        *headers,
        *relevant,
        digest_of_files(ROOT, ("include",)),
        *curand_folders(),
    )

    def make(folder: str) -> None:
        header = os.path.join(folder, "cuda.h")
        with open(header, "w", encoding="utf-8") as file:
            file.writelines(f"#include <{name}>\n" for name in headers)
        command = [compiler, *relevant, "-w", *include_flags(), "-x", "c++-header", header]
        _run([*command, "-o", header + ".gch"], f"a precompiled header ({bundle})")

    return os.path.join(prepared(f"precompiled-{digest}", make, keep=12), "cuda.h")


def main() -> int:
    """Make everything and print where it is."""
    try:
        print("library=" + library())
        print("nvml=" + nvml())
        links = curand()
        if links:
            print("curand=" + links)
        flags = ["-std=c++17", "-O1", "-D__NVCC__", "-D__CUDACC__", "-D__CUDA_ARCH__=900"]
        print("precompiled=" + os.path.dirname(precompiled("g++", flags, "brian")))
    except Unprepared as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
