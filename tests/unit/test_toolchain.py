"""Finding and calling compilers that are played by small shell scripts."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from gpurun import config, toolchain, toolchain_cuda
from gpurun.errors import BuildError, ToolchainError
from gpurun.toolchain import compile_shared, cpu_features, find_cuda, find_cxx, preprocess

GCC = "g++ (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc."
CLANG = "Debian clang version 16.0.6 (15~deb12u1)\nTarget: x86_64-pc-linux-gnu"
# What "-march=native -###" says, in short.
GCC_NATIVE = (
    "Target: x86_64-linux-gnu\n"
    'COLLECT_GCC_OPTIONS="-march=native" "-mnot-this-line"\n'
    ' /usr/lib/gcc/12/cc1plus -E -quiet "-march=haswell" -mavx2 -mno-sse4a '
    '--param "l2-cache-size=256" "-mtune=haswell" /dev/null'
)
CLANG_NATIVE = (
    ' "/usr/lib/llvm/bin/clang" "-cc1" "-triple" "x86_64" "-main-file-name" "null" '
    '"-target-cpu" "haswell" "-target-feature" "+avx2" "-fdebug-compilation-dir=/here"'
)


class Tools:
    """A folder on PATH that holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def script(self, name: str, body: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def compiler(
        self, name: str, *, version: str = GCC, native: str = GCC_NATIVE, compiles: str = "exit 0"
    ) -> Path:
        """A compiler; `compiles` is what it does for a call that is no question."""
        return self.script(
            name,
            f"""
for word in "$@"; do
  case "$word" in
    --version) echo {shlex.quote(version)}; exit 0;;
    -dumpmachine) echo x86_64-linux-gnu; exit 0;;
    -print-prog-name=*) echo cc1plus; exit 0;;
    -fsyntax-only) cat > /dev/null; exit 0;;
    "-###") echo {shlex.quote(native)} >&2; exit 0;;
  esac
done
{compiles}
""",
        )


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path / "Mes outils é")
    monkeypatch.setenv("PATH", str(made.folder))
    for name in ("CXX", "CUDA_PATH", "CUDA_HOME", "CONDA_PREFIX", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    # Nothing outside the folder is found.
    monkeypatch.setattr(toolchain_cuda.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(toolchain_cuda, "SYSTEM", made.folder / "no such toolkit")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(config, "_current", None)
    toolchain._find_cxx.cache_clear()
    toolchain._cpu_features.cache_clear()
    return made


# -- finding the C++ compiler ---------------------------------------------------------


def test_gcc_is_described(tools: Tools) -> None:
    path = tools.compiler("g++")
    found = find_cxx()
    assert found.path == str(path)
    assert found.command == (str(path),)
    assert (found.family, found.version) == ("gcc", "12.2.0")
    assert found.identity == "g++ (Debian 12.2.0-14+deb12u1) 12.2.0 [x86_64-linux-gnu]"


def test_clang_is_described(tools: Tools) -> None:
    tools.compiler("c++", version=CLANG)
    assert (find_cxx().family, find_cxx().version) == ("clang", "16.0.6")


def test_unknown_compiler_is_used(tools: Tools) -> None:
    tools.compiler("c++", version="Wonder C++ of 2031")
    assert (find_cxx().family, find_cxx().version) == ("other", "")


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["clang++", "g++", "c++"], "c++"),
        (["clang++", "g++"], "g++"),
        (["clang++"], "clang++"),
    ],
)
def test_order_of_candidates(tools: Tools, installed: list[str], expected: str) -> None:
    for name in installed:
        tools.compiler(name)
    assert Path(find_cxx().path).name == expected


def test_candidate_that_does_not_compile_is_passed_over(tools: Tools) -> None:
    tools.script("c++", "cat > /dev/null; echo 'no C++17' >&2; exit 1")
    tools.compiler("g++")
    assert Path(find_cxx().path).name == "g++"


