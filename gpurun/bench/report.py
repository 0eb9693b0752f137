"""Reports as files and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from gpurun.bench import stats
from gpurun.bench.schema import Report, from_json, to_json
from gpurun.errors import ConfigError

#: Under this key a file on what ran on a card holds the reports of cases.
NESTED = "benchmarks"

_PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def write(report: Report, directory: Path) -> Path:
    """Store `report` under a name made of case, time and commit; returns the path."""
    directory.mkdir(parents=True, exist_ok=True)
    stamp = report.created.replace(":", "").replace("-", "").removesuffix("+0000")
    revision = report.commit.revision[:8] + ("-modified" if report.commit.modified else "")
    path = directory / f"{report.case}-{stamp}-{revision}.json"
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


def quantity(value: float, unit: str) -> str:
    """`value` with three significant digits and a fitting prefix, e.g. ``"1.25 ms"``."""
    if unit == "B":
        return f"{value / 2**20:.1f} MiB"
    size = abs(value)
    scale, name = next((p for p in _PREFIXES if size >= p[0]), _PREFIXES[-1])
    return f"{_digits(value / scale)} {name}"


def _digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0:
        return "0"
    before_point = max(1, math.floor(math.log10(abs(value))) + 1) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - before_point)}f}"


def interval(value: float, low: float, high: float, unit: str) -> str:
    """``"value [low, high]"``."""
    return f"{quantity(value, unit)} [{quantity(low, unit)}, {quantity(high, unit)}]"


def markdown(report: Report) -> str:
    """Render the report: where, ratios, verdicts, and one table per group."""
    parts = [_where(report)]
    if report.comparisons:
        rows = [
            (c.name, f"{_digits(c.value)} [{_digits(c.low)}, {_digits(c.high)}]")
            for c in report.comparisons
        ]
        parts.append(_table(("Ratio of medians", "Value [95 % interval]"), rows))
    if report.checks:
        rows = [(c.name, "yes" if c.passed else "**no**", c.detail) for c in report.checks]
        parts.append(_table(("Claim", "Holds", "Numbers"), rows))
    for group in dict.fromkeys(one.group for one in report.series):
        parts.append(f"**{group}**\n\n" + _group_table(report, group))
    return "\n\n".join(parts) + "\n"


def _where(report: Report) -> str:
    machine, commit = report.machine, report.commit
    quiet = "quiet" if machine.quiet else "**not quiet**"
    changes = " with uncommitted changes" if commit.modified else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    parameters = ", ".join(f"{name} {value}" for name, value in report.parameters.items())
    trial = "A trial with few rounds, not to be quoted. " if report.quick else ""
    return (
        f"{trial}Measured {report.created} with `{report.command}` at commit "
        f"`{report.commit.revision[:12]}`{changes}, on {machine.processor} ({machine.cores} "
        f"cores, {machine.memory_bytes / 2**30:.0f} GiB), {machine.system}, "
        f"{machine.compiler}, {machine.python}, {versions}. The machine was {quiet} "
        f"(load {machine.load_per_core:g} per core at the start).\n\n"
        f"Parameters: {parameters}."
    )


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
    return _table(("Median [interval]", *contenders), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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
        begin, end = f"<!-- begin {case} -->\n", f"<!-- end {case} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ConfigError(
                f"The page has no lines {begin.strip()!r} and {end!r}: add them where the "
                "report belongs."
            )
        text = f"{head}{begin}\n{markdown(report)}\n{end}{tail}"
    return text
