"""The devices that the scripts run on: the CUDA device as released, and its reference.

A backend is started, a script is recorded, the project is built once and run as often as
there are settings to try. All of it changes the state of the process, see `isolated`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Protocol

import brian2 as b2
from brian2.core.names import Nameable
from brian2.units import second

#: Compiles fast, and rounds the same everywhere.
FLAGS = ["-w", "-O0", "-ffp-contract=off"]
#: Time step of all scripts, in seconds.
DT = 0.1e-3


class Backend(Protocol):
    """What a scenario needs to know of a device."""

    def start(self, preferences: Mapping[str, Any] | None = None) -> None:
        """Begin a new script."""
        ...

    def build(self, settings: str = "", **options: Any) -> None:
        """Write and compile what was recorded, with these settings of the emulated toolkit."""
        ...

    def run(self, settings: str = "", values: Mapping[Any, Any] | None = None) -> str:
        """Run it; Brian's objects then give the results.

        Parameters
        ----------
        settings : str
            Of the emulated toolkit.
        values : mapping, optional
            Variables of the script with the values they begin with, as for
            ``device.run(run_args=...)``.

        Returns
        -------
        output : str
            What the program printed.

        Raises
        ------
        RuntimeError
            If it failed; the message holds the end of what it printed.
        """
        ...


class StandaloneBackend:
    """One of Brian's standalone devices.

    Parameters
    ----------
    device : str
        Its name.
    preferences : mapping
        What is set for all scripts.
    environment : mapping
        Added to the environment of the compiled program.
    """

    def __init__(
        self,
        device: str,
        preferences: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.device = device
        self.preferences = dict(preferences)
        self.environment = dict(environment or {})
        self.directory = Path()
        self.runs = 0

    def start(self, preferences: Mapping[str, Any] | None = None) -> None:
        """Begin a new script."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.device}-"))
        b2.set_device(self.device, build_on_run=False)
        b2.device.reinit()
        b2.set_device(self.device, build_on_run=False)
        # Names that Brian makes up are then the same for every device.
        Nameable.__instances__().clear()
        b2.start_scope()
        b2.prefs.codegen.cpp.extra_compile_args_gcc = list(FLAGS)
        b2.prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{len(os.sched_getaffinity(0))}"]
        b2.BrianLogger.log_level_warn()
        for name, value in {**self.preferences, **(preferences or {})}.items():
            b2.prefs[name] = value
        b2.defaultclock.dt = DT * second
        self.runs = 0

    def build(self, settings: str = "", **options: Any) -> None:
        """Write and compile what was recorded; see `Backend.build`."""
        # For nvcc: make inherits the environment
        os.environ["CUDA_EMULATOR"] = settings
        b2.device.build(directory=str(self.directory), run=False, with_output=False, **options)

    def run(self, settings: str = "", values: Mapping[Any, Any] | None = None) -> str:
        """Run the compiled program; see `Backend.run`."""
        self.runs += 1
        name = f"results_{self.runs}"
        environment = {**self.environment, "CUDA_EMULATOR": settings}
        b2.device.run_environment_variables.update(environment)
        results = self.directory / name
        results.mkdir()
        try:
            with stderr_to(results / "stderr.txt"):
                b2.device.run(
                    results_directory=name, with_output=False, run_args=dict(values or {})
                )
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{_printed(results)[-3000:]}") from error
        return _printed(results)

    def make(self, settings: str = "") -> str:
        """Compile again what stands in the project, after a change to one of its files."""
        done = subprocess.run(
            ["make", *b2.prefs.devices.cpp_standalone.extra_make_args_unix],
            cwd=self.directory,
            env={**os.environ, "CUDA_EMULATOR": settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"make failed:\n{done.stderr[-3000:]}")
        return done.stderr


@contextlib.contextmanager
def stderr_to(path: Path) -> Generator[None]:
    """Have this process and those that it starts write their messages into a file."""
    kept = os.dup(2)
    with path.open("w") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _printed(results: Path) -> str:
    files = [results / "stdout.txt", results / "stderr.txt"]
    return "".join(one.read_text(errors="replace") for one in files if one.exists())
