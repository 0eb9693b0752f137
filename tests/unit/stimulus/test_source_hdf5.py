"""HDF5 files are read in pieces, and opened when they are needed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.hdf5 import HDF5Source

IMAGES = np.random.default_rng(5).random((20, 3, 2))
LABELS = np.arange(20) % 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = IMAGES, LABELS
        file["test/x"], file["test/y"], file["test/words"] = -IMAGES, LABELS + 1, ["a"] * 20
        file["short"], file["number"], file["nothing"] = LABELS[:3], 3, h5py.Empty("f")
        file["big-endian"], file["flags"] = IMAGES.astype(">f4"), IMAGES > 0.5
        file["nowhere"] = h5py.SoftLink("/gone")
    return tmp_path / "a.h5"


def test_names_are_guessed_and_can_be_given(path: Path) -> None:
    assert np.array_equal(HDF5Source(path).read([5, 2, 2])[0], IMAGES[[5, 2, 2]])
    for name in ("test/x", "/test/x"):
        source = HDF5Source(path, name)
        images, labels = source.read([7, 0])
        assert np.array_equal(images, -IMAGES[[7, 0]]) and np.array_equal(
            labels, LABELS[[7, 0]] + 1
        )
    assert HDF5Source(path, labels=False).labels is None
    assert np.array_equal(HDF5Source(path, "images", "test/y").labels, LABELS + 1)
    assert HDF5Source(path, "flags", False).read([1, 0])[0].dtype == bool


def test_images_come_in_the_machines_byte_order(path: Path) -> None:
    source = HDF5Source(path, "big-endian")
    for indices in ([3, 4], [9, 1]):
        images, _ = source.read(indices)
        assert images.dtype == np.float32 == source.dtype and images.dtype.isnative
        assert np.array_equal(images, IMAGES[indices].astype(np.float32))


def test_the_file_is_open_from_the_first_read_to_close(path: Path) -> None:
    source = HDF5Source(path)
    assert source._file is None, "not opened before it is needed"
    source.read([1])
    opened: Any = source._file
    assert opened
    source.read([2, 1])
    assert source._file is opened, "opened once"
    source.close()
    source.close()
    assert not opened and source._file is None
    assert np.array_equal(source.read([3])[0], IMAGES[[3]])
    source.close()
    with h5py.File(path, "a") as file:
        file["more"] = 1  # nobody else has it open


def test_another_process_opens_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HDF5Source(path)
    source.read([1])
    parents = source._file
    own = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: own + 1)
    source.read([1])
    assert source._file is not parents
    assert parents, "the parent's is left alone"


def test_an_open_source_is_pickled_without_its_file(path: Path) -> None:
    source = HDF5Source(path, "test/x")
    source.read([1])
    again = pickle.loads(pickle.dumps(source))
    assert again._file is None and source._file is not None
    assert np.array_equal(again.read([4, 2])[0], -IMAGES[[4, 2]])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("missing",), "no dataset 'missing', only .*test/x"),
        (("test",), "no dataset 'test'"),
        (("nowhere",), "no dataset 'nowhere'"),
        (("nothing",), "no dataset 'nothing'"),
        (("number",), "a single number"),
        (("test/words",), "real numbers"),
        (("images", "short"), "20 images, but 3 labels"),
        (("images", "test/x"), "one number for each image"),
        (("images", "test/words"), "numbers or text"),
        (("images", "gone"), "no dataset 'gone'"),
    ],
)
def test_wrong_names_are_refused(path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        HDF5Source(path, *names)
    assert caught.value.fields["file"] == str(path)


def test_labels_that_would_not_fit_into_memory_are_refused(tmp_path: Path) -> None:
    """They are not written, so the file is small."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", (2**33, 2), "u1", chunks=(2**10, 2))
        file.create_dataset("labels", (2**33,), "u1", chunks=(2**10,))
    with pytest.raises(DatasetError, match="labels: holds 8589934592 bytes"):
        HDF5Source(tmp_path / "a.h5")
    source = HDF5Source(tmp_path / "a.h5", labels=False)
    assert source.read([2**33 - 1, 5])[0].tolist() == [[0, 0], [0, 0]]


def test_damaged_files_are_refused(path: Path) -> None:
    content = path.read_bytes()
    for damaged in (b"", content[:100], content[: len(content) // 2], b"\0" * len(content)):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match="cannot be read"):
            HDF5Source(path)
    with pytest.raises(DatasetError, match="no such file"):
        HDF5Source(path.with_name("b.h5"))


def test_damage_between_reads_is_reported(tmp_path: Path) -> None:
    """The checksum of a chunk is wrong: opening shows nothing of it."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("images", data=IMAGES, chunks=(5, 3, 2), fletcher32=True)
        chunk = data.id.get_chunk_info(0)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[chunk.byte_offset] ^= 1
    (tmp_path / "a.h5").write_bytes(content)
    source = HDF5Source(tmp_path / "a.h5")
    assert np.array_equal(source.read([19])[0], IMAGES[[19]])
    with pytest.raises(DatasetError, match="cannot be read"):
        source.read([0])
