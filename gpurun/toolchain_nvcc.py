"""Compiles for NVIDIA cards: nvcc, the C++ compiler that it calls, and the architectures."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpurun import nvml, toolchain
from gpurun.config import architecture_number, settings
from gpurun.errors import BuildError, ToolchainError
from gpurun.toolchain import Compilation, Compiler, CudaToolkit, compile_with, identify_cxx

#: Exactly one release, because nvlink refuses parts of several.
WHEELS = '"cuda-toolkit[nvcc,cudart,cccl,crt,nvvm]==13.0.2"'
#: Compiled for where there is no card to compile for: Turing, Ampere (and Ada), Hopper; newer
#: cards take the intermediate code of the last.
DEFAULT_ARCHITECTURES = ("sm_75", "sm_80", "sm_90")

# nvcc writes paths into double quotes of a shell.
_UNQUOTABLE = re.compile(r'["$`\\]')
# And it splits the values of options at commas, and takes quotes out of them.
_NO_VALUE = re.compile(r"""[,'"$`\\]""")


@dataclass(frozen=True)
class CudaCompiler:
    """nvcc together with the C++ compiler that it calls.

    Attributes
    ----------
    toolkit : CudaToolkit
    host : Compiler
    """

    toolkit: CudaToolkit
    host: Compiler

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells one compiler's output from another's."""
        settings_of_nvcc = ("NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
        return (
            self.toolkit.nvcc,
            self.toolkit.identity,
            self.host.identity,
            *self.host.command,
            *(f"{name}={os.environ[name]}" for name in settings_of_nvcc if name in os.environ),
        )


def pip_install(requirement: str) -> str:
    """Return the command that installs a package where this gpurun runs."""
    python = sys.executable
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {requirement}"
    return f"{python} -m pip install {requirement}"


# -- finding -------------------------------------------------------------------------


def find_nvcc() -> CudaCompiler:
    """Return nvcc with a C++ compiler that it accepts.

    That is the one that :func:`gpurun.toolchain.find_cxx` finds. Where it is too new for nvcc
    and ``CXX`` is not set, an older g++ on ``PATH`` is taken.

    Raises
    ------
    ToolchainError
        There is no complete toolkit, or no C++ compiler that it accepts. The message says
        what to install.
    """
    toolkit = toolchain.find_cuda()
    if toolkit is None or not toolkit.complete:
        fix = pip_install(WHEELS)
        what = "no CUDA toolkit (nvcc) was found"
        if toolkit is not None:
            what = f"the CUDA toolkit {toolkit.root} lacks {', '.join(toolkit.missing)}"
        raise ToolchainError(
            f"{what}. Install one with:\n    {fix}\nor name an installed one in the environment "
            "variable CUDA_HOME. 'gpurun doctor' shows what is found.",
            missing="CUDA toolkit",
            fix=fix,
        )
    return CudaCompiler(toolkit, host_compiler(toolkit))


def newest_host_compilers(toolkit: CudaToolkit) -> dict[str, int]:
    """Return the newest major version of each family of compilers that nvcc accepts.

    Empty for a toolkit that does not say so.
    """
    for folder in toolkit.include_dirs:
        try:
            text = Path(folder, "crt/host_config.h").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found: dict[str, int] = {}
        if match := re.search(r"#if\s+__GNUC__\s*>\s*(\d+)", text):
            found["gcc"] = int(match[1])
        if match := re.search(r"#if\s+\(__clang_major__\s*>=\s*(\d+)\)", text):
            found["clang"] = int(match[1]) - 1
        return found
    return {}


def host_compiler(toolkit: CudaToolkit) -> Compiler:
    """Return the C++ compiler for nvcc; see :func:`find_nvcc`.

    Raises
    ------
    ToolchainError
        None that nvcc accepts was found.
    """
    found = toolchain.find_cxx()
    newest = newest_host_compilers(toolkit).get(found.family)
    if newest is None or _major(found) <= newest:
        return found
    name = {"gcc": "g++", "clang": "clang++"}[found.family]
    if not os.environ.get("CXX", "").strip():
        for version in range(newest, max(newest - 8, 7), -1):
            if (other := identify_cxx(f"{name}-{version}")) is not None:
                return other
    package = f"{name}-{newest}" if name == "g++" else f"clang-{newest}"
    fix = f"export CXX={name}-{newest}"
    raise ToolchainError(
        f"nvcc {toolkit.version} ({toolkit.nvcc}) accepts {found.family} up to version {newest}, "
        f"but the C++ compiler is {found.family} {found.version} ({' '.join(found.command)}). "
        f"Install an older one (such as the package {package}) and name it in the environment "
        f"variable CXX:\n    {fix}\nor install a newer CUDA toolkit.",
        missing=f"{found.family} <= {newest}",
        fix=fix,
    )


def _major(compiler: Compiler) -> int:
    text = compiler.version.partition(".")[0]
    return int(text) if text else 0


def cuda_problem() -> str | None:
    """Return why models cannot be compiled for a card and run there, or None if they can.

    The card is asked first, so that this is quick on a machine without one.
    """
    if problem := nvml.snapshot().problem:
        return problem
    toolkit = toolchain.find_cuda()
    if toolkit is None:
        return "there is a card, but no CUDA toolkit (nvcc) to compile for it"
    if not toolkit.complete:
        return f"the CUDA toolkit {toolkit.root} lacks {', '.join(toolkit.missing)}"
    return None


# -- architectures -------------------------------------------------------------------


def architectures(toolkit: CudaToolkit, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return what to compile for, such as ``("sm_80", "sm_90")``, the oldest first.

    Parameters
    ----------
    toolkit : CudaToolkit
        Cards that are newer than it get code for the newest that it knows; the driver
        translates the intermediate code that comes with it.
    wanted : sequence of str, optional
        Default: ``GPURUN_CUDA_ARCH`` (or ``--arch``), else the cards of this machine, else
        :data:`DEFAULT_ARCHITECTURES`.

    Raises
    ------
    ToolchainError
        The toolkit no longer supports any card of this machine.
    """
    chosen = tuple(wanted) if wanted is not None else settings().cuda_arch
    if chosen:
        return tuple(sorted(set(chosen), key=architecture_number))
    # Names with a letter are for one generation only.
    known = sorted((x for x in toolkit.architectures if x[-1].isdigit()), key=architecture_number)
    cards = [f"sm_{major}{minor}" for major, minor in nvml.compute_capabilities()]
    if not known:
        return tuple(cards) or DEFAULT_ARCHITECTURES
    oldest, newest = (architecture_number(known[n]) for n in (0, -1))
    usable = [card for card in cards if architecture_number(card) >= oldest]
    if cards and not usable:
        raise ToolchainError(
            f"nvcc {toolkit.version} compiles for {known[0]} and later, but the newest card here "
            f"is {cards[-1]}. Install an older CUDA toolkit and name it in CUDA_HOME, or use "
            "--device cpu.",
            missing=f"CUDA toolkit for {cards[-1]}",
            fix="",
        )
    chosen = tuple(min(card, known[-1], key=architecture_number) for card in usable)
    default = (x for x in DEFAULT_ARCHITECTURES if oldest <= architecture_number(x) <= newest)
    return tuple(dict.fromkeys(chosen or default)) or (known[-1],)


def _generate_code(names: Sequence[str]) -> list[str]:
    """Machine code for each architecture, and intermediate code of the newest."""
    words: list[str] = []
    for name in names:
        words += ["-gencode", f"arch={name.replace('sm_', 'compute_')},code={name}"]
    newest = names[-1].replace("sm_", "compute_")
    return [*words, "-gencode", f"arch={newest},code={newest}"]


# -- compiling -----------------------------------------------------------------------


def compile_cuda_shared(
    units: Sequence[Path],
    output: Path,
    *,
    flags: Sequence[str] = (),
    host_flags: Sequence[str] = (),
    link_flags: Sequence[str] = (),
    architectures: Sequence[str],
    include_dirs: Sequence[str | Path] = (),
    cwd: Path,
    compiler: CudaCompiler | None = None,
) -> float:
    """Compile `units` into the shared library `output` with one call of nvcc.

    Parameters
    ----------
    units : sequence of Path
        The C++ compiler compiles ``.cpp`` files, nvcc ``.cu`` files. Relative paths are
        relative to `cwd`, like those in `output` and `include_dirs`.
    output : Path
    flags : sequence of str
        For nvcc itself, such as ``--fmad=false``. C++17, position-independent code and a
        static CUDA runtime are added.
    host_flags : sequence of str
        For the C++ compiler.
    link_flags : sequence of str
        As a C++ compiler takes them.
    architectures : sequence of str
        See :func:`architectures`.
    include_dirs : sequence of str or Path
    cwd : Path
        Where nvcc runs; a failed call leaves ``compile.log`` in it.
    compiler : CudaCompiler, optional
        Default: :func:`find_nvcc`.

    Returns
    -------
    float
        Wall time in seconds.

    Raises
    ------
    BuildError
        With `command`, `output` (the compiler's messages), `returncode` and `directory`.
    ToolchainError
        See :func:`find_nvcc`.
    """
    found = compiler or find_nvcc()
    with _plain_directory(Path(cwd), Path(output)) as directory:
        links = _Links(directory)
        # The wheels have their libraries where their own nvcc does not look.
        libraries = (word for folder in found.toolkit.library_dirs for word in ("-L", folder))
        command = (
            found.toolkit.nvcc,
            "-shared",
            "-std=c++17",
            "--cudart",
            "static",
            "-ccbin",
            _host_program(found.host, directory),
            "--threads",
            str(_jobs(len(units) - 1 + len(architectures))),
            *_generate_code(architectures),
            *flags,
            *_for_host([*host_flags, "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden"]),
            *(word for folder in include_dirs for word in ("-I", links.plain(folder))),
            *(links.plain(unit) for unit in units),
            "-o",
            str(output),
            *libraries,
            *_for_linker(link_flags),
        )
        return compile_with(Compilation(command, directory, Path(output)), "CUDA", _nvcc_variables)


def preprocess_cuda(
    unit: Path,
    *,
    flags: Sequence[str] = (),
    host_flags: Sequence[str] = (),
    include_dirs: Sequence[str | Path] = (),
    cwd: Path,
) -> bytes:
    """Return the device's half of `unit` with every header put in, for a fingerprint.

    Raises
    ------
    BuildError
        As :func:`compile_cuda_shared`.
    """
    found = find_nvcc()
    output = Path("preprocessed.ii")
    with _plain_directory(Path(cwd), output) as directory:
        links = _Links(directory)
        command = (
            found.toolkit.nvcc,
            "-E",
            "-std=c++17",
            "-ccbin",
            _host_program(found.host, directory),
            *flags,
            # Without the names of files, which lie elsewhere on another machine
            *_for_host([*host_flags, "-P"]),
            *(word for folder in include_dirs for word in ("-I", links.plain(folder))),
            links.plain(unit),
            "-o",
            str(output),
        )
        compile_with(Compilation(command, directory, output), "CUDA", _nvcc_variables)
    text = (Path(cwd) / output).read_bytes()
    (Path(cwd) / output).unlink()
    return text


def _nvcc_variables(environment: dict[str, str]) -> dict[str, str]:
    """Change the environment of a compiler into nvcc's."""
    # The one that was checked is meant.
    environment.pop("NVCC_CCBIN", None)
    if _UNQUOTABLE.search(environment.get("TMPDIR", "")):
        del environment["TMPDIR"]
    return environment


def _jobs(most: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, most))


