"""Machines whose driver and cards are the emulator's, for tests of NVML."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.emulated.programs import TOOLKIT

PYNVML = "import json, os, sys, ctypes, time\nfrom pynvml import *\nnvmlInit()\n"
GPURUN = (
    "import json, os, time\nfrom dataclasses import asdict\n"
    "from gpurun import nvml\nfrom gpurun.meter import *\n"
)


def compile_tenant(folder: Path) -> Path:
    """The program of a `Tenant`."""
    program = folder / "tenant"
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
    command += [f"-I{TOOLKIT / 'include'}", str(TOOLKIT / "nvml" / "tenant.cpp")]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program


class Tenant:
    """A process that uses cards when it is told to."""

    def __init__(self, command: tuple[str | Path, ...], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.pid = self.process.pid

    def say(self, line: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self, how: signal.Signals = signal.SIGKILL) -> str:
        self.process.send_signal(how)
        return self.process.communicate()[1]


@dataclass
class Machine:
    """A machine whose driver and cards are the emulator's."""

    folder: Path
    libraries: Path
    tenant_program: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        unwanted = ("CUDA_", "LD_LIBRARY_PATH")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        self.environment |= {
            "LD_LIBRARY_PATH": str(self.libraries),
            "CUDA_EMULATOR_FILE": str(self.folder / "settings"),
            "CUDA_EMULATOR_STATE": str(self.folder / "state"),
        }

    def set(self, *lines: str) -> None:
        (self.folder / "settings").write_text("\n".join(lines) + "\n")

    def tenant(self, *command: str | Path) -> Tenant:
        """A process of another program, if one is given."""
        tenant = Tenant(command or (self.tenant_program,), self.environment)
        self.started.callback(tenant.end)
        return tenant

    def run(self, *command: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        said = subprocess.run(
            [sys.executable, *command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if status is not None:
            assert said.returncode == status, said.stdout + said.stderr
        return said

    def ask(self, code: str, *, before: str = PYNVML) -> Any:
        """Run code after ``nvmlInit``; returns what its last line evaluates to."""
        *first, last = code.strip().splitlines()
        lines = [before, *first, f"print(json.dumps({last}))"]
        return json.loads(self.run("-c", "\n".join(lines)).stdout)

    def ask_gpurun(self, code: str) -> Any:
        """Run code that has `nvml`, the meters and `asdict`; returns what its last line says."""
        return self.ask(code, before=GPURUN)

    def snapshot(self) -> dict[str, Any]:
        return self.ask_gpurun("asdict(nvml.snapshot())")
