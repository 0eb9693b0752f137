"""nvcc from the wheels makes libraries that can be loaded where there is no card."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpurun import toolchain
from gpurun.build import code_key
from gpurun.errors import BuildError, ToolchainError
from gpurun.library import _floating_point_environment
from gpurun.model import Code
from gpurun.toolchain_nvcc import (
    CudaCompiler,
    architectures,
    compile_cuda_shared,
    find_nvcc,
    preprocess_cuda,
)

HOST = """
#include <optional>
#include "answer.h"
int half_of(int n) { return std::optional<int>(n / 2).value() + ADDED; }
"""
DEVICE = """
#include <cuda_runtime.h>
#include "answer.h"
int half_of(int);
template <class T> __global__ void fill(T* place, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(place + i, T(ADDED));
}
extern "C" __attribute__((visibility("default"))) int answer(int n) { return half_of(n); }
extern "C" __attribute__((visibility("default"))) int launch() {
    double* place = nullptr;
    cudaError_t status = cudaMalloc(&place, 8);
    if (status == cudaSuccess) fill<<<1, 1>>>(place, 1);
    return status;
}
"""


@pytest.fixture
def compiler() -> CudaCompiler:
    return find_nvcc()


def project(folder: Path, headers: Path | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    headers = headers or folder
    headers.mkdir(exist_ok=True)
    (headers / "answer.h").write_text("#pragma once\n#define ADDED 40\n")
    (folder / "model.cpp").write_text(HOST)
    (folder / "model.cu").write_text(DEVICE)
    return folder


def compiled(folder: Path, output: str = "model.so", **options: Sequence[str]) -> ctypes.CDLL:
    chosen = {"architectures": ["sm_90"], "include_dirs": ["."], **options}
    units = [Path("model.cpp"), Path("model.cu")]
    assert compile_cuda_shared(units, Path(output), cwd=folder, **chosen) > 0
    # Fast-math code would change how this process treats small numbers
    with _floating_point_environment():
        return ctypes.CDLL(str(folder / output))


def test_the_wheels_are_found(compiler: CudaCompiler, toolkit: Path) -> None:
    assert compiler.toolkit.nvcc == str(toolkit / "bin" / "nvcc")
    assert compiler.toolkit.missing == ()
    assert "sm_90" in compiler.toolkit.architectures
    assert architectures(compiler.toolkit) == ("sm_90",)


def test_host_and_device_code_in_one_library(tmp_path: Path) -> None:
    library = compiled(
        project(tmp_path),
        flags=["--fmad=false"],
        host_flags=["-O2", "-march=native", "-ffast-math", "-fopenmp", "-Wall", "-Werror"],
        link_flags=["-lm", "-Wl,--as-needed", "-fopenmp"],
    )
    assert library.answer(4) == 42
    # Without a card: an error and no more
    assert isinstance(library.launch(), int)


def test_what_is_exported_and_needed(tmp_path: Path) -> None:
    compiled(project(tmp_path))
    read = ["readelf", "--wide", "--dyn-syms", "--dynamic", "model.so"]
    said = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if " GLOBAL " in line and " UND " not in line]
    symbols = {line.split()[-1] for line in lines}
    assert {"answer", "launch"} <= symbols
    assert not [name for name in symbols if "half_of" in name or "fill" in name]
    assert "UNIQUE" not in said
    # The CUDA runtime is inside: cupy and torch bring their own.
    assert not [line for line in said.splitlines() if "NEEDED" in line and "cuda" in line]


def test_two_architectures(tmp_path: Path) -> None:
    folder = project(tmp_path)
    assert compiled(folder, "one.so").answer(4) == 42
    assert compiled(folder, "two.so", architectures=["sm_80", "sm_90"]).answer(4) == 42
    assert (folder / "two.so").stat().st_size > (folder / "one.so").stat().st_size


@pytest.mark.parametrize(
    "name", ["with blanks", "Ä ö ü 網路", "a,b", "it's", 'cost $HOME `x` "q"', "back\\slash"]
)
def test_paths(tmp_path: Path, name: str) -> None:
    headers = tmp_path / f"include {name}"
    folder = project(tmp_path / name, headers)
    library = compiled(
        folder,
        include_dirs=[".", str(headers)],
        host_flags=["-DTEXT='x y'", '-DOTHER="a,b"'],
        link_flags=[f"-Wl,-rpath,{tmp_path / 'with blanks'}", f"-L{tmp_path}"],
    )
    assert library.answer(4) == 42


@pytest.mark.parametrize(
    ("file", "line"),
    [("model.cpp", "int broken = no_such_name;"), ("model.cu", "__global__ void k() { nix(); }")],
)
def test_errors_are_the_compilers(tmp_path: Path, file: str, line: str) -> None:
    folder = project(tmp_path / "Ein Ordner")
    with (folder / file).open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(BuildError) as caught:
        compiled(folder)
    fields = caught.value.fields
    assert fields["returncode"] != 0
    assert file in fields["output"]
    assert ("no_such_name" if file == "model.cpp" else "nix") in fields["output"]
    assert fields["directory"] == str(folder)
    assert fields["command"][0].endswith("nvcc")
    assert not (folder / "model.so").exists()
    assert (folder / "compile.log").exists()


def test_unknown_architecture(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="compute_31"):
        compiled(project(tmp_path), architectures=["sm_31"])


# -- the C++ compiler -----------------------------------------------------------------


def _wrapper(path: Path, version: str, command: str) -> Path:
    """A compiler that calls itself another version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --version) echo "g++ (GCC) {version}"; exit 0;; esac\n'
        f'exec {command} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_compiler_that_is_too_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: CudaCompiler
) -> None:
    found = shlex.quote(toolchain.find_cxx().path)
    monkeypatch.setenv("CXX", str(_wrapper(tmp_path / "g++-99", "99.1.0", found)))
    with pytest.raises(ToolchainError, match="accepts gcc up to version 15") as caught:
        compiled(project(tmp_path))
    assert f"gcc 99.1.0 ({tmp_path / 'g++-99'})" in str(caught.value)


