"""Runs the scripts of ``tests/plain_scripts`` under plain Python and under gpurun, and compares.

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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SCRIPTS = Path(__file__).with_name("plain_scripts")
CHILD = Path(__file__).with_name("plain_scripts_child.py")
#: Chance that a distribution of one script is called different though it is not. The seeds are
#: given, so that a test either always passes or never.
ALPHA = 1e-4
#: No optimisation and no contraction: the same arithmetic in both ways, and quick to compile.
FLAGS = ("-w", "-O0", "-ffp-contract=off")

Values = Mapping[str, np.ndarray]


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


def scripts(folder: Path = SCRIPTS) -> list[Script]:
    """All of them, by name."""
    return [read_header(path) for path in sorted(folder.glob("*.py"))]


# -- running ---------------------------------------------------------------------------


@dataclass
class Outcome:
    """What came of a script."""

    status: int
    stdout: str
    stderr: str
    values: dict[str, np.ndarray] = field(default_factory=dict)


def run(
    script: Script,
    way: str,
    folder: Path,
    *,
    target: str = "numpy",
    arguments: Sequence[str] | None = None,
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
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    if results.exists():
        with np.load(results) as file:
            outcome.values = {name: file[name] for name in file.files}
    return outcome


# -- comparing -------------------------------------------------------------------------


def compare(
    expected: Outcome, found: Outcome, *, tolerance: float = 0.0, names: Iterable[str] | None = None
) -> list[str]:
    """The differences of two outcomes, one line each.

    Parameters
    ----------
    expected, found : Outcome
    tolerance : float
        How far values may be apart, relative to the largest finite one of their array. Counts,
        indices and flags have to be equal anyhow, and where there is no number, too.
    names : iterable of str, optional
        Compare these values and not what was printed.
    """
    lines = []
    if names is None:
        names = expected.values
        extra = found.values.keys() - expected.values.keys()
        lines += [f"{name}: not there in the reference" for name in sorted(extra)]
        if (want := printed(expected)) != (have := printed(found)):
            first = next((pair for pair in zip(want, have, strict=False) if pair[0] != pair[1]), "")
            lines.append(f"printed: {first or f'{len(want)} and {len(have)} lines'}")
    for name in names:
        if name not in found.values:
            lines.append(f"{name}: missing")
        elif problem := _difference(expected.values[name], found.values[name], tolerance):
            lines.append(f"{name}: {problem}")
    return lines


def printed(outcome: Outcome) -> list[str]:
    """The lines of stdout without the times that progress reports hold."""
    lines = [re.sub(r"simulated in .*", "simulated", line) for line in outcome.stdout.splitlines()]
    return [line for line in lines if "estimated" not in line]


def _difference(want: np.ndarray, have: np.ndarray, tolerance: float) -> str:
    if want.shape != have.shape:
        return f"shape {have.shape}, expected {want.shape}"
    if want.dtype != have.dtype:
        return f"dtype {have.dtype}, expected {want.dtype}"
    inexact = want.dtype.kind in "fc"
    if np.array_equal(want, have, equal_nan=inexact):
        return ""
    if not inexact:
        return f"{np.sum(want != have)} of {want.size} differ"
    finite = np.isfinite(want)
    if not np.array_equal(want[~finite], have[~finite], equal_nan=True):
        return "nan or infinite in other places"
    largest = np.abs(want[finite]).max(initial=0.0)
    apart = np.abs(want[finite] - have[finite]).max(initial=0.0)
    if apart <= tolerance * largest:
        return ""
    count = np.sum(want[finite] != have[finite])
    return f"{count} of {want.size} differ, by up to {apart:.3g} where values reach {largest:.3g}"


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    """Asymptotic p-value of the two-sample test, as in Numerical Recipes, section 14.3.

    Parameters
    ----------
    first, second : ndarray
        Samples of any size and shape. Ties make the test less sensitive, not less safe.
    """
    first, second = np.sort(first, axis=None), np.sort(second, axis=None)
    both = np.concatenate([first, second])
    below = [np.searchsorted(s, both, side="right") / s.size for s in (first, second)]
    distance = np.abs(below[0] - below[1]).max()
    size = np.sqrt(first.size * second.size / (first.size + second.size))
    scaled = (size + 0.12 + 0.11 / size) * distance
    if scaled < 0.2:
        return 1.0  # the series does not converge
    k = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * (k * scaled) ** 2)), 0, 1))


def compare_noisy(
    script: Script, expected: Sequence[Outcome], found: Sequence[Outcome], alpha: float = ALPHA
) -> list[str]:
    """The differences of a noisy script, run with several seeds in each way.

    What the seed does not change in the reference must be equal, what else there is must have
    the same distribution, in as far as the script names it, and the seed must change that.
    """
    lines = []
    first, *others = expected
    fixed = [
        name
        for name, values in first.values.items()
        if all(
            np.array_equal(values, other.values.get(name), equal_nan=values.dtype.kind in "fc")
            for other in others
        )
    ]
    for outcome in found:
        lines += compare(first, outcome, names=fixed)
        lines += [f"{n}: missing" for n in sorted(first.values.keys() - outcome.values.keys())]
    for name in script.statistics:
        empty = np.empty(0)
        want, have = ([o.values.get(name, empty) for o in way] for way in (expected, found))
        if not all(values.size for values in (*want, *have)):
            lines.append(f"{name}: not there, or empty")
            continue
        if name in fixed or np.array_equal(have[0], have[-1]):
            lines.append(f"{name}: does not depend on the seed")
        chance = kolmogorov_smirnov(np.hstack(want), np.hstack(have))
        if chance < alpha:
            lines.append(f"{name}: another distribution, p = {chance:.2g}")
    return lines


def refusal(script: Script, outcome: Outcome) -> list[str]:
    """What is wrong with how a script was refused."""
    lines = []
    if outcome.status == 0:
        lines.append("it was not refused")
    said = outcome.stderr
    expected = (*script.refused, script.path.name, "--device runtime")
    lines += [f"the message does not say {word!r}" for word in expected if word not in said]
    if [line for line in printed(outcome) if line] != ([script.printed] if script.printed else []):
        lines.append(f"printed before that: {outcome.stdout!r}")
    return lines
