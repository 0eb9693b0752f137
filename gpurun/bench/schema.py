"""The report of a case and its JSON form. Raw values are kept; summaries are computed.

A change of meaning or shape raises :data:`VERSION`; a report of another version is
refused instead of being misread.
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from gpurun.bench.machine import Commit, Machine
from gpurun.errors import ConfigError

VERSION = 1


@dataclass(frozen=True)
class Series:
    """All values that one contender gave for one measure.

    Attributes
    ----------
    group : str
        The part of the case, for example one way of using a model.
    contender, measure : str
        Whose values, and of what.
    unit : str
        ``"s"`` or ``"B"``.
    values : list of float
        In the order they were measured.
    """

    group: str
    contender: str
    measure: str
    unit: str
    values: list[float]


@dataclass(frozen=True)
class Check:
    """Something that the case found to hold or not, from the data.

    Attributes
    ----------
    name : str
        The claim, in words.
    passed : bool
        Whether the data bear it out.
    detail : str
        The numbers behind it.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Comparison:
    """A ratio of medians worth quoting: `slow` over `fast`.

    Attributes
    ----------
    name : str
        What is compared, in words.
    value, low, high, level : float
        The ratio, its interval, and the coverage of that.
    """

    name: str
    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Report:
    """Everything one run of one case found.

    Attributes
    ----------
    version : int
        :data:`VERSION` when it was written.
    case, title : str
        The file name of the case without suffix, and its title.
    created : str
        UTC, ISO 8601 to the second.
    quick : bool
        Whether it was a trial with few rounds, not to be quoted.
    command : str
        What was typed.
    commit : Commit
    machine : Machine
    parameters : dict of str to (int, float, str or bool)
        Sizes and options of the case.
    series : list of Series
    comparisons : list of Comparison
    checks : list of Check
    """

    version: int
    case: str
    title: str
    created: str
    quick: bool
    command: str
    commit: Commit
    machine: Machine
    parameters: dict[str, int | float | str | bool]
    series: list[Series]
    comparisons: list[Comparison]
    checks: list[Check]

    def values(self, group: str, contender: str, measure: str) -> list[float]:
        """Return the values of one series.

        Raises
        ------
        ConfigError
            If the report has no such series.
        """
        for one in self.series:
            if (one.group, one.contender, one.measure) == (group, contender, measure):
                return one.values
        raise ConfigError(f"The report has no series {group!r}, {contender!r}, {measure!r}.")


def to_json(report: Report) -> str:
    """Render the report as JSON, with one line per series so that files stay readable."""
    plain = asdict(report)
    series = plain.pop("series")
    text = json.dumps(plain, indent=1)
    lines = ",\n  ".join(json.dumps(one) for one in series)
    return f'{text[:-2]},\n "series": [\n  {lines}\n ]\n}}\n'


def from_json(text: str) -> Report:
    """Read what :func:`to_json` wrote.

    Raises
    ------
    ConfigError
        If it is no report, of another version, or a field is missing, unknown or of
        the wrong type.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"The benchmark report is not JSON: {error}.") from error
    version = plain.get("version") if isinstance(plain, dict) else None
    if version != VERSION:
        raise ConfigError(
            f"The benchmark report has version {version!r}, this gpurun reads version {VERSION}. "
            "Measure again, or use the gpurun that wrote it."
        )
    return build(Report, plain, "report")


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` as an instance of the annotated type `kind`, checked all the way down."""
    if is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and isinstance(value, list):
        return [build(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {str(key): build(arguments[1], v, f"{where}.{key}") for key, v in value.items()}
    if origin is types.UnionType:
        if type(value) in arguments:
            return value
    elif kind is float and type(value) in (int, float):
        return float(value)
    elif type(value) is kind:
        return value
    raise ConfigError(f"{where} of the benchmark report: expected {kind}, got {value!r:.60}.")


def _build_dataclass(kind: type, value: Any, where: str) -> Any:
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict) or value.keys() != names:
        got = sorted(value) if isinstance(value, dict) else repr(value)
        raise ConfigError(
            f"{where} of the benchmark report: expected the fields {sorted(names)}, got {got}."
        )
    hints = typing.get_type_hints(kind)
    return kind(**{name: build(hints[name], value[name], f"{where}.{name}") for name in names})
