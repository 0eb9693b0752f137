"""Reports as files and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path

from gpurun.bench import stats
from gpurun.bench.schema import Report, from_json, to_json
from gpurun.bench.text import between, digits, interval, place, quantity, stamp, table
from gpurun.errors import ConfigError

__all__ = [
    "markdown",
    "newest",
    "quantity",
    "read",
    "read_all",
    "render_page",
    "update_page",
    "write",
]

#: Under this key a file on what ran on a card holds the reports of cases.
NESTED = "benchmarks"


def write(report: Report, directory: Path) -> Path:
    """Store `report` under a name made of case, time and commit; returns the path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{report.case}-{stamp(report)}.json"
    path.write_text(to_json(report), encoding="utf-8")
    return path


def read(path: Path) -> Report:
    """Load a stored report of one case.

    Raises
    ------
    ConfigError
        If the file is no report of this version; the message names it.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_all(path: Path) -> list[Report]:
    """Load the reports of a file: its one, or those in a file on what ran on a card.

    Raises
    ------
    ConfigError
        If one of them is no report of this version; the message names the file.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        if isinstance(content, dict) and isinstance(nested := content.get(NESTED), list):
            return [from_json(json.dumps(one)) for one in nested]
        return [from_json(text)]
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def newest(directory: Path) -> dict[str, Report]:
    """Return the latest report of each case in `directory`, trials left out, by name."""
    found: dict[str, Report] = {}
    for report in (one for path in sorted(directory.glob("*.json")) for one in read_all(path)):
        known = found.get(report.case)
        if not report.quick and (known is None or known.created <= report.created):
            found[report.case] = report
    return found


def markdown(report: Report) -> str:
    """Render the report: where, ratios, verdicts, and one table per group."""
    parts = [_where(report)]
    if report.comparisons:
        rows = [
            (c.name, f"{digits(c.value)} [{digits(c.low)}, {digits(c.high)}]")
            for c in report.comparisons
        ]
        parts.append(table(("Ratio of medians", "Value [95 % interval]"), rows))
    if report.checks:
        rows = [(c.name, "yes" if c.passed else "**no**", c.detail) for c in report.checks]
        parts.append(table(("Claim", "Holds", "Numbers"), rows))
    for group in dict.fromkeys(one.group for one in report.series):
        parts.append(f"**{group}**\n\n" + _group_table(report, group))
    return "\n\n".join(parts) + "\n"


def _where(report: Report) -> str:
    parameters = ", ".join(f"{name} {value}" for name, value in report.parameters.items())
    return f"{place(report)}\n\nParameters: {parameters}."


def _group_table(report: Report, group: str) -> str:
    members = [one for one in report.series if one.group == group]
    contenders = list(dict.fromkeys(one.contender for one in members))
    rows = []
    for measure in dict.fromkeys(one.measure for one in members):
        cells = {}
        for one in members:
            if one.measure == measure:
                found = stats.median_interval(one.values)
                cells[one.contender] = interval(found.value, found.low, found.high, one.unit)
        rows.append((measure, *(cells.get(name, "") for name in contenders)))
    return table(("Median [interval]", *contenders), rows)


def update_page(page: Path, directory: Path) -> bool:
    """Put the newest report of each case between its marks in `page`.

    A mark is a pair of lines ``<!-- begin CASE -->`` and ``<!-- end CASE -->``.

    Returns
    -------
    bool
        Whether the page changed.

    Raises
    ------
    ConfigError
        If the page has no marks for a case.
    """
    before = page.read_text(encoding="utf-8")
    after = render_page(before, newest(directory))
    page.write_text(after, encoding="utf-8")
    return after != before


def render_page(text: str, reports: dict[str, Report]) -> str:
    """`text` with the reports between their marks."""
    for case, report in reports.items():
        text = between(text, case, markdown(report))
    return text
