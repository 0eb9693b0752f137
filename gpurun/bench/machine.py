"""What a report says about where it was measured. No host names, no paths."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PACKAGES = ("gpurun", "brian2", "brian2cuda", "numpy")

# Above this load per core, other work competes with what is measured.
QUIET_LOAD = 0.25

_MISSING = "not installed"


@dataclass(frozen=True)
class Machine:
    """The computer and the software.

    Attributes
    ----------
    processor : str
        Model name of the processor.
    cores : int
        Cores this process may use.
    memory_bytes : int
        Size of the main memory; 0 if not known.
    system, python, compiler : str
        Names with versions.
    packages : dict of str to str
        Versions of what the numbers depend on.
    load_per_core : float
        The one-minute load average at the start, divided by the machine's cores.
    quiet : bool
        Whether that load was low enough for numbers to be quoted.
    """

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    compiler: str
    packages: dict[str, str]
    load_per_core: float
    quiet: bool


@dataclass(frozen=True)
class Commit:
    """The state of the source tree.

    Attributes
    ----------
    revision : str
        Full hash, or ``"unknown"`` outside a checkout.
    modified : bool
        Whether tracked files differ from that commit.
    """

    revision: str
    modified: bool


def describe(more: Sequence[str] = ()) -> Machine:
    """Return what the present machine is.

    Parameters
    ----------
    more : sequence of str
        Packages whose versions are noted where they are installed.
    """
    load = _load_per_core()
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        compiler=_compiler(),
        packages={name: _version(name) for name in PACKAGES}
        | {name: _version(name) for name in more if _version(name) != _MISSING},
        load_per_core=load,
        quiet=load <= QUIET_LOAD,
    )


def commit(root: Path) -> Commit:
    """Return the commit that is checked out in `root`."""
    revision = _git(root, "rev-parse", "HEAD")
    if revision is None:
        return Commit("unknown", modified=False)
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return Commit(revision, modified=bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _load_per_core() -> float:
    try:
        return round(os.getloadavg()[0] / (os.cpu_count() or 1), 3)
    except OSError:
        return 0.0


def _compiler() -> str:
    from gpurun.errors import ToolchainError
    from gpurun.toolchain import find_cxx

    try:
        found = find_cxx()
    except ToolchainError:
        return "none found"
    return f"{found.family} {found.version}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return _MISSING