def _for_host(flags: Sequence[str]) -> Iterator[str]:
    """Hand flags through to the C++ compiler: nvcc splits at commas, and then asks a shell."""
    for flag in flags:
        # nvcc has an option of its own for the standard, and takes it from there.
        if not flag.startswith("-std="):
            yield from ("-Xcompiler", shlex.quote(flag).replace(",", "\\,"))


def _for_linker(flags: Sequence[str]) -> Iterator[str]:
    words = iter(flags)
    for word in words:
        if word in ("-L", "-l"):
            yield from (word, next(words, ""))
        elif word.startswith("-Wl,"):
            for part in word.split(",")[1:]:
                yield from ("-Xlinker", _escape(part))
        elif word == "-Xlinker":
            yield from (word, _escape(next(words, "")))
        elif re.search(r"\.so(\.\d+)+$", word):
            # A library as it is installed; nvcc takes it for a source of an unknown language.
            yield from ("-Xlinker", _escape(word))
        elif word.startswith(("-L", "-l")) or not word.startswith("-"):
            yield word
        else:
            yield from _for_host([word])


def _escape(text: str) -> str:
    # What belongs to the linker reaches the shell without quotes, and quotes do not survive.
    return re.sub(r"([^\w@%+=:./-])", r"\\\1", text)


