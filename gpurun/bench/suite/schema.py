"""The report of the suite and its JSON form. Raw values are kept; summaries are computed.

A change of meaning or shape raises :data:`VERSION`; a report of another version is refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from gpurun.bench.machine import Commit, Machine
from gpurun.bench.schema import build
from gpurun.errors import ConfigError

VERSION = 1
KIND = "gpurun bench"

MEASURED, ABSENT, REFUSED, FAILED = "measured", "absent", "refused", "failed"
#: What a contender's `status` may be.
STATUSES = (MEASURED, ABSENT, REFUSED, FAILED)


@dataclass(frozen=True)
class Measure:
    """All values of one measure, in the order they were taken.

    Attributes
    ----------
    phase : str
        ``"setup"``, ``"first stimulus"``, ``"next stimulus"``, ``"memory"`` or ``"energy"``.
    name, unit : str
        See `gpurun.bench.suite.contender`; ``"s"``, ``"B"`` or ``"J"``.
    values : list of float
    floor : str
        Name of the floor it is held against, ``""`` for none.
    """

    phase: str
    name: str
    unit: str
    values: list[float]
    floor: str = ""


@dataclass(frozen=True)
class Curve:
    """How something depends on a number.

    Attributes
    ----------
    over : str
        ``"steps"`` or ``"replicas"`` or ``"stimuli"``.
    unit : str
        Of the values.
    at : list of float
    values : list of list of float
        For every number in `at`, all that was measured.
    """

    over: str
    unit: str
    at: list[float]
    values: list[list[float]]


@dataclass(frozen=True)
class Floor:
    """What something costs at least on this machine.

    Attributes
    ----------
    name, unit : str
        Such as ``"host memory copy"``, ``"s"``.
    values : list of float
    detail : str
        What was done, such as how many bytes were copied.
    """

    name: str
    unit: str
    values: list[float]
    detail: str


@dataclass(frozen=True)
class Contender:
    """What one contender did in one case.

    Attributes
    ----------
    name, title : str
        Such as ``"gpurun-cpu"``, ``"gpurun, CPU"``.
    status : str
        One of :data:`STATUSES`. A refused one disagrees with the reference, and has no measures.
    detail : str
        Why it is absent, refused or failed.
    agreement : str
        The test and its outcome, in words.
    facts : dict
        Flags, threads, versions.
    measures : list of Measure
    curves : list of Curve
    """

    name: str
    title: str
    status: str
    detail: str
    agreement: str
    facts: dict[str, int | float | str | bool]
    measures: list[Measure]
    curves: list[Curve]

    def values(self, phase: str, name: str) -> list[float]:
        """The values of a measure; empty if there are none."""
        for one in self.measures:
            if (one.phase, one.name) == (phase, name):
                return one.values
        return []


@dataclass(frozen=True)
class Case:
    """One case at one size.

    Attributes
    ----------
    name, title, source, size : str
    deterministic : bool
    parameters : dict
        Arguments of the size, and neurons, synapses, steps, dt.
    reference : str
        Name of the contender that the others have to agree with.
    floors : list of Floor
        Those that depend on the case, such as a copy of as many bytes as a presentation moves.
    contenders : list of Contender
    """

    name: str
    title: str
    source: str
    size: str
    deterministic: bool
    parameters: dict[str, int | float | str | bool]
    reference: str
    floors: list[Floor]
    contenders: list[Contender]


@dataclass(frozen=True)
class SuiteReport:
    """Everything that one ``gpurun bench`` found.

    Attributes
    ----------
    kind : str
        :data:`KIND`.
    version : int
        :data:`VERSION` when it was written.
    created : str
        UTC, ISO 8601 to the second.
    quick : bool
        Whether it was a trial, not to be quoted.
    command : str
    seconds : float
        What it took.
    commit : Commit
    machine : Machine
    card : dict of str to str
        Name, driver, toolkit; empty without a card.
    settings : dict
        Compiler flags, precision, time limit and wanted width of intervals.
    floors : list of Floor
        Those of the machine.
    cases : list of Case
    """

    kind: str
    version: int
    created: str
    quick: bool
    command: str
    seconds: float
    commit: Commit
    machine: Machine
    card: dict[str, str]
    settings: dict[str, int | float | str | bool]
    floors: list[Floor]
    cases: list[Case] = field(default_factory=list)


def to_json(report: SuiteReport) -> str:
    """Render the report as JSON."""
    return json.dumps(asdict(report), indent=1, allow_nan=False) + "\n"


def from_json(text: str) -> SuiteReport:
    """Read what :func:`to_json` wrote.

    Raises
    ------
    ConfigError
        If it is no report, of another version, or a field is missing, unknown or of the wrong type.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"The benchmark report is not JSON: {error}.") from error
    kind = plain.get("kind") if isinstance(plain, dict) else None
    if kind != KIND:
        raise ConfigError(f"This is no report of 'gpurun bench': its kind is {kind!r}.")
    if plain.get("version") != VERSION:
        raise ConfigError(
            f"The benchmark report has version {plain.get('version')!r}, this gpurun reads version "
            f"{VERSION}. Measure again, or use the gpurun that wrote it."
        )
    return build(SuiteReport, plain, "report")
