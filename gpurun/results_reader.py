"""Reads results files, also while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpurun.errors import ResultsError
from gpurun.results_format import FORMAT, check_format, not_results
from gpurun.results_source import Source
from gpurun.results_views import MonitorTable, RunRecord, ValueTable, unknown


class Results:
    """A results file. ``results[0]`` is its first run, ``results["spikes"]`` a monitor of all.

    What it shows of a run that is under way is what was committed when the file was opened, or
    at the last `refresh`.

    Parameters
    ----------
    path : str or Path
        As it was given to `RunResult.save` or `ResultsWriter`.

    Raises
    ------
    ResultsError
        There is no such file, it is something else, or from a newer gpurun.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise ResultsError(
                f"There is no results file '{self.path}'.", path=str(path), reason="missing"
            )
        self._source = Source(self.path)
        if not self._source.disk.exists("zarr.json"):
            raise not_results(self.path)
        try:
            document = self._source.disk.read_json("zarr.json")
        except ValueError as error:
            raise self._source.damaged("zarr.json", error) from error
        check_format(self.path, document)
        self._created = document["attributes"]["created"]
        self.refresh()

    def refresh(self) -> Results:
        """Look at the file again; returns itself."""
        self._source.refresh()
        return self

    def __len__(self) -> int:
        return self._source.count

    def __iter__(self) -> Iterator[RunRecord]:
        return (self[number] for number in range(len(self)))

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Facts of each run: number, seed, overrides, device, wall time, model, and so on.

        Overrides are described by digest and shape, and single numbers by their value.
        ``finished`` is false for a run that is under way and for one that was killed.
        """
        return [self[number].facts for number in range(len(self))]

    @property
    def monitors(self) -> list[str]:
        """Names of all monitors in the file."""
        return self._names("monitors", "monitor")

    @property
    def variables(self) -> list[str]:
        """Names of all plain variables in the file."""
        return self._names("values", "variable")

    def _names(self, folder: str, label: str) -> list[str]:
        tables = (self._source.table(key) for key in self._source.tables(folder))
        return sorted({table[label] for table in tables})

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._over_runs(key)
        number = int(key) + (len(self) if key < 0 else 0)
        if not 0 <= number < len(self):
            raise IndexError(f"'{self.path}' has {len(self)} runs; there is no run {key}.")
        return RunRecord(self._source, number)

    def _over_runs(self, name: str) -> MonitorTable | ValueTable:
        for folder, label, kind in (
            ("monitors", "monitor", MonitorTable),
            ("values", "variable", ValueTable),
        ):
            keys = [k for k in self._source.tables(folder) if self._source.table(k)[label] == name]
            if len(keys) > 1:
                raise ResultsError(
                    f"'{name}' was not recorded in the same way in all runs of '{self.path}'. Use "
                    f"results[run]['{name}'].",
                    path=str(self.path),
                    reason="shape",
                )
            if keys:
                return kind(self._source, keys[0])
        raise unknown(name, [*self.monitors, *self.variables], "this file")

    def to_pandas(self) -> Any:
        """The table of runs as a DataFrame.

        Raises
        ------
        NotSupportedError
            pandas is not installed.
        """
        from gpurun.results_export import runs_to_pandas

        return runs_to_pandas(self.runs)

    def __repr__(self) -> str:
        shown = ", ".join([*self.monitors, *self.variables]) or "nothing"
        return f"<Results '{self.path}': {len(self)} runs of {shown}>"


def describe_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a results file holds, as plain data that JSON can hold.

    Returns
    -------
    dict
        ``path``, ``format``, ``bytes`` (on disk), ``created``, ``began`` and ``ended`` (of the
        first and last run), ``runs``, ``finished`` (numbers of runs), ``models`` (digests),
        ``gpurun`` and ``brian2`` (versions), ``monitors`` and ``values``: lists with name, kind
        or shape, number of runs, rows and columns with units.

    Raises
    ------
    ResultsError
    """
    results = Results(path)
    source = results._source
    runs = results.runs
    monitors = []
    for key in source.tables("monitors"):
        table = MonitorTable(source, key)
        facts = source.table(key)
        elements = table.elements
        monitors.append(
            {
                "name": facts["monitor"],
                "kind": facts["gpurun"],
                "source": facts["source"],
                "dt": facts["dt"],
                "runs": len(table.runs),
                "rows": len(table),
                "elements": None if elements is None else len(elements),
                "columns": {
                    name: {
                        "dtype": table[name].dtype.name,
                        "units": table[name].attributes.get("units"),
                    }
                    for name in table
                },
                "bytes": _bytes(source.path / key),
            }
        )
    values = []
    for key in source.tables("values"):
        found = ValueTable(source, key)
        values.append(
            {
                "name": found.name,
                "runs": len(found),
                "shape": list(found.values.shape[1:]),
                "dtype": found.values.dtype.name,
                "units": found.values.attributes.get("units"),
                "bytes": _bytes(source.path / key),
            }
        )

    def distinct(name: str) -> list[str]:
        return sorted({run[name] for run in runs if run.get(name)})

    return {
        "path": str(results.path),
        "format": FORMAT,
        "bytes": _bytes(results.path),
        "created": results._created,
        "began": runs[0]["began"] if runs else None,
        "ended": runs[-1].get("ended") if runs else None,
        "runs": len(runs),
        "finished": sum(run["finished"] for run in runs),
        "models": distinct("model_digest"),
        "gpurun": distinct("gpurun"),
        "brian2": distinct("brian2"),
        "monitors": monitors,
        "values": values,
    }


def _bytes(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:  # a writer has replaced it
                continue
    return total