def test_cxx_wins(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.compiler("c++")
    mine = tools.compiler("my-c++")
    monkeypatch.setenv("CXX", "my-c++")
    assert find_cxx().path == str(mine)
    monkeypatch.setenv("CXX", "")
    assert Path(find_cxx().path).name == "c++"


def test_cxx_may_hold_arguments(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    ccache = tools.script("ccache", 'exec "$@"')
    tools.compiler("g++")
    monkeypatch.setenv("CXX", "ccache g++ '-DX=a b'")
    found = find_cxx()
    assert found.command == (str(ccache), "g++", "-DX=a b")
    assert (found.family, found.version) == ("gcc", "12.2.0")


def test_cxx_may_be_a_path_with_spaces(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tools.compiler("my g++ ü")
    monkeypatch.setenv("CXX", str(path))
    assert find_cxx().command == (str(path),)


@pytest.mark.parametrize("cxx", ["nonesuch", "broken", "'unbalanced", "ccache nonesuch"])
def test_unusable_cxx_is_an_error_although_others_exist(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, cxx: str
) -> None:
    tools.compiler("g++")
    tools.script("ccache", 'exec "$@"')
    tools.script("broken", "cat > /dev/null; echo 'this compiler is from 2003' >&2; exit 1")
    monkeypatch.setenv("CXX", cxx)
    with pytest.raises(ToolchainError, match="environment variable CXX") as caught:
        find_cxx()
    assert cxx in str(caught.value)
    assert caught.value.fields["fix"] == "unset CXX"
    if cxx == "broken":
        assert "this compiler is from 2003" in str(caught.value)


@pytest.mark.parametrize(
    ("manager", "fix"),
    [
        ("apt-get", "apt-get install g++"),
        ("dnf", "dnf install gcc-c++"),
        (None, "conda install -c conda-forge cxx-compiler"),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one way only")
def test_no_compiler_names_the_command_that_mends_it(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, manager: str | None, fix: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if manager:
        tools.script(manager, "exit 0")
        fix = "sudo " + fix
    with pytest.raises(ToolchainError, match="no C\\+\\+17 compiler was found") as caught:
        find_cxx()
    assert caught.value.fields == {"missing": "C++ compiler", "fix": fix}
    assert fix in str(caught.value)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ToolchainError) as caught:
        find_cxx()
    assert caught.value.fields["fix"] == fix.removeprefix("sudo ")


# -- what -march=native stands for ----------------------------------------------------


def _features(tools: Tools, monkeypatch: pytest.MonkeyPatch, native: str) -> str:
    tools.compiler("c++", native=native)
    toolchain._cpu_features.cache_clear()
    return cpu_features()


def test_cpu_features_follow_the_instruction_set_only(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = _features(tools, monkeypatch, GCC_NATIVE)
    assert len(base) == 16
    same = GCC_NATIVE.replace("l2-cache-size=256", "l2-cache-size=512")
    assert _features(tools, monkeypatch, same) == base
    assert _features(tools, monkeypatch, GCC_NATIVE.replace("-mnot-this", "-mor-this")) == base
    assert _features(tools, monkeypatch, GCC_NATIVE.replace("-mavx2", "-mno-avx2")) != base
    assert _features(tools, monkeypatch, GCC_NATIVE.replace("haswell", "skylake")) != base


def test_cpu_features_of_clang(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    base = _features(tools, monkeypatch, CLANG_NATIVE)
    assert _features(tools, monkeypatch, CLANG_NATIVE.replace("/here", "/there")) == base
    assert _features(tools, monkeypatch, CLANG_NATIVE.replace("+avx2", "-avx2")) != base
    assert _features(tools, monkeypatch, CLANG_NATIVE.replace("haswell", "skylake")) != base


def test_cpu_features_without_the_compilers_help(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "_processor", lambda: "flags: avx2")
    base = _features(tools, monkeypatch, "error: unknown option")
    monkeypatch.setattr(toolchain, "_processor", lambda: "flags: avx512f")
    assert _features(tools, monkeypatch, "error: unknown option") != base


# -- compiling ------------------------------------------------------------------------

# Writes its arguments, one a line, and its environment beside its output.
RECORD = f"""
for word in "$@"; do printf '%s\\n' "$word" >> called.txt; done
{shlex.quote(sys.executable)} -c 'import json, os; json.dump(dict(os.environ), open("env.json", "w"))'
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then echo library > "$2"; fi
  shift
done
"""  # noqa: E501 (a line of the shell's)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Ein Ordner mit Ä"
    made.mkdir()
    return made


def _compile(folder: Path, **options: list[str]) -> float:
    return compile_shared(
        [folder / "A b.cpp", Path("zwei.cpp")],
        folder / "model ü.so",
        flags=options.pop("flags", ["-std=c++17", "-DNAME=a b"]),
        cwd=folder,
        **options,
    )


def test_command_is_passed_word_by_word(tools: Tools, folder: Path) -> None:
    tools.compiler("c++", compiles=RECORD)
    seconds = _compile(folder, link_flags=["-lm"], include_dirs=["in clude", "$HOME;x"])
    assert seconds > 0
    assert (folder / "called.txt").read_text(encoding="utf-8").splitlines() == [
        "-std=c++17",
        "-DNAME=a b",
        "-shared",
        "-fPIC",
        "-I",
        "in clude",
        "-I",
        "$HOME;x",
        str(folder / "A b.cpp"),
        "zwei.cpp",
        "-o",
        str(folder / "model ü.so"),
        "-lm",
    ]
    assert (folder / "model ü.so").exists()
    assert not (folder / "compile.log").exists()


def test_environment_is_put_in_order(
    tools: Tools, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.compiler("c++", compiles=RECORD)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("DEPENDENCIES_OUTPUT", "/somewhere/deps")
    monkeypatch.setenv("CPATH", "/module/include")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    _compile(folder)
    seen = json.loads((folder / "env.json").read_text(encoding="utf-8"))
    assert seen["LC_ALL"] == "C.UTF-8"
    assert "LANGUAGE" not in seen
    assert "DEPENDENCIES_OUTPUT" not in seen
    assert seen["CPATH"] == "/module/include"
    assert seen["TMPDIR"] == str(tmp_path)
    # A linker is found although PATH holds our folder only.
    assert seen["PATH"].split(os.pathsep)[0] == str(tools.folder)
    assert "/usr/bin" in seen["PATH"].split(os.pathsep)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    _compile(folder)
    assert "TMPDIR" not in json.loads((folder / "env.json").read_text(encoding="utf-8"))


def test_failure_shows_everything(tools: Tools, folder: Path) -> None:
    path = tools.compiler(
        "c++", compiles="echo 'on its output: ü'; echo 'main.cpp:1: error: half' >&2; exit 3"
    )
    with pytest.raises(BuildError) as caught:
        _compile(folder)
    error = caught.value
    assert error.fields["returncode"] == 3
    assert error.fields["output"] == "on its output: ü\nmain.cpp:1: error: half\n"
    assert error.fields["directory"] == str(folder)
    assert error.fields["command"][0] == str(path)
    assert error.fields["command"][-1] == str(folder / "model ü.so")
    for part in ("exit status 3", "main.cpp:1: error: half", str(folder), "'-DNAME=a b'"):
        assert part in str(error)
    log = (folder / "compile.log").read_text(encoding="utf-8")
    assert log.startswith(shlex.join(error.fields["command"]))
    assert "main.cpp:1: error: half" in log
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.fields) == (str(error), error.fields)


@pytest.mark.parametrize(
    ("compiles", "expected"),
    [
        ("exit 0", "was not written"),
        ("kill -KILL $$", "out of memory"),
        ("echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 1", "of memory"),
        ("echo 'as: No space left on device'; exit 1", "TMPDIR"),
    ],
)
def test_known_failures_are_explained(
    tools: Tools, folder: Path, compiles: str, expected: str
) -> None:
    tools.compiler("c++", compiles=compiles)
    with pytest.raises(BuildError) as caught:
        _compile(folder)
    assert expected in str(caught.value)


def test_compiler_that_vanished(tools: Tools, folder: Path) -> None:
    path = tools.compiler("c++")
    find_cxx()
    path.unlink()
    with pytest.raises(BuildError, match="could not be started") as caught:
        _compile(folder)
    assert caught.value.fields["directory"] == str(folder)
    with pytest.raises(BuildError, match="could not be started"):
        preprocess(Path("a.cpp"), flags=[], cwd=folder)


def test_verbose_shows_the_compilers_lines(
    tools: Tools, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.compiler("c++", compiles=f"echo a warning; {RECORD}")
    _compile(folder)
    assert capsys.readouterr() == ("", "")
    config.configure(verbose=True)
    _compile(folder)
    said = capsys.readouterr().err.splitlines()
    assert "-std=c++17 '-DNAME=a b'" in said[0]
    assert said[1:] == ["a warning"]


def test_interrupt_ends_the_compiler(
    tools: Tools, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.compiler("c++", compiles="echo $$; exec sleep 600")
    config.configure(verbose=True)
    seen: list[int] = []

    def press_ctrl_c(text: str, **options: object) -> None:
        if text.strip().isdigit():  # the process id, shown as the compiler's first line
            seen.append(int(text))
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        _compile(folder)
    monkeypatch.undo()
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_preprocess(tools: Tools, folder: Path) -> None:
    body = f"{RECORD}\nprintf 'int \\303\\274;'"
    tools.compiler("c++", compiles=body)
    assert preprocess(Path("a b.cpp"), flags=["-O3"], include_dirs=["x y"], cwd=folder) == (
        "int ü;".encode()
    )
    called = (folder / "called.txt").read_text(encoding="utf-8").splitlines()
    assert called == ["-O3", "-E", "-P", "-I", "x y", "a b.cpp"]


def test_preprocess_failure(tools: Tools, folder: Path) -> None:
    tools.compiler("c++", compiles="echo half; echo 'no such header' >&2; exit 1")
    with pytest.raises(BuildError, match="no such header") as caught:
        preprocess(Path("a.cpp"), flags=[], cwd=folder)
    assert caught.value.fields["output"] == "no such header\n"


# -- finding the CUDA toolkit ---------------------------------------------------------


def toolkit(
    tools: Tools,
    root: Path,
    *,
    version: str = "13.0",
    curand: bool = True,
    lacks: str = "",
) -> Path:
    """A toolkit with nvcc, headers and libraries; returns its nvcc."""
    headers = ("cuda_runtime.h", "cccl/nv/target", "crt/host_config.h")
    for name in (*headers, "curand.h" if curand else "x.h"):
        file = root / "include" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name != lacks:
            file.write_text("#if __GNUC__ > 15\n#if (__clang_major__ >= 21) || 0\n")
    if lacks != "cicc":
        tools.script(str(root / "nvvm" / "bin" / "cicc"), "exit 0")
    (root / "lib").mkdir()
    if curand:
        (root / "lib" / "libcurand.so.10").write_text("")
    said = f"Cuda compilation tools, release {version}, V{version}.88"
    return tools.script(str(root / "bin" / "nvcc"), f"echo {shlex.quote(said)}")


def test_no_toolkit(tools: Tools) -> None:
    assert find_cuda() is None


def test_toolkit_is_described(tools: Tools, tmp_path: Path) -> None:
    root = tmp_path / "CUDA é 13"
    nvcc = toolkit(tools, root)
    tools.script("nvcc", f'exec "{nvcc}" "$@"')
    (tools.folder / "nvcc").unlink()
    (tools.folder / "nvcc").symlink_to(nvcc)
    found = find_cuda()
    assert found is not None
    assert (found.version, found.source, found.root) == ("13.0", "path", str(root))
    assert found.nvcc == str(tools.folder / "nvcc")
    assert found.include_dirs == (str(root / "include"), str(root / "include" / "cccl"))
    assert found.library_dirs == (str(root / "lib"),)
    assert found.curand == str(root / "lib" / "libcurand.so.10")
    assert found.missing == ()
    assert found.complete


def test_script_on_path_is_asked_for_its_toolkit(tools: Tools, tmp_path: Path) -> None:
    root = tmp_path / "far away"
    toolkit(tools, root)
    tools.script(
        "nvcc",
        f"""
if [ "$1" = --version ]; then echo 'release 13.0,'; exit 0; fi
/bin/cat >&2 <<'END'
#$ TOP={root}/bin/..
#$ INCLUDES="-I{root}/bin/../include"
#$ SYSTEM_INCLUDES="-isystem" "{root}/bin/../include/cccl"
#$ LIBRARIES=  "-L{root}/bin/../lib/stubs" "-L{root}/bin/../lib"
END""",
    )
    found = find_cuda()
    assert found is not None
    assert found.complete
    assert found.root == str(root)
    assert found.library_dirs == (str(root / "lib"),)


@pytest.mark.parametrize("variable", ["CUDA_PATH", "CUDA_HOME"])
def test_variable_wins_over_path(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tools.folder / "nvcc").symlink_to(toolkit(tools, tmp_path / "a", version="12.0"))
    toolkit(tools, tmp_path / "b", version="13.1")
    monkeypatch.setenv(variable, str(tmp_path / "b"))
    found = find_cuda()
    assert found is not None
    assert (found.version, found.source) == ("13.1", "environment")


def test_conda_needs_its_mark(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "conda"
    toolkit(tools, prefix)
    monkeypatch.setenv("CONDA_PREFIX", str(prefix))
    assert find_cuda() is None
    (prefix / "conda-meta").mkdir()
    found = find_cuda()
    assert found is not None
    assert found.source == "conda"


def test_newest_wheel_is_found(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "nvidia"
    toolkit(tools, site / "cu13", version="13.0")
    toolkit(tools, site / "cu14", version="14.0")

    class Spec:
        submodule_search_locations = (str(site),)

    monkeypatch.setattr(toolchain_cuda.importlib.util, "find_spec", lambda name: Spec)
    found = find_cuda()
    assert found is not None
    assert (found.source, found.version) == ("wheels", "14.0")


def test_complete_toolkit_is_preferred(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "a"))
    toolkit(tools, tmp_path / "a", lacks="cuda_runtime.h")
    found = find_cuda()
    assert found is not None
    assert not found.complete
    assert found.missing == ("cuda_runtime.h",)
    (tools.folder / "nvcc").symlink_to(toolkit(tools, tmp_path / "b"))
    found = find_cuda()
    assert found is not None
    assert (found.complete, found.source) == (True, "path")


def test_curand_is_not_needed(tools: Tools, tmp_path: Path) -> None:
    (tools.folder / "nvcc").symlink_to(toolkit(tools, tmp_path / "a", curand=False))
    found = find_cuda()
    assert found is not None
    assert (found.complete, found.curand) == (True, None)


@pytest.mark.parametrize("lacks", ["crt/host_config.h", "cicc"])
def test_wheels_that_are_not_all_there(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    toolkit(tools, tmp_path / "nvidia" / "cu13", lacks=lacks)
    spec = types.SimpleNamespace(submodule_search_locations=(str(tmp_path / "nvidia"),))
    monkeypatch.setattr(toolchain_cuda.importlib.util, "find_spec", lambda name: spec)
    found = find_cuda()
    assert found is not None
    assert found.missing == (lacks,)


@pytest.mark.parametrize("body", ["exit 1", "echo hello", "kill -KILL $$"])
def test_nvcc_that_does_not_answer_is_none(tools: Tools, body: str) -> None:
    tools.script("nvcc", body)
    assert find_cuda() is None


def test_all_names_exist() -> None:
    members: list[Callable[..., object]] = [getattr(toolchain, name) for name in toolchain.__all__]
    assert all(member.__doc__ for member in members)
