"""Finds the C++ compiler, and compiles with it.

The CUDA toolkit is found by :func:`find_cuda`, which lives in :mod:`gpurun.toolchain_cuda`.
Commands are lists, never passed through a shell, so that any path works.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpurun.config import settings
from gpurun.errors import BuildError, ToolchainError
from gpurun.toolchain_cuda import CudaToolkit, find_cuda
from gpurun.toolchain_memory import remembered

__all__ = [
    "Compilation",
    "Compiler",
    "CudaToolkit",
    "compilation",
    "compile_shared",
    "compile_with",
    "cpu_features",
    "find_cuda",
    "find_cxx",
    "identify_cxx",
    "preprocess",
]

_CANDIDATES = ("c++", "g++", "clang++")
# A compiler that does not answer these questions in this time is not usable (seconds).
_PATIENCE = 60
_PROBE = """\
#if __cplusplus < 201703L
#error "no C++17"
#endif
#include <optional>
int main() { if constexpr (sizeof(int) > 0) return std::optional<int>(0).value(); }
"""
# These make a compiler write files of its own, speak another language, or load foreign code
# into itself; none helps it to find headers or libraries.
_DISTURBING = (
    "CCC_OVERRIDE_OPTIONS",
    "DEPENDENCIES_OUTPUT",
    "GCC_COMPARE_DEBUG",
    "LANGUAGE",
    "LC_ALL",
    "LD_PRELOAD",
    "SUNPRO_DEPENDENCIES",
)


@dataclass(frozen=True)
class Compiler:
    """A C++17 compiler.

    Attributes
    ----------
    path : str
        The executable, absolute.
    family : {"gcc", "clang", "other"}
    version : str
        Such as "12.2.0"; empty if it could not be read.
    identity : str
        First line of ``--version`` and the target triple: enough to tell one installed
        compiler's output from another's.
    command : tuple of str
        How to call it: `path` and the arguments that ``$CXX`` gave.
    """

    path: str
    family: Literal["gcc", "clang", "other"]
    version: str
    identity: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Compilation:
    """One compiler call.

    Attributes
    ----------
    command : tuple of str
    directory : Path
        Where it runs.
    output : Path
        The file it writes.
    """

    command: tuple[str, ...]
    directory: Path
    output: Path


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
    # UTF-8, so that paths in messages stay readable; no language, so that messages can be
    # searched for on the web and by us.
    clean["LC_ALL"] = "C.UTF-8"
    # The compiler calls an assembler and a linker; a stripped PATH must not hide them.
    parts = [part for part in clean.get("PATH", "").split(os.pathsep) if part]
    parts += [part for part in os.defpath.split(os.pathsep) if part and part not in parts]
    clean["PATH"] = os.pathsep.join(parts)
    # Compilers differ in what they do with a TMPDIR that does not exist.
    if "TMPDIR" in clean and not os.access(clean["TMPDIR"], os.W_OK | os.X_OK):
        del clean["TMPDIR"]
    return clean


def _ask(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a short command; raise OSError or SubprocessError when it gives no answer."""
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=_environment(),
        timeout=_PATIENCE,
        check=False,
    )


def _install_hint() -> str:
    """Return the command that installs a C++ compiler on this system."""
    if sys.platform == "darwin":
        return "xcode-select --install"
    sudo = "" if not hasattr(os, "geteuid") or os.geteuid() == 0 else "sudo "
    managers = {
        "apt-get": "apt-get install g++",
        "dnf": "dnf install gcc-c++",
        "yum": "yum install gcc-c++",
        "zypper": "zypper install gcc-c++",
        "pacman": "pacman -S gcc",
        "apk": "apk add g++",
    }
    for manager, command in managers.items():
        if shutil.which(manager):
            return sudo + command
    return "conda install -c conda-forge cxx-compiler"


def _split(text: str) -> list[str]:
    """Split ``$CXX`` into words, unless it is one path that holds spaces."""
    if shutil.which(text):
        return [text]
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def _identify(words: list[str]) -> Compiler:
    """Examine a compiler command; raise ToolchainError with the reason if it cannot be used."""
    path = shutil.which(words[0])
    if path is None:
        shown = shlex.join(words)
        raise ToolchainError(f"{shown}: there is no such program", missing=words[0], fix="")
    command = (os.path.abspath(path), *words[1:])

    def files(answer: dict[str, Any]) -> list[str]:
        # ccache and the like are followed by the compiler's name
        programs = [path for word in words[1:] if (path := shutil.which(word))]
        return [command[0], *programs, *answer["parts"]]

    found = remembered(["c++", *command], lambda: _examine(command, shlex.join(words)), files)
    return Compiler(
        path=command[0],
        family=found["family"],
        version=found["version"],
        identity=found["identity"],
        command=command,
    )


