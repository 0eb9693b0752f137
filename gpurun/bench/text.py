"""Numbers, tables and places as reports write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from gpurun.bench.machine import Commit, Machine
from gpurun.errors import ConfigError

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


class Measured(Protocol):
    """What all reports say about how they came about."""

    @property
    def created(self) -> str: ...  # noqa: D102
    @property
    def quick(self) -> bool: ...  # noqa: D102
    @property
    def command(self) -> str: ...  # noqa: D102
    @property
    def commit(self) -> Commit: ...  # noqa: D102
    @property
    def machine(self) -> Machine: ...  # noqa: D102


def stamp(report: Measured) -> str:
    """Time and commit as a part of a file's name."""
    time = report.created.replace(":", "").replace("-", "").removesuffix("+0000")
    return f"{time}-{report.commit.revision[:8]}{'-modified' if report.commit.modified else ''}"


def place(report: Measured) -> str:
    """Say when, with what and on which machine a report was made, in sentences."""
    machine, commit = report.machine, report.commit
    quiet = "quiet" if machine.quiet else "**not quiet**"
    changes = " with uncommitted changes" if commit.modified else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    trial = "A trial with few rounds, not to be quoted. " if report.quick else ""
    return (
        f"{trial}Measured {report.created} with `{report.command}` at commit "
        f"`{commit.revision[:12]}`{changes}, on {machine.processor} ({machine.cores} "
        f"cores, {machine.memory_bytes / 2**30:.0f} GiB), {machine.system}, "
        f"{machine.compiler}, {machine.python}, {versions}. The machine was {quiet} "
        f"(load {machine.load_per_core:g} per core at the start)."
    )


def digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0:
        return "0"
    # 9.996 is 10.0
    value = float(f"{value:.3g}") if abs(value) < 1000 else value
    before_point = max(1, math.floor(math.log10(abs(value))) + 1) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - before_point)}f}"


def quantity(value: float, unit: str) -> str:
    """`value` with three significant digits and a fitting prefix, e.g. ``"1.25 ms"``."""
    if unit == "B":
        return f"{value / 2**20:.1f} MiB" if abs(value) >= 2**17 else f"{value / 2**10:.1f} KiB"
    if unit.startswith("1/"):
        return f"{digits(value)} {unit}"
    size = abs(value)
    scale, prefix = next((p for p in _PREFIXES if size >= p[0]), _PREFIXES[-1])
    return f"{digits(value / scale)} {prefix}{unit}"


def interval(value: float, low: float, high: float, unit: str) -> str:
    """``"value [low, high]"``."""
    return f"{quantity(value, unit)} [{quantity(low, unit)}, {quantity(high, unit)}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def between(text: str, mark: str, content: str) -> str:
    """`text` with `content` between ``<!-- begin MARK -->`` and ``<!-- end MARK -->``.

    Raises
    ------
    ConfigError
        If the text has no such marks.
    """
    begin, end = f"<!-- begin {mark} -->\n", f"<!-- end {mark} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ConfigError(
            f"The page has no lines {begin.strip()!r} and {end!r}: add them where the "
            "report belongs."
        )
    return f"{head}{begin}\n{content}\n{end}{tail}"
