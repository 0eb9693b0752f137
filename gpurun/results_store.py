"""Files of a zarr store, written so that a kill at any moment leaves them readable.

zarr encodes, this module writes: every file is put beside its place and renamed into it, and
chunks are there before the length that counts them. Importing zarr takes most of a second, which
who writes no results need not wait for.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Ending of a file that is being written. A kill can leave some.
PARTIAL = ".partial"
#: The writer's own arrays have no end; how far a reader may read stands on disk.
_ENDLESS = 2**62


class Disk:
    """Writes files below one directory, each in one step.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsynced: set[Path] = set()

    def write(self, key: str, content: bytes) -> None:
        """Put `content` at `key`, replacing what is there."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{threading.get_ident():x}{PARTIAL}")
        try:
            with open(partial, "wb") as file:
                file.write(content)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        self._unsynced.add(path)

    def write_json(self, key: str, document: Mapping[str, Any]) -> None:
        """Put a JSON document at `key`."""
        self.write(key, json.dumps(document, indent=1).encode())

    def read_json(self, key: str) -> dict[str, Any]:
        """Read it back."""
        return json.loads((self.root / key).read_bytes())

    def exists(self, key: str) -> bool:
        """Whether there is a file at `key`."""
        return (self.root / key).is_file()

    def sync(self) -> None:
        """Wait until everything written so far would survive a power cut."""
        folders = {path.parent for path in self._unsynced}
        for path in [*sorted(self._unsynced), *sorted(folders)]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._unsynced.clear()

    def remove_partial(self) -> None:
        """Remove what a killed writer left half-written."""
        for path in self.root.rglob("*" + PARTIAL):
            path.unlink(missing_ok=True)


def group_document(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of a zarr group's ``zarr.json``."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}


class GrowingArray:
    """One zarr array that grows along its first dimension.

    `write` puts rows on disk, beyond the end if need be; `publish` moves the end. Memory holds
    one chunk that is not full.

    Parameters
    ----------
    disk : Disk
    key : str
        Path of the array in the store.
    document : mapping
        Its ``zarr.json``.
    """

    def __init__(self, disk: Disk, key: str, document: Mapping[str, Any]) -> None:
        self._disk = disk
        self._key = key
        import zarr
        from zarr.storage import MemoryStore, StorePath

        self._document = dict(document)
        self.length = int(document["shape"][0])
        self.chunk = int(document["chunk_grid"]["configuration"]["chunk_shape"][0])
        self._chunks: dict[str, Any] = {}
        endless = {**document, "shape": [_ENDLESS, *document["shape"][1:]]}
        # A chunk that is missing would be damage: also those are written that hold nothing new
        with zarr.config.set({"array.write_empty_chunks": True}):
            place = StorePath(MemoryStore(store_dict=self._chunks))
            self._array = zarr.Array.from_dict(place, endless)

    @classmethod
    def create(
        cls,
        disk: Disk,
        key: str,
        *,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        chunk: int,
        dimensions: Sequence[str],
        attributes: Mapping[str, Any],
    ) -> GrowingArray:
        """Make an array without rows. `shape` is that of one row.

        What a reader from elsewhere may see beyond the rows that were committed is nan in
        arrays of floating point, and else as unlikely as can be.
        """
        import zarr
        from zarr.codecs import ZstdCodec
        from zarr.storage import MemoryStore

        fill: Any = {"f": np.nan, "i": -1, "u": np.iinfo(dtype).max if dtype.kind == "u" else 0}
        made: dict[str, Any] = {}
        zarr.create_array(
            MemoryStore(store_dict=made),
            shape=(0, *shape),
            chunks=(chunk, *(max(1, n) for n in shape)),
            dtype=dtype,
            fill_value=fill.get(dtype.kind, 0),
            compressors=ZstdCodec(level=1, checksum=True),
            dimension_names=list(dimensions),
            attributes=dict(attributes),
        )
        document = json.loads(made["zarr.json"].to_bytes())
        disk.write_json(f"{key}/zarr.json", document)
        return cls(disk, key, document)

    @classmethod
    def open(cls, disk: Disk, key: str) -> GrowingArray:
        """The array that is at `key`."""
        return cls(disk, key, disk.read_json(f"{key}/zarr.json"))

    def write(self, start: int, rows: np.ndarray) -> None:
        """Put `rows` at `start`; chunks that are full leave the memory."""
        self._load(start // self.chunk)
        self._array[start : start + len(rows)] = rows
        last = (start + len(rows)) // self.chunk
        for name in sorted(self._chunks):
            self._disk.write(f"{self._key}/{name}", self._chunks[name].to_bytes())
        self._keep(last)

    def _keep(self, number: int) -> None:
        """Forget all chunks but one."""
        for name in list(self._chunks):
            if int(name.split("/")[1]) != number:
                del self._chunks[name]

    def _load(self, number: int) -> None:
        """Have the chunk that `write` goes on with in memory, and no other."""
        self._keep(number)
        name = "/".join(["c", str(number), *["0"] * (len(self._document["shape"]) - 1)])
        path = self._disk.root / self._key / name
        if name not in self._chunks and path.is_file():
            from zarr.core.buffer import default_buffer_prototype

            buffer = default_buffer_prototype().buffer
            self._chunks[name] = buffer.from_bytes(path.read_bytes())

    def publish(self, length: int) -> None:
        """Make the array `length` rows long for readers."""
        if length != self.length:
            self._document["shape"] = [length, *self._document["shape"][1:]]
            self._disk.write_json(f"{self._key}/zarr.json", self._document)
            self.length = length

    @property
    def dtype(self) -> np.dtype[Any]:
        """dtype of the elements."""
        return np.dtype(self._array.dtype)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self._array.shape[1:])

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows from disk."""
        import zarr

        array = zarr.open_array(str(self._disk.root), path=self._key, mode="r")
        return np.asarray(array[start:stop])