def test_compiler_with_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = toolchain.find_cxx()
    launcher = _wrapper(tmp_path / "launch it", found.version, "env")
    monkeypatch.setenv("CXX", shlex.join([str(launcher), found.path, "-DADDED=1"]))
    folder = project(tmp_path / "project")
    (folder / "answer.h").write_text("#pragma once\n")
    # `--version` is the launcher's own answer; the rest is the compiler's
    assert toolchain.find_cxx().family == "gcc"
    assert compiled(folder).answer(4) == 3


def test_a_stripped_path_is_enough(tmp_path: Path) -> None:
    folder = project(tmp_path)
    program = (
        "import sys; from pathlib import Path\n"
        "from gpurun.toolchain_nvcc import compile_cuda_shared\n"
        "compile_cuda_shared([Path('model.cpp'), Path('model.cu')], Path('model.so'),\n"
        "    architectures=['sm_90'], include_dirs=['.'], cwd=Path(sys.argv[1]))\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={
            **{k: v for k, v in os.environ.items() if k != "PATH"},
            "CXX": toolchain.find_cxx().path,
        },
        check=True,
    )
    assert ctypes.CDLL(str(folder / "model.so")).answer(4) == 42


# -- keys -----------------------------------------------------------------------------


def _code(**options: object) -> Code:
    files = {"model.cpp": HOST, "model.cu": DEVICE, "answer.h": "#define ADDED 40\n"}
    return Code(files, ("model.cpp",), ("-O2",), (), (), cuda_units=("model.cu",), **options)


def test_key(monkeypatch: pytest.MonkeyPatch, compiler: CudaCompiler) -> None:
    from gpurun.config import configure

    key = code_key(_code())
    assert code_key(_code()) == key
    assert code_key(_code(cuda_flags=("--fmad=false",))) != key
    configure(cuda_arch="sm_80")
    try:
        assert code_key(_code()) != key
    finally:
        configure(cuda_arch="sm_90")
    monkeypatch.setenv("NVCC_APPEND_FLAGS", "-lineinfo")
    assert code_key(_code()) != key


def test_preprocessed_text_follows_headers_but_not_places(tmp_path: Path) -> None:
    def text(folder: Path, header: str = "#define ADDED 40\n") -> bytes:
        project(folder)
        (folder / "answer.h").write_text(f"#pragma once\n{header}")
        return preprocess_cuda(Path("model.cu"), include_dirs=["."], cwd=folder)

    first = text(tmp_path / "a")
    assert text(tmp_path / "b c") == first
    assert text(tmp_path / "d", "#define ADDED 41\n") != first
    shutil.rmtree(tmp_path / "a")
    assert text(tmp_path / "a") == first
