"""``gpurun doctor``: prints what :mod:`gpurun.doctor` finds."""

from __future__ import annotations

import platform
from importlib.metadata import version

from rich.console import Console
from rich.text import Text

from gpurun import doctor


def run() -> int:
    """Print the findings; returns the exit status.

    Returns
    -------
    int
        0 if both backends are usable, 1 if CUDA is not, 2 if the CPU is not, 3 if neither is.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"gpurun {version('gpurun')} on {platform.platform()}", markup=False)
    findings = doctor.examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.ok:
            mark = Text("ok      ", "green")
        elif finding.needed_by:
            mark = Text("missing ", "red")
        else:
            mark = Text("warning ", "yellow")
        console.print(mark, f"{finding.name:<{width}}  {finding.detail}", sep="", markup=False)
        if finding.fix:
            console.print(f"{'':<{width + 10}}to mend it: {finding.fix}", markup=False)
    for backend, label in (("cpu", "CPU backend: "), ("cuda", "CUDA backend:")):
        lacking = [f.name for f in findings if not f.ok and backend in f.needed_by]
        verdict = "usable" if not lacking else f"not usable (see {', '.join(lacking)})"
        console.print(label, verdict, markup=False)
    return doctor.exit_status(findings)
