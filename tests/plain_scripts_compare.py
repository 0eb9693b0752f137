"""Compares what came of a script under gpurun to what came of it under plain Python."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tests.plain_scripts_driver import Outcome, Script, run

#: Chance that a distribution of one script is called different though it is not. The seeds are
#: given, so that a test either always passes or never.
ALPHA = 1e-4
#: The seeds of noisy scripts; with one alone it could not be seen what depends on it.
SEEDS = ("11", "12")
#: Set to "cython", it makes Brian's compiled code the reference of all scripts.
REFERENCE = "PLAIN_SCRIPTS_REFERENCE"


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
        if expected.files.keys() != found.files.keys():
            lines.append(f"files: {sorted(found.files)}, expected {sorted(expected.files)}")
        elif not tolerance and expected.files != found.files:
            lines.append("files: other contents")
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
    [*_, said] = re.findall(r"PlainScriptError: .*", outcome.stderr) or [""]
    place = rf"\({re.escape(script.path.name)}, line \d+\)"
    if not re.search(place, said):
        lines.append("the message does not say where in the script")
    expected = (*script.refused, "--device runtime")
    lines += [f"the message does not say {word!r}" for word in expected if word not in said]
    if (count := outcome.stderr.count("Traceback")) != 1:
        lines.append(f"{count} tracebacks, expected one")
    if [line for line in printed(outcome) if line] != ([script.printed] if script.printed else []):
        lines.append(f"printed before that: {outcome.stdout!r}")
    return lines


def resident(outcome: Outcome) -> list[str]:
    """What is wrong where it is not seen that gpurun has computed the script's runs."""
    if re.search(r"^gpurun: [1-9]\d* runs?, .* of model time", outcome.stderr, re.M):
        return []
    return [f"gpurun does not say that it ran the script: {outcome.stderr[-2000:]}"]


def identical(script: Script, folder: Path, *, device: str = "cpu") -> list[str]:
    """Run a deterministic script both ways; the differences.

    Parameters
    ----------
    script : Script
    folder : Path
        For what the script writes.
    device : str, optional
        Where gpurun runs it.
    """
    compiled = script.compiled or os.environ.get(REFERENCE) == "cython"
    target = "cython" if compiled else "numpy"
    expected = run(script, "python", folder / "python", target=target)
    found = run(script, "gpurun", folder / "gpurun", target=target, device=device)
    if expected.status or found.status:
        return [f"{way.status}: {way.stderr[-2000:]}" for way in (expected, found)]
    tolerance = 0.0 if compiled else script.tolerance
    return compare(expected, found, tolerance=tolerance) + resident(found)


def same_distributions(script: Script, folder: Path, *, device: str = "cpu") -> list[str]:
    """Run a noisy script both ways, with several seeds; the differences. See `identical`."""
    expected = [run(script, "python", folder / seed, arguments=[seed]) for seed in SEEDS]
    found = [
        run(script, "gpurun", folder / f"gpurun-{seed}", arguments=[seed], device=device)
        for seed in SEEDS
    ]
    failed = [f"{way.status}: {way.stderr[-2000:]}" for way in (*expected, *found) if way.status]
    return failed or compare_noisy(script, expected, found) + resident(found[-1])
