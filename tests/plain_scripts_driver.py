"""Runs the scripts of ``tests/plain_scripts`` under plain Python and under gpurun.

What a script is, its header says in comments:

``# random: yes|no``
    Whether it draws random numbers while time goes on. Random set-up with a seed is no noise.
``# statistics: NAME NAME``
    Of a noisy script: its arrays of (nearly) independent values, whose distributions are compared.
``# arguments: WORDS``
    Its command line.
``# reference: cython``
    Tests of every day compare it to Brian's compiled runtime mode, which takes long to compile.
    The others are compared to Brian's interpreted one, target ``numpy``.
``# tolerance: 1E-12 because WHY``
    How much the interpreted reference may differ, relative to the largest value of each array;
    without it, not at all. The compiled reference may never differ.
``# refused: WORDS``
    gpurun must refuse the script, with these words in its message.
``# printed: TEXT``
    Of such a script: a line that it prints before that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy._core._multiarray_umath import __cpu_dispatch__

SCRIPTS = Path(__file__).with_name("plain_scripts")
CHILD = Path(__file__).with_name("plain_scripts_child.py")
#: No optimisation and no contraction: the same arithmetic in both ways, and quick to compile.
FLAGS = ("-w", "-O0", "-ffp-contract=off")
#: NumPy has functions such as exp of its own for processors that it knows, which differ from
#: those of C in the last bit. Without them it calls C's, too.
ENVIRONMENT = {"MPLBACKEND": "Agg", "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}


@dataclass(frozen=True)
class Script:
    """A script, and what its header says."""

    path: Path
    random: bool
    statistics: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    compiled: bool = False
    tolerance: float = 0.0
    refused: tuple[str, ...] = ()
    printed: str = ""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.stem


def read_header(path: Path) -> Script:
    """What the comments at the top of a script say.

    Raises
    ------
    ValueError
        An entry that is not known, not complete, or missing.
    """
    entries: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if match := re.fullmatch(r"# ([a-z]+): (.+)", line):
            entries[match[1]] = match[2]
    known = ["random", "statistics", "arguments", "reference", "tolerance", "refused", "printed"]
    if unknown := entries.keys() - set(known):
        raise ValueError(f"{path.name}: unknown entries {sorted(unknown)}; known are {known}")
    if entries.get("random") not in ("yes", "no"):
        raise ValueError(f"{path.name}: expected '# random: yes' or '# random: no'")
    if entries.get("reference", "cython") != "cython":
        raise ValueError(f"{path.name}: the only reference to ask for is cython")
    tolerance, because, why = entries.get("tolerance", "0 because it is not needed").partition(
        " because "
    )
    if not because or not why.strip():
        raise ValueError(f"{path.name}: a tolerance needs a reason: '# tolerance: X because WHY'")
    random, refused = entries["random"] == "yes", tuple(entries.get("refused", "").split())
    statistics = tuple(entries.get("statistics", "").split())
    if bool(statistics) != (random and not refused):
        raise ValueError(f"{path.name}: exactly the noisy scripts name their statistics")
    return Script(
        path=path,
        random=random,
        statistics=statistics,
        arguments=tuple(entries.get("arguments", "").split()),
        compiled="reference" in entries,
        tolerance=float(tolerance),
        refused=refused,
        printed=entries.get("printed", ""),
    )


def scripts() -> list[Script]:
    """All of them, by name."""
    return [read_header(path) for path in sorted(SCRIPTS.glob("*.py"))]


def deterministic() -> list[Script]:
    """Those whose results must be Brian's."""
    return [script for script in scripts() if not script.random and not script.refused]


def noisy() -> list[Script]:
    """Those whose results must have the distributions of Brian's."""
    return [script for script in scripts() if script.random and not script.refused]


def refused() -> list[Script]:
    """Those that gpurun must not run."""
    return [script for script in scripts() if script.refused]


# -- running ---------------------------------------------------------------------------


@dataclass
class Outcome:
    """What came of a script.

    Attributes
    ----------
    status : int
        Its exit status.
    stdout, stderr : str
        What it printed.
    values : dict of str to ndarray
        What was in its namespace at the end, by where.
    files : dict of str to bytes
        What it wrote.
    """

    status: int
    stdout: str
    stderr: str
    values: dict[str, np.ndarray] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def run(
    script: Script,
    way: str,
    folder: Path,
    *,
    target: str = "numpy",
    arguments: Sequence[str] | None = None,
    device: str = "cpu",
    timeout: float = 300,
) -> Outcome:
    """Run a script in a process of its own.

    Parameters
    ----------
    script : Script
    way : {"python", "gpurun"}
        See ``tests/plain_scripts_child.py``.
    folder : Path
        Where it runs; made if need be. Brian reads its preferences from a file there, so that
        they are the same in both ways.
    target : {"numpy", "cython"}
        How Brian generates code for its runtime mode.
    arguments : sequence of str, optional
        Instead of those that the header gives.
    device : str, optional
        Where gpurun runs it.
    timeout : float, optional
        Seconds after which it is given up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brian_preferences").write_text(
        f"[codegen]\ntarget = {target!r}\n[codegen.cpp]\nextra_compile_args_gcc = {list(FLAGS)!r}\n"
    )
    results = folder / "results.npz"
    words = script.arguments if arguments is None else arguments
    done = subprocess.run(
        [sys.executable, str(CHILD), way, str(results), str(script.path), *words],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "GPURUN_DEVICE": device},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    outcome.files = {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name not in ("brian_preferences", results.name)
    }
    if results.exists():
        with np.load(results) as file:
            outcome.values = {name: file[name] for name in file.files}
    return outcome
