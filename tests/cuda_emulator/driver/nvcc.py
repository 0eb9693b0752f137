"""The emulated nvcc: rewrites CUDA to C++, and has g++ compile and link it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from . import prepare
from .cache import ROOT
from .errors import Fatal, SourceError, Unprepared
from .headers import Project
from .options import Options, architecture_of, parse, split_shell
from .rewrite import defines_kernel
from .settings import architecture, read_settings

CUDA, CPP, C, OBJECT = "cuda", "c++", "c", "object"
_KINDS = {".cu": CUDA, ".cpp": CPP, ".cxx": CPP, ".cc": CPP, ".c": C}
_KINDS.update({".o": OBJECT, ".obj": OBJECT, ".a": OBJECT, ".so": OBJECT, ".lib": OBJECT})
_LANGUAGES = {"cu": CUDA, "c++": CPP, "c": C}
_FAST_MATH = (
    *("-Ofast", "-ffast-math", "-funsafe-math-optimizations", "-ffinite-math-only"),
    *("-freciprocal-math", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"),
)
# Part of libcuda_emulator.so, or of no use without a card
# fmt: off
_OWN_LIBRARIES = frozenset((
    "curand", "curand_static", "cudart", "cudart_static", "cuda", "cudadevrt", "culibos",
    "nvToolsExt",
))
# fmt: on
# Most of what is compiled runs for a moment: what counts is how long it takes to compile.
_OPTIMIZATION = "-O1"


def _version(release: str) -> str:
    # brian2cuda reads the fourth line.
    return "\n".join(
        (
            "nvcc: the emulated CUDA compiler driver of gpurun's tests",
            "It compiles for the host, with the host's compiler",
            "No part of NVIDIA's toolkit is involved",
            f"Cuda compilation tools, release {release}, V{release}.0",
            "Build cuda_emulator",
        )
    )


def _kind(path: str, language: str | None) -> str:
    kind = _KINDS.get(os.path.splitext(path)[1])
    if kind == OBJECT:
        return OBJECT
    if language is not None:
        return _LANGUAGES[language]
    if kind is None:
        raise Fatal(f"Don't know what to do with '{path}'")
    return kind


def _host_compiler(options: Options) -> tuple[str, str]:
    """Return the compilers of C++ and C that -ccbin means."""
    given = options.values.get("compiler-bindir") or os.environ.get("NVCC_CCBIN") or "g++"
    if os.path.isdir(given):
        return os.path.join(given, "g++"), os.path.join(given, "gcc")
    folder, name = os.path.split(given)
    plus = re.sub(r"^(.*)gcc", r"\1g++", name)
    plus = re.sub(r"^clang(?!\+\+)", "clang++", plus)
    plain = plus.replace("clang++", "clang").replace("g++", "gcc")
    return os.path.join(folder, plus), os.path.join(folder, plain)


def _newest(standards: list[str]) -> str:
    """Return the newest of these versions of C++; 17 is the least that CUDA 13 works with."""
    years = [one.replace("gnu++", "c++") for one in standards]
    return max([one for one in years if one != "c++98"], default="c++17")


class Compiler:
    """Carries out one command line."""

    def __init__(self, options: Options):
        self.options = options
        self.settings = read_settings()
        self.host, self.host_c = _host_compiler(options)
        self.arch = architecture_of(options, architecture(self.settings), self.settings["cuda"])
        self.dry = "dryrun" in options.flags
        self.verbose = self.dry or "verbose" in options.flags
        self.folder = ""
        self._split_host_options()

    def _split_host_options(self) -> None:
        """Sort what -Xcompiler says, and drop what would undo our own choices."""
        words = split_shell(self.options.all("compiler-options")) + self.options.forwarded
        self.host_options: list[str] = []
        self.host_folders: list[str] = []
        standards = [self.options.values[one] for one in ("std",) if one in self.options.values]
        rest = iter(words)
        for word in rest:
            if word.startswith("-std="):
                standards.append(word[5:])
            elif word in _FAST_MATH:
                # nvcc tells its own compiler of device code nothing of this, where a/b stays
                # a/b, and one compile serves both here.
                pass
            elif word in ("-I", "-iquote", "-isystem", "-idirafter", "-include", "-D", "-U"):
                value = next(rest, "")
                if word in ("-I", "-iquote"):
                    self.host_folders.append(value)
                if word in ("-D", "-U"):
                    self.host_options.append(word + value)
                elif not self._is_own(value):
                    self.host_options += (word, value)
            elif word.startswith("-I"):
                self.host_folders.append(word[2:])
                if not self._is_own(word[2:]):
                    self.host_options.append(word)
            elif not re.fullmatch(r"-O\w*", word):
                self.host_options.append(word)
        self.standard = _newest([*standards, "c++17"]) if standards else "gnu++17"

    @staticmethod
    def _is_own(folder: str) -> bool:
        # g++ would move a folder that it is given twice to the place of the later one.
        return os.path.realpath(folder) == os.path.realpath(prepare.INCLUDE)

    # -- commands

    def run(self, command: list[str]) -> int:
        if self.verbose:
            print("#$ " + " ".join(shlex.quote(word) for word in command), file=sys.stderr)
        if self.dry:
            return 0
        sys.stdout.flush()
        try:
            return subprocess.call(command)
        except FileNotFoundError:
            raise Unprepared(f"there is no host compiler '{command[0]}'") from None

    def _macros(self, kind: str) -> list[str]:
        major, _, minor = self.settings["cuda"].partition(".")
        minor = minor or "0"
        macros = ["-D__NVCC__", f"-D__CUDA_ARCH_LIST__={self.arch}"]
        if kind == CUDA:
            macros.append("-D__CUDACC__")
            flags = self.options.flags
            if {"device-c", "device-w"} & flags or self.options.values.get(
                "relocatable-device-code"
            ) == "true":
                macros.append("-D__CUDACC_RDC__")
            if "expt-relaxed-constexpr" in flags:
                macros.append("-D__CUDACC_RELAXED_CONSTEXPR__")
            if {"extended-lambda", "expt-extended-lambda"} & flags:
                macros.append("-D__CUDACC_EXTENDED_LAMBDA__")
            if "device-debug" in flags:
                macros.append("-D__CUDACC_DEBUG__")
            if self.options.values.get("default-stream") == "per-thread":
                macros.append("-DCUDA_API_PER_THREAD_DEFAULT_STREAM")
        macros += (f"-D__CUDACC_VER_MAJOR__={major}", f"-D__CUDACC_VER_MINOR__={minor}")
        macros += ("-D__CUDACC_VER_BUILD__=0", f"-D__CUDA_API_VER_MAJOR__={major}")
        return [*macros, f"-D__CUDA_API_VER_MINOR__={minor}"]

    def _code_flags(self, kind: str) -> list[str]:
        """Return the flags that say what code to make, but no folders and files."""
        flags = self.options.flags
        words = ["-O0", "-g"] if "device-debug" in flags else [_OPTIMIZATION]
        if "debug" in flags and "-g" not in words:
            words.append("-g")
        if kind != C:
            words.append("-std=" + self.standard)
        if "profile" in flags:
            words.append("-pg")
        if "disable-warnings" in flags:
            words.append("-w")
        if "no-exceptions" in flags:
            words.append("-fno-exceptions")
        if "all-warnings" in self.options.all("Werror"):
            words.append("-Werror")
        if "Wno-deprecated-declarations" in flags:
            words.append("-Wno-deprecated-declarations")
        if self.options.values.get("fmad") == "false":
            words.append("-ffp-contract=off")
        for name in ("ftemplate-depth", "ftemplate-backtrace-limit"):
            if name in self.options.values:
                words.append(f"-{name}={self.options.values[name]}")
        if kind == CUDA and self.settings.get("check") == "on":
            # GCC's calls at each access; runtime/check.cpp is what they call
            words += ["-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0"]
            words.append("--param=tsan-distinguish-volatile=1")
        words += self._macros(kind)
        words += ["-D" + one for one in self.options.all("define-macro")]
        words += ["-U" + one for one in self.options.all("undefine-macro")]
        return words

    def _folder_flags(self) -> list[str]:
        words = [] if self.dry else prepare.include_flags()
        if self.dry:
            words = ["-I", prepare.INCLUDE]
        for one in self.options.all("include-path"):
            if not self._is_own(one):
                words.append("-I" + one)
        for one in self.options.all("system-include"):
            if not self._is_own(one):
                words += ("-isystem", one)
        return words

    # -- phases

    def compile(self, path: str, kind: str, phase: list[str], number: int = 0) -> int:
        """Compile or preprocess one source; `phase` says what is to become of it."""
        host = self.host_c if kind == C else self.host
        code = self._code_flags(kind)
        extra = [word for one in self.options.all("pre-include") for word in ("-include", one)]
        if kind != CUDA:
            command = [host, *code, *self._folder_flags(), *self.host_options, *extra]
            return self.run([*command, "-x", kind, path, *phase])
        if path == "-":
            path = os.path.join(self.folder, "stdin.cu")
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(sys.stdin.read())
        if not os.path.exists(path):
            # In the compiler's own words
            return self.run([host, "-x", "c++", path, *phase])
        folders = self.options.all("include-path") + self.host_folders
        project = Project(path, folders, [ROOT])
        kernels = defines_kernel(project.source.text) or any(
            # A header for device code, by its name
            header.path.endswith((".cuh", ".cu")) and defines_kernel(header.text)
            for header in project.headers
        )
        if kernels:
            code.append(f"-D__CUDA_ARCH__={self.arch}")
        copies: dict[str, str] = {}
        source = path
        if project.source in project.copied and not self.dry:
            copies = project.write(os.path.join(self.folder, f"unit{number}"))
            source = next(copy for copy, origin in copies.items() if origin == path)
        # With another -include before it, g++ does not take a precompiled header.
        front = os.path.join(prepare.INCLUDE, "cuda_runtime.h")
        wanted = "-c" in phase and os.environ.get("CUDA_EMULATOR_PRECOMPILED", "on") != "off"
        if wanted and not self.dry:
            bundle = prepare.bundle_for(project.names)
            with contextlib.suppress(Unprepared):  # the unit itself will show what is wrong
                front = prepare.precompiled(host, code + self._matching_options(), bundle)
        command = [
            host,
            *code,
            *self._folder_flags(),
            *self.host_options,
            "-include",
            front,
            *extra,
        ]
        # Else names of hidden symbols would differ from one compile to the next.
        command.append("-frandom-seed=" + path)
        if source != path:
            command += ("-iquote", os.path.dirname(path) or ".")
        status = self.run([*command, "-x", "c++", source, *phase])
        if status == 0 and not self.dry:
            self._name_origins(phase, copies)
        return status

    def _matching_options(self) -> list[str]:
        """Return those of the host's options that name no folders and files."""
        words: list[str] = []
        rest = iter(self.host_options)
        for word in rest:
            if word in ("-I", "-iquote", "-isystem", "-idirafter", "-include"):
                next(rest, "")
            elif not word.startswith(("-I", "-Wl,", "-L", "-l")):
                words.append(word)
        return words

    def _name_origins(self, phase: list[str], copies: dict[str, str]) -> None:
        """Name the user's files in the dependencies, and none of our own making."""
        if "-MF" not in phase:
            return
        path = phase[phase.index("-MF") + 1]
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        for copy, origin in copies.items():
            text = text.replace(copy.replace(" ", "\\ "), origin.replace(" ", "\\ "))
        text = re.sub(r"[^\s:]+/precompiled-\w+/cuda\.h(?:\.gch)?\b(?::\n)?", "", text)
        text = re.sub(r"(?m)^ *\\\n", "", text)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def _place(self, path: str, suffix: str) -> str:
        """Return where the result of a source goes if nobody says."""
        name = os.path.splitext(os.path.basename(path))[0] + suffix
        return os.path.join(self.options.values.get("output-directory", ""), name)

    def _dependencies(self, path: str, product: str) -> list[str]:
        """Return the flags for the dependencies that are to be written beside `product`."""
        flags = self.options.flags
        if "generate-dependencies-with-compile" in flags:
            words = ["-MD"]
        elif "generate-nonsystem-dependencies-with-compile" in flags:
            words = ["-MMD"]
        else:
            return []
        target = self.options.values.get("dependency-target-name")
        place = self.options.values.get("dependency-output", os.path.splitext(product)[0] + ".d")
        words += ("-MQ", product) if target is None else ("-MT", target)
        words += ("-MF", place)
        return words + ["-MP"] * ("generate-dependency-targets" in flags)

    def list_dependencies(self, sources: list[tuple[str, str]]) -> int:
        """Print or write what the sources depend on."""
        word = "-MM" if "generate-nonsystem-dependencies" in self.options.flags else "-M"
        written = self.options.values.get("output-file") or self.options.values.get(
            "dependency-output"
        )
        texts: list[str] = []
        for number, (path, kind) in enumerate(sources):
            target = self.options.values.get("dependency-target-name", self._place(path, ".o"))
            place = os.path.join(self.folder, f"{number}.d")
            phase = [word, "-MT", target, "-MF", place]
            phase += ["-MP"] * ("generate-dependency-targets" in self.options.flags)
            status = self.compile(path, kind, phase, number)
            if status:
                return status
            if not self.dry:
                with open(place, encoding="utf-8", errors="surrogateescape") as file:
                    texts.append(file.read())
        if written and not self.dry:
            with open(written, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("".join(texts))
        else:
            sys.stdout.write("".join(texts))
        return 0

    def link(self, objects: list[str]) -> int:
        """Link an executable or a shared library."""
        product = self.options.values.get("output-file", "a.out")
        command = [self.host] + ["-pg"] * ("profile" in self.options.flags)
        command += ["-shared"] * ("shared" in self.options.flags)
        own = os.path.join(ROOT, "lib64")
        command.append("-Wl,--start-group")
        command += [one for one in objects if os.path.dirname(os.path.abspath(one)) != own]
        command.append("-Wl,--end-group")
        command += self.host_options
        for one in self.options.all("linker-options"):
            command += ("-Xlinker", one)
        command += ["-L" + one for one in self.options.all("library-path")]
        libraries = [one for one in self.options.all("library") if one not in _OWN_LIBRARIES]
        if "nvidia-ml" in libraries and not self.dry:
            folder = prepare.nvml()
            command += ("-L" + folder, "-Wl,-rpath," + folder)
        command += [
            "-l" + (":libnvidia-ml.so.1" if one == "nvidia-ml" else one) for one in libraries
        ]
        # A weak reference could stay unresolved: every product needs the runtime, as on a card.
        command += ["-Wl,--no-as-needed"]
        if not self.dry:
            folder = prepare.library()
            command += ("-L" + folder, "-Wl,-rpath," + folder)
        command += ["-lcuda_emulator", "-Wl,--as-needed"]
        command += ["-Wl," + ",".join("--wrap=" + one for one in prepare.WRAPPED)]
        return self.run([*command, "-lpthread", "-ldl", "-o", product])

    def _link_nothing(self, product: str) -> int:
        """Make the object that stands for linked device code."""
        place = os.path.join(self.folder, "nothing.cpp")
        with open(place, "w", encoding="utf-8"):
            pass
        return self.run([self.host, *self.host_options, "-c", place, "-o", product])

    def work(self) -> int:
        """Do what was asked for."""
        flags, values = self.options.flags, self.options.values
        if self.dry:
            self._print_places()
        inputs = [(one, _kind(one, values.get("x"))) for one in self.options.inputs]
        sources = [one for one in inputs if one[1] != OBJECT]
        if not inputs:
            raise Fatal("No input files specified; use option --help for more information")
        if {"generate-dependencies", "generate-nonsystem-dependencies"} & flags:
            return self.list_dependencies(sources)
        product = values.get("output-file")
        if "preprocess" in flags:
            phase = ["-E"] + (["-o", product] if product else [])
            return max([self.compile(*one, phase, i) for i, one in enumerate(sources)], default=0)
        if "device-link" in flags:
            return self._link_nothing(product or "a_dlink.o")
        if {"compile", "device-c", "device-w"} & flags:
            if product and len(inputs) > 1:
                raise Fatal(
                    "A single input file is required for a non-link phase when an outputfile is"
                    " specified"
                )
            for number, (path, kind) in enumerate(sources):
                place = product or self._place(path, ".o")
                phase = ["-c", "-o", place, *self._dependencies(path, place)]
                status = self.compile(path, kind, phase, number)
                if status:
                    return status
            return 0
        objects: list[str] = []
        for number, (path, kind) in enumerate(inputs):
            if kind == OBJECT:
                objects.append(path)
                continue
            name = os.path.splitext(os.path.basename(path))[0]
            place = os.path.join(self.folder, f"{number}_{name}.o")
            beside = self._dependencies(path, product or self._place(path, ".o"))
            status = self.compile(path, kind, ["-c", "-o", place, *beside], number)
            if status:
                return status
            objects.append(place)
        return self.link(objects)

    def _print_places(self) -> None:
        here = os.path.join(ROOT, "bin")
        for name, text in (
            ("_HERE_", here),
            ("TOP", ROOT),
            ("INCLUDES", f'"-I{prepare.INCLUDE}"'),
            ("LIBRARIES", f'"-L{os.path.join(ROOT, "lib64")}"'),
        ):
            print(f"#$ {name}={text}", file=sys.stderr)


def _command_line(words: list[str]) -> list[str]:
    before = os.environ.get("NVCC_PREPEND_FLAGS", "").split()
    return before + words + os.environ.get("NVCC_APPEND_FLAGS", "").split()


def _with_folder(compiler: Compiler) -> int:
    keep = compiler.options.values.get("keep-dir")
    if keep or {"keep", "save-temps"} & compiler.options.flags:
        compiler.folder = tempfile.mkdtemp(prefix="nvcc-kept-", dir=keep or os.curdir)
        return compiler.work()
    compiler.folder = tempfile.mkdtemp(prefix="nvcc-emulated-")
    try:
        return compiler.work()
    finally:
        shutil.rmtree(compiler.folder, ignore_errors=True)


def main(words: list[str]) -> int:
    """Do what a command line says; returns the exit status."""
    try:
        words = _command_line(words)
        if {"--help", "-h"} & set(words):
            print("nvcc [options] <inputfile>: see docs/emulator.md for the options")
            return 0
        options = parse(words)
        if "version" in options.flags:
            print(_version(read_settings()["cuda"]))
            return 0
        status = _with_folder(Compiler(options))
    except Fatal as error:
        print(f"nvcc fatal   : {error}", file=sys.stderr)
        return 1
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    except Unprepared as error:
        print(f"nvcc (emulated): {error}", file=sys.stderr)
        return 2
    return 1 if status < 0 else status