def _examine(command: tuple[str, ...], shown: str) -> dict[str, Any]:
    try:
        first = _ask([*command, "--version"])
        target = _ask([*command, "-dumpmachine"])
        # What a wrapper script calls may change although the script does not
        part = _ask([*command, "-print-prog-name=cc1plus"]).stdout.strip()
        probe = _ask([*command, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"], _PROBE)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"{shown} cannot be run: {error}", missing=shown, fix="") from error
    if probe.returncode != 0:
        reason = (probe.stderr or probe.stdout).strip() or f"exit status {probe.returncode}"
        raise ToolchainError(
            f"{shown} does not compile a small C++17 program: {reason}", missing="C++17", fix=""
        )
    text = first.stdout.strip()
    line = text.partition("\n")[0].strip()
    family: Literal["gcc", "clang", "other"] = "other"
    if "clang" in text.lower():
        family = "clang"
    elif "Free Software Foundation" in text or re.search(r"\b(gcc|g\+\+)\b", line, re.I):
        family = "gcc"
    # Distributors put their own numbers in brackets before the compiler's.
    version = re.search(r"\d+(?:\.\d+)+", re.sub(r"\(.*?\)", "", line))
    return {
        "family": family,
        "version": version[0] if version else "",
        "identity": f"{line} [{target.stdout.strip()}]",
        "parts": [part] if os.path.isabs(part) and os.path.isfile(part) else [],
    }


@functools.lru_cache(maxsize=8)
def _find_cxx(cxx: str, search: str) -> Compiler:
    del search  # part of the cache's key only
    fix = _install_hint()
    if cxx:
        try:
            return _identify(_split(cxx))
        except ToolchainError as error:
            raise ToolchainError(
                f"the compiler named by the environment variable CXX ({cxx!r}) cannot be used: "
                f"{error.message}. Correct CXX or unset it; 'gpurun doctor' shows what is found.",
                missing="C++ compiler",
                fix="unset CXX",
            ) from error
    reasons: list[str] = []
    for name in _CANDIDATES:
        try:
            return _identify([name])
        except ToolchainError as error:
            reasons.append(error.message)
    raise ToolchainError(
        f"no C++17 compiler was found ({'; '.join(reasons)}). Install one with:\n    {fix}\n"
        "or name one in the environment variable CXX.",
        missing="C++ compiler",
        fix=fix,
    )


def identify_cxx(program: str) -> Compiler | None:
    """Return the C++17 compiler `program`, or None if it cannot be used."""
    try:
        return _identify([program])
    except ToolchainError:
        return None


def find_cxx() -> Compiler:
    """Return the C++17 compiler: ``$CXX`` (with arguments if any), else c++, g++, clang++.

    The answer is kept for the process as long as ``CXX`` and ``PATH`` stay the same.

    Raises
    ------
    ToolchainError
        There is none, or ``$CXX`` is set and cannot be used; the message holds the command
        that mends it (also as `fix`).
    """
    return _find_cxx(os.environ.get("CXX", "").strip(), os.environ.get("PATH", ""))


@functools.lru_cache(maxsize=8)
def _cpu_features(command: tuple[str, ...]) -> str:
    # Machines that share a cache directory differ in what the system says of the processor
    return remembered(
        ["native", _processor(), *command],
        lambda: _ask_cpu_features(command),
        lambda answer: [command[0]],
    )


def _ask_cpu_features(command: tuple[str, ...]) -> str:
    # "-###" prints what would be run, with "native" replaced by what it stands for.
    try:
        said = _ask([*command, "-march=native", "-###", "-E", "-x", "c++", os.devnull]).stderr
    except (OSError, subprocess.SubprocessError):
        said = ""
    found: set[str] = set()
    for line in said.splitlines():
        if "cc1" not in line:
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        for previous, word in zip(["", *words], words, strict=False):
            # Cache sizes (--param) differ between the cores of some processors, and change
            # no instruction set.
            native = word.startswith("-m") and not word.startswith("-main-file")
            if native or previous in ("-target-cpu", "-target-feature"):
                found.add(word)
    if not found:
        found.add(_processor())
    digest = hashlib.sha256("\n".join([platform.machine(), *sorted(found)]).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """Describe the processor without a compiler's help."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    names = (
        "flags",
        "Features",
        "cpu family",
        "model",
        "model name",
        "CPU implementer",
        "CPU part",
    )
    # The first core's: the others say the same, up to their number.
    text = text.partition("\n\n")[0]
    lines = {line for line in text.splitlines() if line.partition("\t")[0].strip() in names}
    return "\n".join(sorted(lines))


def cpu_features() -> str:
    """Return a short digest of what ``-march=native`` resolves to on this machine.

    Two machines with the same digest can use each other's libraries.

    Raises
    ------
    ToolchainError
        See :func:`find_cxx`.
    """
    return _cpu_features(find_cxx().command)


def _includes(include_dirs: Sequence[str | Path]) -> list[str]:
    # Two words: "-I" and a path glued together would work too, but reads worse in a log.
    return [word for folder in include_dirs for word in ("-I", str(folder))]


def compilation(
    sources: Sequence[Path],
    output: Path,
    *,
    flags: Sequence[str],
    link_flags: Sequence[str],
    include_dirs: Sequence[str | Path],
    cwd: Path,
) -> Compilation:
    """Return the call that compiles `sources` into the shared library `output`."""
    command = (
        *find_cxx().command,
        *flags,
        "-shared",
        "-fPIC",
        *_includes(include_dirs),
        *(str(source) for source in sources),
        "-o",
        str(output),
        # Libraries come after what needs them.
        *link_flags,
    )
    return Compilation(command, Path(cwd), Path(output))


def _run(command: Sequence[str], cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a compiler to its end; return its exit status and all that it said."""
    said: list[str] = []
    echo = settings().verbose
    if echo:
        print(shlex.join(command), file=sys.stderr, flush=True)
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if echo:
                    print(line, end="", file=sys.stderr, flush=True)
            return process.wait(), "".join(said)
        except BaseException:
            process.kill()
            raise


def _explain(code: int, output: str) -> str:
    if "No space left on device" in output:
        return " The disk is full: free space, or point TMPDIR or GPURUN_CACHE_DIR elsewhere."
    if code < 0 or re.search(r"\bKilled\b", output):
        return " The compiler was killed; usually the machine has run out of memory."
    return ""


def compile_shared(
    sources: Sequence[Path],
    output: Path,
    *,
    flags: Sequence[str],
    link_flags: Sequence[str] = (),
    include_dirs: Sequence[str | Path] = (),
    cwd: Path,
) -> float:
    """Compile `sources` into the shared library `output`.

    Parameters
    ----------
    sources : sequence of Path
        Relative paths are relative to `cwd`, like those in `output` and `include_dirs`.
    output : Path
    flags : sequence of str
        For the compiler, ``-std=c++17`` among them; ``-shared -fPIC`` are added.
    link_flags : sequence of str
        Put last on the command line.
    include_dirs : sequence of str or Path
    cwd : Path
        Where the compiler runs; kept, whatever happens. A failed call leaves ``compile.log``
        in it, with the command and what the compiler said.

    Returns
    -------
    float
        Wall time in seconds.

    Raises
    ------
    BuildError
        With `command`, `output` (the compiler's messages), `returncode` and `directory`.
    ToolchainError
        See :func:`find_cxx`.
    """
    call = compilation(
        sources, output, flags=flags, link_flags=link_flags, include_dirs=include_dirs, cwd=cwd
    )
    return compile_with(call)


def compile_with(
    call: Compilation,
    what: str = "C++",
    adapt: Callable[[dict[str, str]], dict[str, str]] = lambda environment: environment,
) -> float:
    """Make a compiler call; returns its wall time in seconds.

    Parameters
    ----------
    call : Compilation
    what : str, optional
        The kind of compiler, for messages.
    adapt : callable, optional
        Changes the environment that it runs in.

    Raises
    ------
    BuildError
        See :func:`compile_shared`.
    """
    started = time.perf_counter()
    code, said = _execute(call, adapt(_environment()))
    written = (call.directory / call.output).is_file()
    if code != 0 or not written:
        _fail(call, code, said, "" if code != 0 else f"{call.output} was not written. ", what)
    return time.perf_counter() - started


def _execute(call: Compilation, environment: dict[str, str]) -> tuple[int, str]:
    try:
        return _run(call.command, call.directory, environment)
    except OSError as error:
        raise BuildError(
            f"the compiler could not be started in {call.directory}: {error}. "
            "'gpurun doctor' checks the compiler.",
            command=list(call.command),
            directory=str(call.directory),
            returncode=-1,
            output=str(error),
        ) from error


def _fail(call: Compilation, code: int, said: str, problem: str, what: str = "C++") -> None:
    log = call.directory / "compile.log"
    try:
        log.write_text(f"{shlex.join(call.command)}\n\n{said}", encoding="utf-8")
    except OSError:
        log = call.directory  # a full disk: the exception still has it all
    raise BuildError(
        f"the {what} compiler failed with exit status {code}. {problem}It said:\n{said.rstrip()}\n"
        f"Command: {shlex.join(call.command)}\n"
        f"Sources and log are kept in {log}.{_explain(code, said)}",
        command=list(call.command),
        directory=str(call.directory),
        returncode=code,
        output=said,
    )


def preprocess(
    source: Path, *, flags: Sequence[str], include_dirs: Sequence[str | Path] = (), cwd: Path
) -> bytes:
    """Return `source` with every header put in (``-E -P``), for a fingerprint.

    Raises
    ------
    BuildError
        As :func:`compile_shared`.
    """
    command = (*find_cxx().command, *flags, "-E", "-P", *_includes(include_dirs), str(source))
    call = Compilation(command, Path(cwd), Path("-"))
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise BuildError(
            f"the compiler could not be started in {cwd}: {error}.",
            command=list(command),
            directory=str(cwd),
            returncode=-1,
            output=str(error),
        ) from error
    if done.returncode != 0:
        _fail(call, done.returncode, done.stderr.decode("utf-8", "replace"), "")
    return done.stdout
