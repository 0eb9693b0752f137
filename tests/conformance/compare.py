"""Compares two configurations test by test; differences have to be explained.

Explanations are kept in ``explanations.toml``. One that explains nothing any more is as
much an error as a difference without one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .plan import CONFIGURATIONS, Part
from .runner import Result

Key = tuple[str, str]
Results = Mapping[Key, Result]
KINDS = ("outcome", "engine", "selection")
EXPLANATIONS = Path(__file__).with_name("explanations.toml")


@dataclass(frozen=True)
class Difference:
    """One test that did not go as it goes upstream.

    Attributes
    ----------
    configuration, phase, test : str
        Where.
    kind : str
        ``"outcome"``: another outcome; ``"engine"``: a test that is meant for gpurun started
        a compiled program of brian2, or did not run where upstream it runs that program;
        ``"selection"``: only one of the two configurations has the test.
    upstream, observed : str
        What happened in each.
    detail : str
        The traceback, if any.
    """

    configuration: str
    phase: str
    test: str
    kind: str
    upstream: str
    observed: str
    detail: str = ""


@dataclass(frozen=True)
class Explanation:
    """Why certain differences are there. `tests` are shell patterns of test IDs."""

    configurations: tuple[str, ...]
    phases: tuple[str, ...]
    tests: tuple[str, ...]
    kind: str
    upstream: str
    observed: str
    why: str

    def covers(self, difference: Difference) -> bool:
        """Whether it is about `difference`."""
        return (
            difference.configuration in self.configurations
            and difference.phase in self.phases
            and difference.kind == self.kind
            and fnmatchcase(difference.upstream, self.upstream)
            and fnmatchcase(difference.observed, self.observed)
            # Brackets belong to the ID of a parametrised test and are no pattern here.
            and any(fnmatchcase(difference.test, test.replace("[", "[[]")) for test in self.tests)
        )


def read_explanations(path: Path = EXPLANATIONS) -> list[Explanation]:
    """Load the explanations.

    Raises
    ------
    ValueError
        If an entry is incomplete, has an unknown field or kind, or an empty reason.
    """
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("explanation", []):
        values = dict(entry)
        for name in ("configurations", "phases", "tests"):
            values[name] = tuple(values.get(name, ()))
        try:
            one = Explanation(**values)
        except TypeError as error:
            raise ValueError(f"{path.name}: {error}, in the entry {entry}") from error
        if one.kind not in KINDS or not one.why.strip():
            raise ValueError(f"{path.name}: unknown kind or no reason in the entry {entry}")
        found.append(one)
    return found


def differences(configuration: str, upstream: Results, observed: Results) -> list[Difference]:
    """All differences of complete results, in the order of the tests.

    Phases that the configuration does not have are left out.
    """
    found = []
    about = CONFIGURATIONS[configuration]
    phases = [one.name for one in about.phases]
    for key in dict.fromkeys((*upstream, *observed)):
        phase, test = key
        if phase not in phases:
            continue
        theirs, ours = upstream.get(key), observed.get(key)
        if theirs is None or ours is None:
            names = ["selected" if one else "not selected" for one in (theirs, ours)]
            found.append(Difference(configuration, phase, test, "selection", *names))
            continue
        if theirs.outcome != ours.outcome:
            found.append(
                Difference(
                    configuration,
                    phase,
                    test,
                    "outcome",
                    theirs.outcome,
                    ours.outcome,
                    ours.detail,
                )
            )
        if about.gpurun:
            astray = ours.binary_runs or (theirs.binary_runs and not ours.session_runs)
        else:
            astray = theirs.binary_runs and not ours.binary_runs
        if astray:
            found.append(
                Difference(
                    configuration,
                    phase,
                    test,
                    "engine",
                    engine(theirs),
                    engine(ours),
                )
            )
    return found


def failures(configuration: str, observed: Results) -> list[Difference]:
    """All tests that did not pass, of a configuration that is compared with none.

    A test that its own suite expects to fail is none of them if it does. One that is meant for
    gpurun and passes has to be run by gpurun alone.
    """
    found = []
    for (phase, test), one in observed.items():
        if one.outcome not in ("passed", "xfailed"):
            found.append(
                Difference(configuration, phase, test, "outcome", "passed", one.outcome, one.detail)
            )
        elif CONFIGURATIONS[configuration].gpurun and engine(one) != "gpurun":
            found.append(Difference(configuration, phase, test, "engine", "gpurun", engine(one)))
    return found


def engine(result: Result) -> str:
    """What ran the models of a test."""
    if result.binary_runs and result.session_runs:
        return "both"
    if result.binary_runs:
        return "program"
    return "gpurun" if result.session_runs else "none"


def deviations(part: Part, results: Mapping[str, Results]) -> list[Difference]:
    """All differences and failures of the configurations of a part."""
    found = []
    for name in part.configurations:
        about = CONFIGURATIONS[name]
        if about.reference:
            found += differences(name, results[about.reference], results[name])
        elif name != "upstream":
            found += failures(name, results[name])
    return found


def explain(
    found: Iterable[Difference], explanations: Iterable[Explanation]
) -> tuple[dict[Explanation, list[Difference]], list[Difference]]:
    """Sort differences under the first explanation that covers them.

    Returns
    -------
    explained : dict
        Every explanation with its differences; an empty list marks a stale one.
    unexplained : list of Difference
    """
    explained: dict[Explanation, list[Difference]] = {one: [] for one in explanations}
    unexplained = []
    for difference in found:
        for explanation, covered in explained.items():
            if explanation.covers(difference):
                covered.append(difference)
                break
        else:
            unexplained.append(difference)
    return explained, unexplained
