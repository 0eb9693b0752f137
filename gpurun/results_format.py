"""What a results file says of itself, for its writer and its readers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.errors import ResultsError

FORMAT = "gpurun results"
FORMAT_VERSION = 1


def now() -> str:
    """The present time as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run_key(number: int) -> str:
    """Path of the group with the facts of one run."""
    return f"runs/{number}"


def not_results(path: Path) -> ResultsError:
    """The error for a path that holds something else."""
    return ResultsError(
        f"'{path}' is not a results file of gpurun.", path=str(path), reason="not_results"
    )


def check_format(path: Path, document: Mapping[str, Any]) -> None:
    """Raise ResultsError unless the root's ``zarr.json`` is that of a file that can be read."""
    facts = document.get("attributes", {})
    if facts.get("format") != FORMAT:
        raise not_results(path)
    if facts["version"] > FORMAT_VERSION:
        raise ResultsError(
            f"'{path}' has the format {facts['version']} of results files; this version of gpurun "
            f"knows {FORMAT_VERSION}. Use a newer one.",
            path=str(path),
            reason="newer_format",
        )


def count_runs(path: Path) -> int:
    """Number of runs in the file."""
    numbers = [int(entry.name) for entry in (path / "runs").iterdir() if entry.name.isdigit()]
    last = max(numbers, default=-1)
    # A kill may have come between the folder and its file
    while last >= 0 and not (path / run_key(last) / "zarr.json").is_file():
        last -= 1
    return last + 1


def plain(facts: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """`facts` of a run in the file at `path` as JSON can hold them; ResultsError if it cannot."""

    def convert(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, set | frozenset):
            return sorted(value)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        raise TypeError(f"a {type(value).__name__} cannot be stored as a fact of a run")

    try:
        return json.loads(json.dumps(dict(facts), default=convert))
    except (TypeError, ValueError) as error:
        raise ResultsError(
            f"Facts of a run are plain data: {error}.", path=str(path), reason="shape"
        ) from error
