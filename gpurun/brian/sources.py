"""From what brian2 hands to its makefile to what gpurun's toolchain compiles."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import brian2
from brian2.devices.cpp_standalone.device import CPPWriter

from gpurun.brian.emit import Sources
from gpurun.build import fingerprint
from gpurun.model import Code

# Always set: C++17 for our boundary, and no symbol that two copies would share.
_FLAGS = ("-std=c++17", "-fno-gnu-unique", "-fvisibility=hidden")
# Unless the script sets another: conditions are computed without branches, with the same results.
_DEFAULTS = ("-fno-trapping-math",)
_BRIAN2 = Path(brian2.__file__).parent


class SourceCollector(CPPWriter):
    """Remembers what is written, beside writing it."""

    def __init__(self, project_dir: str) -> None:
        super().__init__(project_dir)
        self.texts: dict[str, str] = {}

    def write(self, filename: str, contents: Any) -> None:
        super().write(filename, contents)
        if not filename.endswith(".*"):
            self.texts[filename] = contents


def _is_useful(flag: str) -> bool:
    """False for search paths that would only make keys differ.

    Those that do not exist, and those of brian2, of whose headers a model has copies: a process
    in which Brian compiles its queue for Cython has them in its preferences from then on.
    """
    for prefix in ("-I", "-L", "-Wl,--enable-new-dtags,-rpath,", "-Wl,-rpath,", "-Wl,-R"):
        if flag.startswith(prefix):
            folder = Path(flag.removeprefix(prefix))
            return folder.is_dir() and not folder.is_relative_to(_BRIAN2)
    return True


def compiler_options(
    compiler_flags: str, linker_flags: str, *, threads: int, debug: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Flags for compiling and for linking, from brian2's as they stand in its makefile.

    Parameters
    ----------
    compiler_flags, linker_flags : str
        Quoted for a shell. The C++ standard is replaced by C++17.
    threads : int
        Number of OpenMP threads, 0 without OpenMP.
    debug : bool
    """
    flags = [f for f in shlex.split(compiler_flags) if not f.startswith("-std=") and _is_useful(f)]
    link_flags = [f for f in shlex.split(linker_flags) if _is_useful(f)]
    if threads > 0:
        flags.append("-fopenmp")
        link_flags.append("-fopenmp")
    if {"-ffast-math", "-Ofast"} & set(flags):
        flags.append("-DGPURUN_FAST_MATH")
    if debug:
        flags += ["-g", "-DDEBUG"]
    return (*_DEFAULTS, *flags, *_FLAGS), tuple(link_flags)


def _cuda_flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    """nvcc's own flags, to fit those of the C++ compiler."""
    chosen = ["-diag-suppress", "177,20091"]  # what generated code does not use
    if "-ffp-contract=off" in flags:
        chosen.append("-fmad=false")
    if "-DNDEBUG" in flags:
        chosen.append("-DNDEBUG")
    if {"-ffast-math", "-Ofast"} & set(flags):
        chosen += ["-ftz=true", "-prec-div=false", "-prec-sqrt=false"]
    return tuple(chosen)


def library_code(
    sources: Sources,
    writer: SourceCollector,
    options: tuple[tuple[str, ...], tuple[str, ...]],
    *,
    user_headers: bool,
    directory: Path,
) -> Code:
    """Everything that the library is compiled from.

    Parameters
    ----------
    sources : Sources
        Of the generated translation unit.
    writer : SourceCollector
        Knows the source files that the user added.
    options : (flags, link flags)
    user_headers : bool
        Whether the unit includes headers of the user.
    directory : Path
        The project directory.
    """
    own = set(sources.files) | set(writer.texts) | {"brianlib/spikequeue.cpp"}
    external = sorted(Path(name).resolve() for name in writer.source_files if name not in own)
    # A model carries all of its sources; what they include is looked for where they were
    carried = {f"external/{n}_{path.name}": path for n, path in enumerate(external)}
    texts = {name: path.read_text(encoding="utf-8") for name, path in carried.items()}
    flags, link_flags = options
    code = Code(
        files={**sources.files, **texts},
        units=(*sources.units, *texts),
        flags=flags,
        link_flags=link_flags,
        include_dirs=tuple(dict.fromkeys(str(path.parent) for path in external)),
        light_units=tuple(sources.light_units),
        cuda_units=tuple(sources.cuda_units),
        cuda_flags=(*_cuda_flags(flags), *sources.cuda_flags) if sources.cuda_units else (),
    )
    if user_headers or external:
        # What these files include is part of the model, wherever it lies
        code = replace(code, fingerprint=fingerprint(code, directory))
    return code
