"""Reports of the suite as files."""

from __future__ import annotations

import re
from pathlib import Path

from gpurun.bench.suite.schema import SuiteReport, from_json, to_json
from gpurun.bench.text import stamp
from gpurun.errors import ConfigError

#: Where a checkout keeps the reports that its documentation is made from.
FOLDER = Path("benchmarks", "results", "suite")

# Lists of numbers that `json` has put on a line each.
_NUMBERS = re.compile(r"\[\s*(-?\d[-+.\deE]*(?:,\s*-?\d[-+.\deE]*)*)\s*\]")


def write(report: SuiteReport, directory: Path) -> Path:
    """Store `report` under a name made of time and commit; returns the path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"bench-{stamp(report)}.json"
    # One line per measure, so that a report stays readable.
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", to_json(report))
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> SuiteReport:
    """Load a stored report.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no report of this version; the message names it.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def newest(directory: Path, *, card: bool | None = None) -> tuple[Path, SuiteReport] | None:
    """The latest report in `directory`, trials left out, and its path; None if there is none.

    Parameters
    ----------
    directory : Path
        It need not exist.
    card : bool, optional
        Only those measured with a card, or only those without one.
    """
    found: tuple[Path, SuiteReport] | None = None
    for path in sorted(directory.glob("*.json")):
        report = read(path)
        if report.quick or (card is not None and bool(report.card) != card):
            continue
        if found is None or found[1].created <= report.created:
            found = path, report
    return found
