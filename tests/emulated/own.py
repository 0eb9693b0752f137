"""gpurun's CUDA backend, run by the emulated toolkit, or by the real one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brian2 as b2
from brian2.core.names import Nameable
from brian2.units import second

import gpurun  # noqa: F401  (registers its device)

from .backends import DT, FLAGS, stderr_to
from .upstream import TOOLKIT


class OwnBackend:
    """A `Backend` for scenarios, with one session instead of a program.

    Parameters
    ----------
    always : str
        Settings of the emulated toolkit that hold instead of a run's own. A process reads its
        settings once, so that those of the first run hold for all others.
    emulated : bool
        Otherwise the toolkit that gpurun finds, and a card.
    """

    def __init__(self, always: str = "", *, emulated: bool = True) -> None:
        self.always = always
        self.emulated = emulated
        self.directory = Path()

    def start(self, preferences: Mapping[str, Any] | None = None) -> None:
        """Begin a new script."""
        self.directory = Path(tempfile.mkdtemp(prefix="gpurun-"))
        if self.emulated:
            os.environ["CUDA_PATH"] = str(TOOLKIT)
        for _ in range(2):
            b2.set_device("gpurun", backend="cuda", build_on_run=False)
            b2.device.reinit()
        b2.set_device("gpurun", backend="cuda", build_on_run=False)
        Nameable.__instances__().clear()
        b2.start_scope()
        b2.prefs.codegen.cpp.extra_compile_args_gcc = list(FLAGS)
        b2.BrianLogger.log_level_warn()
        for name, value in (preferences or {}).items():
            b2.prefs[name] = value
        b2.defaultclock.dt = DT * second

    def build(self, settings: str = "", **options: Any) -> None:
        """Compile what was recorded; see `Backend.build`."""
        if settings:
            # Of which the key of a cached library knows nothing
            os.environ["GPURUN_CACHE_DIR"] = str(self.directory / "cache")
        os.environ["CUDA_EMULATOR"] = settings
        b2.device.build(directory=str(self.directory / "output"), run=False, **options)

    def run(self, settings: str = "", values: Mapping[Any, Any] | None = None) -> str:
        """Run it; see `Backend.run`."""
        fixed = [one.partition("=")[0] for one in self.always.split()]
        own = [one for one in settings.split() if one.partition("=")[0] not in fixed]
        os.environ["CUDA_EMULATOR"] = " ".join([*own, self.always])
        complaints = self.directory / "complaints"
        with stderr_to(complaints):
            b2.device.run(run_args=dict(values or {}), with_output=False)
        return complaints.read_text()

    def close(self) -> None:
        """Give the memory of the card back."""
        b2.device.reinit()


def backend(always: str = "") -> OwnBackend:
    """gpurun's CUDA device."""
    return OwnBackend(always)
