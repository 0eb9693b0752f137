"""Small CUDA programs, compiled by the emulated toolkit and run as processes of their own."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

TOOLKIT = Path(__file__).parents[1] / "cuda_emulator"
NVCC = TOOLKIT / "bin" / "nvcc"
_TIME_LIMIT = 120


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="emulated-programs-")


def compile_program(
    source: str, *, options: Sequence[str] = (), name: str = "", check: bool = False
) -> Path:
    """Compile `source`; the same text and options are compiled once per process.

    With `check` each access to memory is checked, and races are found.

    Raises
    ------
    AssertionError
        With the compiler's message.
    """
    key = hashlib.sha256("\0".join([source, *options, str(check)]).encode()).hexdigest()[:16]
    program = Path(_folder().name) / f"{name or 'program'}-{key}"
    if not program.exists():
        text = program.with_suffix(".cu")
        text.write_text(source, encoding="utf-8")
        done = subprocess.run(
            [str(NVCC), *options, str(text), "-o", str(program)],
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
            env={**os.environ, "CUDA_EMULATOR": "check=on" if check else ""},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return program


def run_program(
    program: Path,
    *,
    settings: str = "",
    arguments: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a compiled program under `settings` (the variable CUDA_EMULATOR)."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CUDA_")}
    # Where the prepared library lies, if somebody has chosen
    kept = {k: v for k, v in os.environ.items() if k == "CUDA_EMULATOR_CACHE"}
    return subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT,
        env={**inherited, **kept, "CUDA_EMULATOR": settings, **(environment or {})},
        check=False,
    )


def compile_and_run(
    source: str,
    *,
    settings: str = "",
    options: Sequence[str] = (),
    arguments: Sequence[str] = (),
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Compile `source` (once) and run it."""
    program = compile_program(source, options=options, check=check)
    return run_program(program, settings=settings, arguments=arguments)
