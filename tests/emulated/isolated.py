"""Runs a function in a Python process of its own: ``run(function, *arguments)``.

Scripts change Brian's preferences, its current device and the environment. In a process
of its own a script finds them as a user's script would, and leaves nothing behind.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cuda_emulator.driver import prepare

ROOT = Path(__file__).resolve().parents[2]


def run(function: Callable[..., Any], *arguments: Any, timeout: float = 900.0) -> Any:
    """Return what `function` returns; both it and its arguments have to be picklable.

    Raises
    ------
    RuntimeError
        If it raises, or the process dies; with the end of what the process printed.
    """
    with tempfile.TemporaryDirectory(prefix="gpurun-emulated-") as scratch:
        job, answer = Path(scratch, "job"), Path(scratch, "answer")
        name = (function.__module__, function.__qualname__)
        job.write_bytes(pickle.dumps((*name, arguments)))
        environment = dict(os.environ)
        path = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
        environment["TMPDIR"] = scratch
        environment.setdefault("CUDA_EMULATOR_CACHE", emulator_cache())
        process = subprocess.run(
            [sys.executable, "-m", "tests.emulated.isolated", str(job), str(answer)],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if process.returncode:
            raise RuntimeError(
                f"{'.'.join(name)} failed with status {process.returncode}:\n"
                f"{process.stdout[-6000:]}"
            )
        return pickle.loads(answer.read_bytes())


def emulator_cache() -> str:
    """Where the emulated toolkit keeps what it prepares, for processes with other ``TMPDIR``."""
    folder = Path(tempfile.gettempdir(), f"cuda-emulator-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else: set CUDA_EMULATOR_CACHE")
    return str(folder)


def card_environment(settings: str = "") -> dict[str, str]:
    """This process's environment with an emulated card, for a process to start."""
    return {
        **os.environ,
        "CUDA_PATH": str(ROOT / "tests" / "cuda_emulator"),
        "CUDA_EMULATOR": settings,
        "CUDA_EMULATOR_CACHE": emulator_cache(),
        "LD_LIBRARY_PATH": str(prepare.nvml()),
    }


def _main(job: str, answer: str) -> None:
    module, name, arguments = pickle.loads(Path(job).read_bytes())
    function = getattr(__import__(module, fromlist=["*"]), name)
    Path(answer).write_bytes(pickle.dumps(function(*arguments)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
