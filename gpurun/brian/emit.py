"""From the files that brian2 generates to the few that gpurun compiles.

brian2 writes two files per code object and compiles each on its own. gpurun puts them into two
translation units, for which headers are parsed twice instead of 20 times: all code objects into
``code_objects.cpp``, each in a namespace of its own, because their support code uses the same
names; and what is called once in a run into ``model.cpp``, which is most of the text, and need
not be optimised much.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

from gpurun.errors import BuildError

#: Text that would end the process becomes an exception (DESIGN, section 4.7).
_EXIT = re.compile(r"(?<![\w.>:])(?:std::|::)?(?:exit|_exit|_Exit|quick_exit|abort)\s*\(")
_COMPLAINT = re.compile(r"(?:std::)?cout\s*<<\s*\"Error: ")
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[\"<].*$", re.MULTILINE)
#: A StateMonitor resizes its matrices in every step, and brian2's general resize visits every
#: row each time: time steps squared. Growing by rows alone does not.
_GROW = re.compile(r"(\w+)\.resize\(_new_size, _num_indices\);")
_SUPPORT_CODE = "////// SUPPORT CODE ///////"
_FUNCTION = re.compile(
    r"^void (_(?:before_run_|run_|after_run_|debugmsg_)\w+)\(\)\s*$", re.MULTILINE
)


@dataclass(frozen=True)
class Patch:
    """A named substitution that has to match exactly `count` times."""

    name: str
    file: str
    anchor: str
    replacement: str
    count: int
    why: str

    def apply(self, text: str) -> str:
        """Return `text` with the anchor replaced; BuildError when it does not match."""
        found = text.count(self.anchor)
        if found != self.count:
            raise BuildError(
                f"Patch '{self.name}' expects its anchor {self.count} time(s) in the generated "
                f"'{self.file}' but found it {found} time(s). The installed brian2 is not the "
                f"version this gpurun was made for; install the pinned version.",
                command=[],
                directory="",
                returncode=None,
                output=text,
            )
        return text.replace(self.anchor, self.replacement)


def load_patches(package: str = "gpurun.cpp_templates") -> list[Patch]:
    """Read the anchored patches of a template folder."""
    text = resources.files(package).joinpath("patches.toml").read_text(encoding="utf-8")
    return [Patch(name=name, **entry) for name, entry in tomllib.loads(text).items()]


@dataclass
class Sources:
    """The sources of a model library: file name -> text, and how they belong together."""

    files: dict[str, str] = field(default_factory=dict)
    #: Files compiled on their own: the generated ones and the user's additional sources.
    units: list[str] = field(default_factory=list)
    #: Those of them that no time loop is in.
    light_units: list[str] = field(default_factory=list)
    #: Those for nvcc.
    cuda_units: list[str] = field(default_factory=list)
    #: And flags that the user wants it to have.
    cuda_flags: tuple[str, ...] = ()


@lru_cache(maxsize=512)  # plain scripts generate the same texts for every run
def _tame(text: str) -> str:
    text = _EXIT.sub("::gpurun::exit_requested(", text)
    text = _GROW.sub(r"::gpurun::grow_rows(\1, _new_size, _num_indices);", text)
    return _COMPLAINT.sub('::gpurun::complaint() << "Error: ', text)


def _split_includes(text: str) -> tuple[list[str], str]:
    """Separate the include lines from the rest.

    A header included inside a namespace would be lost to the code objects that follow, so
    those in a user's function go to the top as well, unless they depend on a condition.
    """
    head, marker, rest = text.partition(_SUPPORT_CODE)
    includes = _INCLUDE.findall(head)
    if marker and not re.search(r"^\s*#\s*if", rest, re.MULTILINE):
        includes += _INCLUDE.findall(rest)
        rest = _INCLUDE.sub("", rest)
    return includes, _INCLUDE.sub("", head) + rest


def _exported(number: int, text: str) -> str:
    functions = _FUNCTION.findall(text)
    return "\n".join(f"using gpurun_unit_{number}::{function};" for function in functions)


def _declared(number: int, text: str) -> str:
    """For the unit that calls what another one defines."""
    functions = " ".join(f"void {function}();" for function in _FUNCTION.findall(text))
    return f"namespace gpurun_unit_{number} {{ {functions} }}\n{_exported(number, text)}\n"


def _own_namespace(number: int, name: str, text: str) -> str:
    exported = _exported(number, text)
    defined = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.MULTILINE)
    undefine = "".join(f"#undef {macro}\n" for macro in defined)
    return f"// {name}\nnamespace gpurun_unit_{number} {{\n{text}\n}}\n{undefine}{exported}\n"


def amalgamate(
    generated: dict[str, str],
    model_text: str,
    support: dict[str, str],
    *,
    split: bool = False,
) -> Sources:
    """Build the sources of the library.

    Parameters
    ----------
    generated : dict
        File name -> text as brian2's templates give them: ``objects.*``,
        ``network.*``, ``synapses_classes.h`` and ``code_objects/*.cpp``.
    model_text : str
        The rendered ``model.cpp`` template.
    support : dict
        Headers and sources of brian2's ``brianlib`` and of gpurun, by file name.
    split : bool
        Whether to make two units; else everything is in ``model.cpp``.
    """
    files = {name: _tame(text) for name, text in generated.items() if name.endswith(".h")}
    # One header per code object would declare functions outside their namespace
    files = {n: t for n, t in files.items() if not n.startswith("code_objects/")}
    files.update(support)
    for patch in load_patches():
        files[patch.file] = patch.apply(files[patch.file])

    own_headers = [
        name
        for name in ("boundary.h", "noise.h", "mersenne_twister.h", "element_stream.h")
        if name in support
    ]
    # It defines operators, which only one unit may
    host = _Unit([*own_headers[:1], "memory.h", *own_headers[1:]])
    loop = _Unit(own_headers) if split else host
    host.take(support["brianlib/spikequeue.cpp"])
    host.take(generated["objects.cpp"])
    host.take(generated["network.cpp"])
    names = sorted(n for n in generated if n.startswith("code_objects/") and n.endswith(".cpp"))
    for number, name in enumerate(names):
        loop.take(
            generated[name],
            lambda text, number=number, name=name: _own_namespace(number, name, text),
        )
        if split:
            host.bodies.append(_declared(number, generated[name]))
    host.take(model_text)

    del files["brianlib/spikequeue.cpp"]
    files["model.cpp"] = host.text()
    if not split:
        return Sources(files=files, units=["model.cpp"])
    files["code_objects.cpp"] = loop.text()
    # The longer one first
    return Sources(files=files, units=["model.cpp", "code_objects.cpp"], light_units=["model.cpp"])


class _Unit:
    """A translation unit that is put together; starts with headers of gpurun."""

    def __init__(self, headers: list[str]) -> None:
        self._includes = [f'#include "{name}"' for name in headers]
        self.bodies: list[str] = []

    def take(self, text: str, wrap: Callable[[str], str] = lambda body: body) -> None:
        """Add generated text; its headers go to the top."""
        own, body = _split_includes(_tame(text))
        self._includes += [line.strip() for line in own if '"code_objects/' not in line]
        self.bodies.append(wrap(body))

    def text(self) -> str:
        order = dict.fromkeys(_normal(line) for line in self._includes)
        # The spike queue's header is found beside the others, under brianlib
        lines = [line.replace('"spikequeue.h"', '"brianlib/spikequeue.h"') for line in order]
        return "\n".join(dict.fromkeys(lines)) + "\n\n" + "\n".join(self.bodies)


def _normal(line: str) -> str:
    return re.sub(r"#\s*include\s*", "#include ", line.strip())


def support_files(brian2_root: Path) -> dict[str, str]:
    """The headers a model needs beside the generated ones, by file name."""
    found: dict[str, str] = {}
    brianlib = brian2_root / "devices" / "cpp_standalone" / "brianlib"
    for path in sorted(brianlib.iterdir()):
        if path.suffix in (".h", ".cpp"):
            found[f"brianlib/{path.name}"] = path.read_text(encoding="utf-8")
    for name in ("spikequeue.h", "spikequeue.cpp", "stdint_compat.h"):
        found[f"brianlib/{name}"] = (brian2_root / "synapses" / name).read_text(encoding="utf-8")
    for name in ("boundary.h", "memory.h", "mersenne_twister.h", "noise.h"):
        header = resources.files("gpurun.cpp_templates").joinpath(name)
        found[name] = header.read_text(encoding="utf-8")
    return found
