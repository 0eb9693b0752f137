"""Runs a script of this folder on a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brian2.core.base import BrianObject

from . import reference, upstream
from .backends import StandaloneBackend
from .values import Values, collect

Script = Callable[[], dict[str, BrianObject]]


@dataclass
class Emulated:
    """The results of one script on the emulated toolkit.

    Attributes
    ----------
    observed : dict of str to dict
        The values for each of the settings.
    complaints : dict of str to list of str
        What the emulated toolkit found fault with, for each of the settings.
    templates : set of str
        Where the code that ran on the emulated toolkit came from.
    files : set of str
        The source files of the project that ran there, without their suffix.
    """

    observed: dict[str, Values] = field(default_factory=dict)
    complaints: dict[str, list[str]] = field(default_factory=dict)
    templates: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Change:
    """A correction of one generated file, to prove that a defect is where we say it is."""

    file: str
    old: str
    new: str

    def apply(self, backend: StandaloneBackend) -> None:
        """Change the file in the project; the text has to be there exactly once."""
        path = backend.directory / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file} does not hold {self.old!r} once"
        path.write_text(text.replace(self.old, self.new))


def on_reference(script: Script) -> Values:
    """Results on ``cpp_standalone``."""
    backend = reference.backend()
    backend.start()
    objects = script()
    backend.build()
    backend.run()
    return collect(objects)


def on_upstream(
    script: Script,
    settings: Sequence[str],
    preferences: Mapping[str, Any],
    changes: Sequence[Change] = (),
    compiling: str = "",
    always: str = "",
) -> Emulated:
    """Results on brian2cuda with the emulated toolkit, for each of the `settings`.

    `compiling` are settings while nvcc runs, and `always` is added to all others.
    """
    backend = upstream.backend()
    backend.start(preferences)
    objects = script()
    if changes:
        backend.build(compile=False)
        for change in changes:
            change.apply(backend)
        backend.make(compiling)
    else:
        backend.build(compiling)
    found = Emulated(templates=upstream.templates_used())
    found.files = {path.stem for path in backend.directory.glob("*.cu")}
    for one in settings:
        lines = backend.run(f"{one} {always}").splitlines()
        found.complaints[one] = [line for line in lines if line.startswith("cuda_emulator:")]
        found.observed[one] = collect(objects)
    return found