def _host_program(host: Compiler, directory: Path) -> str:
    """The program that nvcc is to call: it takes a path, and no arguments with it."""
    if len(host.command) == 1 and not _NO_VALUE.search(host.path):
        return host.path
    script = directory / "host-compiler"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(host.command)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return "./host-compiler"


class _Links:
    """Gives paths that nvcc cannot cope with another name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def plain(self, path: str | Path) -> str:
        text = str(path)
        if not _NO_VALUE.search(text):
            return text
        link = self._directory / f"link{self._count}{Path(text).suffix}"
        self._count += 1
        link.unlink(missing_ok=True)  # of an earlier attempt
        link.symlink_to(os.path.abspath(self._directory / text))
        return link.name


@contextmanager
def _plain_directory(cwd: Path, output: Path) -> Iterator[Path]:
    """Give a directory with the contents of `cwd` whose name nvcc can cope with.

    It writes the directory's own name into double quotes of a shell. `output` is copied back,
    and so is the log.
    """
    if not _UNQUOTABLE.search(str(cwd.absolute())):
        yield cwd
        return
    root = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="gpurun-", dir="/tmp" if _UNQUOTABLE.search(root) else root
    ) as name:
        directory = Path(name)
        shutil.copytree(cwd, directory, dirs_exist_ok=True, symlinks=True)
        try:
            yield directory
        except BuildError as error:
            fields = {**error.fields, "directory": str(cwd)}
            raise BuildError(error.message.replace(name, str(cwd)), **fields) from error
        finally:
            for file in (output, Path("compile.log")):
                if (directory / file).is_file():
                    shutil.copyfile(directory / file, cwd / file)
