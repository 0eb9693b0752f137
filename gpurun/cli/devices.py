"""Where to compute: ``gpurun devices``, and what ``--device`` comes down to."""

from __future__ import annotations

import os
import platform

from gpurun import nvml
from gpurun.cli.wording import say
from gpurun.config import DeviceSpec
from gpurun.errors import ConfigError, DeviceUnavailableError


def choose(device: DeviceSpec, *, quiet: bool, doing: str = "running on") -> str:
    """Return the device that a script will run on.

    Parameters
    ----------
    device : DeviceSpec
        What was asked for.
    quiet : bool
        Do not mention that ``auto`` came down to the CPU.
    doing : str, optional
        How to mention it.

    Raises
    ------
    DeviceUnavailableError
        A card was asked for and cannot be used; the message says what is missing.
    """
    from gpurun import doctor
    from gpurun.toolchain_nvcc import cuda_problem

    if device.kind == "cpu":
        return "cpu"
    if device.kind == "cuda":
        findings = doctor.cuda_findings(device.index)
        wrong = [finding for finding in findings if not finding.ok and finding.needed_by]
        if not wrong:
            return str(device)
        lines = [f"--device {device} cannot be used here:"]
        for finding in wrong:
            lines.append(f"  {finding.name}: {finding.detail}")
            if finding.fix:
                lines.append(f"    to mend it: {finding.fix}")
        lines.append("'gpurun doctor' checks everything; '--device cpu' needs no card.")
        raise DeviceUnavailableError("\n".join(lines), device=str(device))
    problem = cuda_problem()
    if problem is None:
        return "cuda"
    if not quiet:
        say(f"{doing} the CPU ({problem})")
    return "cpu"


def choose_for_build(device: DeviceSpec, architectures: tuple[str, ...], *, quiet: bool) -> str:
    """Return the device that a script is built for, which need not be there.

    Parameters
    ----------
    device : DeviceSpec
        What was asked for.
    architectures : tuple of str
        What was asked for with ``--arch``.
    quiet : bool
        See :func:`choose`.

    Raises
    ------
    ConfigError
        Architectures of cards for a model of the CPU.
    """
    if device.kind == "cpu" and architectures:
        raise ConfigError(
            f"--arch {','.join(architectures)} is about cards; it does not go with --device cpu.",
            name="cuda_arch",
            value=architectures,
        )
    if device.kind == "cuda" or architectures:
        return "cuda"
    return choose(device, quiet=quiet, doing="building for")


def show() -> int:
    """Print the devices; returns the exit status."""
    from rich.console import Console
    from rich.table import Table

    from gpurun.cli.wording import size

    snapshot = nvml.snapshot()
    table = Table(box=None, pad_edge=False)
    for title in ("device", "name", "memory free", "memory", "nvidia-smi"):
        table.add_column(title, justify="left" if title in ("device", "name") else "right")
    table.add_row("cpu", f"{platform.machine()}, {_cores()} cores", "", "", "")
    for card in snapshot.cards:
        table.add_row(
            "-" if card.cuda_index is None else f"cuda:{card.cuda_index}",
            card.name or "(does not answer)",
            "" if card.memory_free is None else size(card.memory_free),
            "" if card.memory_total is None else size(card.memory_total),
            str(card.nvml_index),
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    if snapshot.problem:
        console.print(f"No card can be used: {snapshot.problem}.", markup=False)
    elif snapshot.driver_version:
        cuda = "{}.{}".format(*snapshot.cuda_version) if snapshot.cuda_version else "unknown"
        console.print(
            f"Driver {snapshot.driver_version}, for CUDA up to {cuda}. "
            "Whether all that a card needs is installed says 'gpurun doctor'.",
            markup=False,
        )
    return 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
