"""Scripts whose name, or whose neighbour's name, hides a module of Python itself."""

from __future__ import annotations

import importlib.machinery
import sys
from dataclasses import dataclass
from pathlib import Path

# Nothing imports these behind one's back, and a folder "test" is common.
_HARMLESS = frozenset({"test", "idlelib", "turtledemo", "turtle", "this", "antigravity", "lib2to3"})
# What a Brian2 script imports without fail; a script about Brian2 gets such a name easily.
_PACKAGES = frozenset({"brian2", "brian2cuda", "gpurun", "numpy", "scipy", "sympy", "matplotlib"})
_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


@dataclass(frozen=True)
class Clash:
    """A file that Python finds in place of the module of the same name."""

    path: Path
    module: str
    is_script: bool

    def __str__(self) -> str:
        what = "Python's own module" if self.module not in _PACKAGES else "the package"
        subject = (
            f"the script {self.path.name} has"
            if self.is_script
            else f"{self.path.name}, in the directory of the script, has"
        )
        return (
            f"{subject} the name of {what} '{self.module}'. Whatever imports '{self.module}', "
            f"Brian2 included, may get {self.path} instead and fail in ways that do not point "
            "here. Rename the file."
        )


def find_clashes(script: Path) -> list[Clash]:
    """List the clashes around a script, the script's own first.

    Parameters
    ----------
    script : Path
        The script. Its directory is what Python searches first.

    Returns
    -------
    list of Clash
        Empty if all is well, or if the directory cannot be read.
    """
    script = script.resolve()
    # Built-in and frozen modules are found before any directory is looked at.
    certain = (sys.stdlib_module_names | _PACKAGES) - _HARMLESS - set(sys.builtin_module_names)
    clashes: list[Clash] = []
    try:
        neighbours = sorted(script.parent.iterdir())
    except OSError:
        neighbours = [script]
    for path in neighbours:
        module = _module_name(path)
        if module in certain and not importlib.machinery.FrozenImporter.find_spec(module):
            clashes.append(Clash(path, module, path == script))
    return sorted(clashes, key=lambda clash: not clash.is_script)


def _module_name(path: Path) -> str | None:
    if path.is_dir():
        # A checkout of brian2 beside a script is meant to be used.
        name = None if path.name in _PACKAGES else path.name
        return name if (path / "__init__.py").is_file() else None
    for suffix in _SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return None
