"""Whether a contender computes what the reference computes: before anything is timed.

Deterministic cases are compared spike by spike, noisy ones by distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import ConfigError

#: What a presentation is judged by; see `Contender.result`.
Result = Mapping[str, NDArray[Any]]

#: Probability of refusing a contender that is right, all tests of a case together.
ALPHA = 1e-4
#: Differences that are smaller do not matter, however certain they are: of mean rates, relative,
#: and between distribution functions (the Kolmogorov-Smirnov distance).
SAME_RATE, SAME_DISTRIBUTION = 0.05, 0.1
#: Relative difference of values that are computed without any randomness.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Verdict:
    """Whether a contender agrees, and how that was found.

    Attributes
    ----------
    agrees : bool
    words : str
        The test and its outcome, or what is different.
    """

    agrees: bool
    words: str


@dataclass(frozen=True)
class Rules:
    """How the results of a case are compared.

    Attributes
    ----------
    deterministic : bool
        Whether nothing is random in its time loop.
    spikes : tuple of str
        Spike monitors.
    values : tuple of str
        Variables whose values count.
    exact_for : float
        Seconds for which the spikes of a deterministic case have to be identical.
    dt : float
        Seconds of a step; times are compared as numbers of steps.
    """

    deterministic: bool
    spikes: tuple[str, ...]
    values: tuple[str, ...]
    exact_for: float
    dt: float


def judge(rules: Rules, reference: Sequence[Result], other: Sequence[Result]) -> Verdict:
    """Compare the results of the same presentations.

    Parameters
    ----------
    rules : Rules
    reference, other : sequence of dict
        One per presentation, see `gpurun.bench.suite.contender.Contender.result`.

    Returns
    -------
    Verdict

    Raises
    ------
    ConfigError
        A noisy case is to be judged and SciPy is missing.
    """
    if len(reference) != len(other) or not reference:
        return Verdict(False, f"{len(other)} results for {len(reference)} presentations")
    for number, (left, right) in enumerate(zip(reference, other, strict=True)):
        if problem := _malformed(rules, left, right):
            return Verdict(False, f"presentation {number}: {problem}")
    if not sum(left[f"{name}.i"].size for left in reference for name in rules.spikes):
        return Verdict(False, "the reference has no spikes: nothing could be compared")
    if rules.deterministic:
        return _judge_exactly(rules, reference, other)
    return _judge_distributions(rules, reference, other)


def _malformed(rules: Rules, left: Result, right: Result) -> str:
    for name in (*(f"{one}.{part}" for one in rules.spikes for part in "it"), *rules.values):
        if name not in right:
            return f"it has no {name!r}"
        if np.shape(left[name]) != np.shape(right[name]) and name in rules.values:
            return f"{name!r} has shape {np.shape(right[name])} for {np.shape(left[name])}"
        if not np.all(np.isfinite(right[name])) and np.all(np.isfinite(left[name])):
            return f"{name!r} has values that are not finite"
    return ""


def _train(rules: Rules, result: Result, name: str) -> NDArray[np.int64]:
    """Steps and neurons of all spikes, in order, shape (spikes, 2)."""
    step = np.round(np.asarray(result[f"{name}.t"]) / rules.dt).astype(np.int64)
    neuron = np.asarray(result[f"{name}.i"]).astype(np.int64)
    order = np.lexsort((neuron, step))
    return np.stack([step[order], neuron[order]], axis=1)


def _first_difference(left: NDArray[np.int64], right: NDArray[np.int64]) -> int | None:
    """The first step in which two trains differ; None where they are the same."""
    common = min(len(left), len(right))
    differ = np.flatnonzero((left[:common] != right[:common]).any(axis=1))
    if differ.size:
        return int(min(left[differ[0], 0], right[differ[0], 0]))
    if len(left) == len(right):
        return None
    return int((left if len(left) > common else right)[common, 0])


def _judge_exactly(rules: Rules, reference: Sequence[Result], other: Sequence[Result]) -> Verdict:
    spikes, earliest, where = 0, None, ""
    for number, (left, right) in enumerate(zip(reference, other, strict=True)):
        for name in rules.spikes:
            ours = _train(rules, left, name)
            spikes += len(ours)
            step = _first_difference(ours, _train(rules, right, name))
            if step is not None and (earliest is None or step < earliest):
                earliest, where = step, f"{name!r} in presentation {number}"
    if earliest is None:
        if problem := _values_differ(rules, reference, other):
            return Verdict(False, f"spike trains identical, but {problem}")
        return Verdict(
            True, f"spike trains identical ({spikes} spikes in {len(reference)} presentations)"
        )
    differ = earliest * rules.dt
    found = f"spikes of {where} differ from {1000 * differ:g} ms on"
    if differ < rules.exact_for:
        allowed = "" if np.isinf(rules.exact_for) else f", required: {1000 * rules.exact_for:g} ms"
        return Verdict(False, found + allowed)
    rest = _judge_distributions(rules, reference, other)
    return Verdict(
        rest.agrees,
        f"spike trains identical for the required {1000 * rules.exact_for:g} ms (this network is "
        f"chaotic: they differ from {1000 * differ:g} ms on); {rest.words}",
    )


def _values_differ(rules: Rules, reference: Sequence[Result], other: Sequence[Result]) -> str:
    for number, (left, right) in enumerate(zip(reference, other, strict=True)):
        for name in rules.values:
            if not np.allclose(left[name], right[name], rtol=ROUNDING, atol=0, equal_nan=True):
                largest = float(
                    np.nanmax(np.abs(np.subtract(left[name], right[name], dtype=float)))
                )
                return f"{name!r} differs by up to {largest:g} after presentation {number}"
    return ""


def _samples(
    rules: Rules, reference: Sequence[Result], other: Sequence[Result]
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """What is compared as a distribution: spikes per neuron, and values."""
    for name in rules.spikes:
        size = 1 + max(int(one[f"{name}.i"].max(initial=-1)) for one in (*reference, *other))
        left, right = (
            np.concatenate(
                [np.bincount(one[f"{name}.i"].astype(np.int64), minlength=size) for one in some]
            ).astype(np.float64)
            for some in (reference, other)
        )
        yield f"spikes per neuron of {name!r}", left, right
    for name in rules.values:
        left, right = (
            np.concatenate([np.ravel(one[name]).astype(np.float64) for one in some])
            for some in (reference, other)
        )
        yield f"{name!r}", left, right


def _judge_distributions(
    rules: Rules, reference: Sequence[Result], other: Sequence[Result]
) -> Verdict:
    try:
        from scipy.stats import ks_2samp
    except ImportError as error:
        raise ConfigError(
            "Comparing noisy results needs SciPy: pip install 'gpurun[bench]'."
        ) from error
    level = ALPHA / (len(rules.spikes) + len(rules.values))
    worst, numbers = 0.0, []
    for what, left, right in _samples(rules, reference, other):
        found: Any = ks_2samp(left, right, method="asymp")
        distance, probability = float(found.statistic), float(found.pvalue)
        worst = max(worst, distance)
        if probability < level and distance > SAME_DISTRIBUTION:
            return Verdict(
                False,
                f"{what}: the distributions differ (Kolmogorov-Smirnov distance {distance:.2f}, "
                f"p = {probability:.1g})",
            )
    for name in rules.spikes:
        counts = [
            np.array([one[f"{name}.i"].size for one in some], dtype=float)
            for some in (reference, other)
        ]
        left, right = (float(some.mean()) for some in counts)
        spread = float(np.sqrt(sum((some.var(ddof=1) if some.size > 1 else 0) for some in counts)))
        # Stimuli differ on purpose, so that what noise does shows in the pairs
        if counts[0].size > 1:
            spread = float(np.std(counts[0] - counts[1], ddof=1))
        noise = max(spread, np.sqrt(left + right)) / np.sqrt(counts[0].size)
        difference = abs(left - right)
        if difference > SAME_RATE * left and difference > 5 * noise:
            return Verdict(
                False,
                f"{name!r}: {right:.1f} spikes in a presentation for {left:.1f} of the reference, "
                f"{difference / noise:.0f} standard errors",
            )
        numbers.append(f"{name}: {right:.0f} for {left:.0f} spikes in a presentation")
    return Verdict(
        True,
        f"same distributions (Kolmogorov-Smirnov distance at most {worst:.3f} in {len(reference)} "
        f"presentations; {'; '.join(numbers)})",
    )
