"""The parts of a results file, each read when it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.errors import ResultsError
from gpurun.results_format import count_runs, run_key
from gpurun.results_lazy import LazyArray
from gpurun.results_store import Disk

#: Of an array's attributes, those that say what it holds.
DESCRIBING = ("units", "dimension", "long_name")


class Source:
    """What readers share of one file.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.disk = Disk(path)
        self._finished: dict[int, dict[str, Any]] = {}
        self._present: dict[int, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._arrays: dict[str, Any] = {}
        self.count = 0

    def refresh(self) -> None:
        """Look again how many runs there are, and at those that were not finished."""
        self._present.clear()
        self.count = count_runs(self.path)

    def facts(self, number: int) -> dict[str, Any]:
        """Facts of a run; those of one that is not finished are as of the last `refresh`."""
        found = self._finished.get(number) or self._present.get(number)
        if found is None:
            found = self._document(run_key(number))["attributes"]
            (self._finished if found["finished"] else self._present)[number] = found
        return found

    def table(self, key: str) -> dict[str, Any]:
        """Attributes of a table. They never change."""
        if key not in self._tables:
            self._tables[key] = self._document(key)["attributes"]
        return self._tables[key]

    def tables(self, folder: str) -> list[str]:
        """Paths of all tables of one kind."""
        place = self.path / folder
        return sorted(
            f"{folder}/{entry.name}" for entry in place.iterdir() if (entry / "zarr.json").is_file()
        )

    def _document(self, key: str) -> dict[str, Any]:
        try:
            return self.disk.read_json(f"{key}/zarr.json")
        except (OSError, ValueError) as error:
            raise self.damaged(key, error) from error

    def damaged(self, key: str, error: Exception) -> ResultsError:
        """The error for a part that cannot be read."""
        return ResultsError(
            f"'{key}' of '{self.path}' cannot be read: {error}.",
            path=str(self.path),
            reason="damaged",
        )

    def array(self, key: str, rows: int = 0) -> Any:
        """The zarr array at `key`, with at least `rows` rows."""
        import zarr

        array = self._arrays.get(key)
        if array is None or array.shape[0] < rows:
            try:
                array = zarr.open_array(str(self.path), path=key, mode="r")
            except (OSError, ValueError, KeyError) as error:
                raise self.damaged(key, error) from error
            self._arrays[key] = array
        if array.shape[0] < rows:
            raise self.damaged(key, ValueError(f"it has {array.shape[0]} rows instead of {rows}"))
        return array

    def present_rows(self, key: str) -> int:
        """Rows that the array at `key` has by now."""
        self._arrays.pop(key, None)
        return int(self.array(key).shape[0])

    def present(self, key: str) -> np.ndarray:
        """All that the array at `key` holds by now."""
        rows = self.present_rows(key)
        return self.read(key, rows, (slice(0, rows, 1),))

    def read(self, key: str, rows: int, selectors: tuple[Any, ...]) -> np.ndarray:
        """Elements of the array at `key`, which has at least `rows` rows."""
        array = self.array(key, rows)
        # To zarr a chunk that is missing is one without values
        for number in _chunks(selectors[0], array.chunks[0]) if array.size else ():
            name = "/".join(["c", str(number), *["0"] * (array.ndim - 1)])
            if not self.disk.exists(f"{key}/{name}"):
                raise self.damaged(key, FileNotFoundError(f"chunk {name} is missing"))
        try:
            if any(isinstance(selector, np.ndarray) for selector in selectors):
                return np.asarray(array.oindex[selectors])
            return np.asarray(array[selectors])
        # What codecs raise is theirs
        except Exception as error:
            raise self.damaged(key, error) from error

    def column(self, key: str, name: str, start: int, stop: int, **options: Any) -> LazyArray:
        """Rows of one column of the table at `key`."""
        place = f"{key}/{self.table(key)['columns'][name]}"
        array = self.array(place, stop)
        return LazyArray(
            partial(self.read, place, stop),
            start,
            stop,
            dtype=np.dtype(array.dtype),
            row_shape=tuple(array.shape[1:]),
            attributes={k: v for k, v in array.attrs.items() if k in DESCRIBING},
            **options,
        )


def _chunks(rows: Any, length: int) -> Iterable[int]:
    """Numbers of the chunks, `length` rows each, that hold the selected rows."""
    if isinstance(rows, slice):
        return (
            range(rows.start // length, -(-rows.stop // length)) if rows.stop > rows.start else ()
        )
    return np.unique(np.asarray(rows) // length).tolist()
