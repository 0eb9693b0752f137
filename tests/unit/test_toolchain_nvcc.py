"""What nvcc is told, and which C++ compiler it gets; both are played by small shell scripts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from gpurun import config, nvml, toolchain, toolchain_nvcc
from gpurun.errors import BuildError, ToolchainError
from gpurun.toolchain_nvcc import (
    DEFAULT_ARCHITECTURES,
    architectures,
    compile_cuda_shared,
    find_nvcc,
    newest_host_compilers,
)

# Asked for its version it answers; otherwise it writes down its arguments, one a line, its
# directory and what matters of its environment, and makes its output.
NVCC = """
case "$1" in
  --version) echo 'release 13.0, V13.0.88'; exit 0;;
  --list-gpu-code) printf 'sm_75\\nsm_80\\nsm_90\\nsm_90a\\nsm_100\\n'; exit 0;;
  -dryrun) exit 0;;
esac
for word in "$@"; do printf '%s\\n' "$word" >> called.txt; done
pwd > where.txt
echo "${TMPDIR-none} ${NVCC_CCBIN-none}" > environment.txt
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then echo library > "$2"; fi
  shift
done
"""


class Tools:
    """A folder on PATH with a C++ compiler, and a toolkit that ``CUDA_PATH`` names."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "Mes outils é"
        self.toolkit = root / "CUDA ü"
        self.script(self.toolkit / "bin" / "nvcc", NVCC)
        self.headers("#if __GNUC__ > 15\n#if (__clang_major__ >= 21) || (__clang_major__ < 3)\n")
        (self.toolkit / "lib").mkdir()
        self.compiler("c++", "12.2.0")

    def headers(self, limits: str) -> None:
        for name, text in (("cuda_runtime.h", ""), ("crt/host_config.h", limits)):
            path = self.toolkit / "include" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def script(self, path: Path, body: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def compiler(self, name: str, version: str, family: str = "g++") -> Path:
        said = "clang version" if family == "clang++" else "g++ (GCC)"
        body = f"""
echo "$@" >> {shlex.quote(str(self.folder / "asked.txt"))}
case "$*" in
  *--version*) echo '{said} {version}';;
  *-fsyntax-only*) /bin/cat > /dev/null;;
esac
exit 0"""
        return self.script(self.folder / name, body)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path)
    monkeypatch.setenv("PATH", str(made.folder))
    monkeypatch.setenv("CUDA_PATH", str(made.toolkit))
    for name in ("CXX", "CUDA_HOME", "CONDA_PREFIX", "TMPDIR", "NVCC_CCBIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(config, "_current", None)
    monkeypatch.setenv("GPURUN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(nvml, "compute_capabilities", lambda: ())
    toolchain._find_cxx.cache_clear()
    return made


def called(folder: Path) -> list[str]:
    return (folder / "called.txt").read_text(encoding="utf-8").splitlines()


def compiled(folder: Path, **options: Sequence[str]) -> list[str]:
    folder.mkdir(exist_ok=True)
    chosen = {"architectures": ["sm_90"], **options}
    seconds = compile_cuda_shared(
        [Path("model.cpp"), Path("model.cu")], Path("model.so"), cwd=folder, **chosen
    )
    assert seconds >= 0
    assert (folder / "model.so").read_text() == "library\n"
    return called(folder)


# -- the command ----------------------------------------------------------------------


def test_what_nvcc_is_told(tools: Tools, tmp_path: Path) -> None:
    words = compiled(
        tmp_path / "plain",
        flags=["--fmad=false"],
        host_flags=["-O3", "-std=c++14", "-DX=a b", "-DY=1,2"],
        link_flags=["-L/my libs", "-lm", "-Wl,-rpath,/my libs", "-fopenmp", "/lib/libx.so.10"],
        architectures=["sm_80", "sm_90"],
        include_dirs=[".", "/some where"],
    )
    text = " ".join(words)
    assert "-shared -std=c++17 --cudart static -ccbin " + str(tools.folder / "c++") in text
    assert (
        "-gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 "
        "-gencode arch=compute_90,code=compute_90" in text
    )
    assert "--fmad=false" in words
    host = [b for a, b in pairwise(words) if a == "-Xcompiler"]
    assert host[:3] == ["-O3", "'-DX=a b'", "-DY=1\\,2"]
    assert {"-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-fopenmp"} <= set(host)
    assert "-std=c++14" not in text
    assert "-I . -I /some where model.cpp model.cu -o model.so" in text
    assert f"-L {tools.toolkit / 'lib'}" in text
    linker = [b for a, b in pairwise(words) if a == "-Xlinker"]
    assert linker == ["-rpath", "/my\\ libs", "/lib/libx.so.10"]
    assert "-L/my libs -lm" in text


def test_directory_that_a_shell_reads_as_something_else(tools: Tools, tmp_path: Path) -> None:
    odd = tmp_path / 'a, $b `c` "d" \\e'
    odd.mkdir()
    compile_cuda_shared([Path("model.cu")], Path("model.so"), architectures=["sm_90"], cwd=odd)
    # nvcc ran elsewhere, and only its output is here
    assert [path.name for path in odd.iterdir()] == ["model.so"]


def called_in(folder: Path) -> str:
    return (folder / "where.txt").read_text(encoding="utf-8").strip()


def test_links_stand_in_for_names_with_commas(tools: Tools, tmp_path: Path) -> None:
    headers = tmp_path / "x,y"
    headers.mkdir()
    folder = tmp_path / "Ä b"
    compiled(folder, include_dirs=[headers])
    words = compiled(folder, include_dirs=[headers])  # a directory may be used again
    assert called_in(folder) == str(folder)
    assert (folder / words[words.index("-I") + 1]).resolve() == headers


def test_environment(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "$(x)"
    odd.mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))
    monkeypatch.setenv("NVCC_CCBIN", "other")
    compiled(tmp_path / "plain")
    assert (tmp_path / "plain" / "environment.txt").read_text() == "none none\n"


def test_compiler_with_arguments(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.script(tools.folder / "ccache", 'exec "$@"')
    monkeypatch.setenv("CXX", "ccache c++ '-DX=a b'")
    words = compiled(tmp_path / "plain")
    script = tmp_path / "plain" / words[words.index("-ccbin") + 1]
    assert f"exec {tools.folder / 'ccache'} c++ '-DX=a b' \"$@\"".replace(
        str(tools.folder / "ccache"), shlex.quote(str(tools.folder / "ccache"))
    ) in script.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["plain", "odd $x"])
def test_failure(tools: Tools, tmp_path: Path, name: str) -> None:
    tools.script(
        tools.toolkit / "bin" / "nvcc",
        NVCC.partition("for word")[0] + 'echo "$PWD: no such variable"; exit 2',
    )
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(BuildError, match="CUDA compiler failed with exit status 2") as caught:
        compile_cuda_shared(
            [Path("model.cu")], Path("model.so"), architectures=["sm_90"], cwd=folder
        )
    assert caught.value.fields["returncode"] == 2
    assert "no such variable" in caught.value.fields["output"]
    assert caught.value.fields["directory"] == str(folder)
    assert str(folder / "compile.log") in str(caught.value)
    assert "no such variable" in (folder / "compile.log").read_text(encoding="utf-8")


# -- the C++ compiler -----------------------------------------------------------------


def test_limits_are_the_toolkits(tools: Tools) -> None:
    toolkit = find_nvcc().toolkit
    assert newest_host_compilers(toolkit) == {"gcc": 15, "clang": 20}
    tools.headers("")
    assert newest_host_compilers(toolkit) == {}
    assert find_nvcc().host.path == str(tools.folder / "c++")


def test_older_compiler_is_taken(tools: Tools) -> None:
    tools.compiler("c++", "16.1.0")
    tools.compiler("g++-14", "14.2.0")
    tools.compiler("g++-13", "13.2.0")
    assert toolchain.find_cxx().version == "16.1.0"
    assert find_nvcc().host.path == str(tools.folder / "g++-14")


@pytest.mark.parametrize(
    ("family", "name", "version", "newest"),
    [("gcc", "g++", "16.1.0", 15), ("clang", "clang++", "21.0.0", 20)],
)
def test_no_compiler_that_nvcc_accepts(
    tools: Tools, family: str, name: str, version: str, newest: int
) -> None:
    tools.compiler("c++", version, name)
    with pytest.raises(ToolchainError) as caught:
        find_nvcc()
    text = str(caught.value)
    assert f"{family} up to version {newest}" in text
    assert f"the C++ compiler is {family} {version}" in text
    assert caught.value.fields["fix"] == f"export CXX={name}-{newest}"


def test_a_named_compiler_is_not_replaced(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.compiler("my-c++", "16.1.0")
    tools.compiler("g++-14", "14.2.0")
    monkeypatch.setenv("CXX", "my-c++")
    with pytest.raises(ToolchainError, match="my-c"):
        find_nvcc()


def test_no_toolkit(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "find_cuda", lambda: None)
    with pytest.raises(ToolchainError, match=r"(?s)no CUDA toolkit.*CUDA_HOME") as caught:
        find_nvcc()
    assert "cuda-toolkit[nvcc,cudart,cccl,crt,nvvm]==13.0.2" in caught.value.fields["fix"]


def test_identity_follows_what_changes_the_output(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_nvcc().identity
    assert find_nvcc().identity == first
    monkeypatch.setenv("NVCC_APPEND_FLAGS", "-G")
    assert find_nvcc().identity != first
    monkeypatch.delenv("NVCC_APPEND_FLAGS")
    nvcc = tools.toolkit / "bin" / "nvcc"
    tools.script(nvcc, NVCC.replace("13.0.88", "13.0.99!"))
    assert find_nvcc().identity != first
    tools.script(nvcc, NVCC)
    assert find_nvcc().identity == first
    tools.compiler("c++", "12.3.0 ")
    toolchain._find_cxx.cache_clear()
    assert find_nvcc().identity != first


# -- nothing is asked twice -----------------------------------------------------------


def test_a_second_process_starts_no_compiler(tools: Tools) -> None:
    first = find_nvcc()
    asked = tools.folder / "asked.txt"
    asked.unlink()
    tools.script(tools.toolkit / "bin" / "nvcc.tmp", "")  # nothing that nvcc depends on
    toolchain._find_cxx.cache_clear()
    assert find_nvcc() == first
    assert not asked.exists()


def test_without_the_cache_everything_is_asked_again(tools: Tools) -> None:
    config.configure(cache=False)
    first = find_nvcc()
    (tools.folder / "asked.txt").unlink()
    toolchain._find_cxx.cache_clear()
    assert find_nvcc() == first
    assert (tools.folder / "asked.txt").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": {}}', '{"files": 1, "answer": 2}'])
def test_damaged_memory_is_no_memory(tools: Tools, tmp_path: Path, damage: str) -> None:
    first = find_nvcc()
    kept = list((tmp_path / "cache" / "tools").glob("*.json"))
    assert len(kept) == 2
    for file in kept:
        file.write_text(damage)
    toolchain._find_cxx.cache_clear()
    assert find_nvcc() == first


# -- architectures --------------------------------------------------------------------


def _chosen(monkeypatch: pytest.MonkeyPatch, *cards: tuple[int, int]) -> tuple[str, ...]:
    monkeypatch.setattr(nvml, "compute_capabilities", lambda: cards)
    return architectures(find_nvcc().toolkit)


def test_architectures(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _chosen(monkeypatch) == DEFAULT_ARCHITECTURES
    assert _chosen(monkeypatch, (8, 0), (9, 0)) == ("sm_80", "sm_90")
    # Newer than the toolkit: the driver translates; older: of no use.
    assert _chosen(monkeypatch, (7, 0), (9, 0), (12, 0), (12, 1)) == ("sm_90", "sm_100")
    with pytest.raises(ToolchainError, match=r"sm_75 and later.*is sm_70"):
        _chosen(monkeypatch, (6, 1), (7, 0))
    config.configure(cuda_arch="9.0,sm_75")
    assert _chosen(monkeypatch, (8, 0)) == ("sm_75", "sm_90")
    assert architectures(find_nvcc().toolkit, ["sm_100", "sm_90a"]) == ("sm_90a", "sm_100")


def test_architectures_of_a_toolkit_that_does_not_say(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvcc = tools.toolkit / "bin" / "nvcc"
    tools.script(nvcc, NVCC.replace("printf 'sm_75", "exit 1; printf 'sm_75"))
    assert find_nvcc().toolkit.architectures == ()
    assert _chosen(monkeypatch, (12, 1)) == ("sm_121",)
    assert _chosen(monkeypatch) == DEFAULT_ARCHITECTURES


def test_default_architectures_of_a_newer_toolkit(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvcc = tools.toolkit / "bin" / "nvcc"
    tools.script(nvcc, NVCC.replace("sm_75\\nsm_80\\nsm_90\\nsm_90a\\n", ""))
    assert _chosen(monkeypatch) == ("sm_100",)


# -- is there anything to run on ------------------------------------------------------


def test_problems(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "snapshot", lambda: nvml.Snapshot(problem="no driver"))
    assert toolchain_nvcc.cuda_problem() == "no driver"
    monkeypatch.setattr(nvml, "snapshot", lambda: nvml.Snapshot("580"))
    assert toolchain_nvcc.cuda_problem() is None
    (tools.toolkit / "include" / "cuda_runtime.h").unlink()
    monkeypatch.setenv("CUDA_PATH", str(tools.toolkit))
    monkeypatch.setattr(toolchain, "find_cuda", lambda: None)
    assert "no CUDA toolkit" in str(toolchain_nvcc.cuda_problem())
