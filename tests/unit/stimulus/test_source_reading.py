"""Indices, and what every source does with them."""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gpurun.errors import DatasetError
from gpurun.stimulus.protocols import Source
from gpurun.stimulus.sources.arrays import ArraySource
from gpurun.stimulus.sources.dataset import DatasetSource
from gpurun.stimulus.sources.folder import FolderSource
from gpurun.stimulus.sources.hdf5 import HDF5Source
from gpurun.stimulus.sources.idx import IdxSource
from gpurun.stimulus.sources.numpy import NumpySource
from gpurun.stimulus.sources.reading import check_indices, consecutive, take
from tests.unit.stimulus.source_makers import Tensor, write_idx

COUNT = 12
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, 5, 4), np.uint8)
LABELS = np.arange(COUNT) // 5
KINDS = (
    *("array", "big-endian", "reversed", "tensor", "idx", "idx.gz", "npy", "fortran.npy", "npz"),
    *("hdf5", "chunked hdf5", "folder", "dataset"),
)


class Pairs:
    """A data set as PyTorch has them, without a list of labels."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        assert type(number) is int
        return IMAGES[number], int(LABELS[number])


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A source of each kind with the same images and labels."""
    folder: Path = tmp_path_factory.mktemp("sources")
    labels = write_idx(folder / "labels", LABELS.astype(np.uint8))
    np.save(folder / "images.npy", IMAGES)
    np.save(folder / "fortran.npy", np.asfortranarray(IMAGES))
    np.save(folder / "labels.npy", LABELS)
    np.savez_compressed(folder / "both.npz", images=IMAGES, labels=LABELS)
    with h5py.File(folder / "both.h5", "w") as file:
        file["images"], file["labels"] = IMAGES, LABELS
        file.create_dataset("train/x", data=IMAGES, chunks=(5, 5, 4), compression="gzip")
        file["train/y"] = LABELS.astype(">i2")
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        (folder / f"classes/{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"classes/{label}/{number:02}.png")
    made = (
        ArraySource(IMAGES, LABELS),
        ArraySource(IMAGES.astype(">f4"), LABELS.tolist()),
        ArraySource(IMAGES[::-1][::-1], LABELS),
        ArraySource(Tensor(IMAGES), Tensor(LABELS)),
        IdxSource(write_idx(folder / "images", IMAGES), labels),
        IdxSource(write_idx(folder / "images.gz", IMAGES, packed=True), labels),
        NumpySource(folder / "images.npy", labels=folder / "labels.npy"),
        NumpySource(folder / "fortran.npy", labels=folder / "labels.npy"),
        NumpySource(folder / "both.npz"),
        HDF5Source(folder / "both.h5"),
        HDF5Source(folder / "both.h5", "train/x"),
        FolderSource(folder / "classes"),
        DatasetSource(Pairs()),
    )
    return dict(zip(KINDS, made, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@given(indices=st.lists(st.integers(0, COUNT - 1), max_size=20))
def test_images_are_those_at_the_indices(
    sources: dict[str, Any], kind: str, indices: list[int]
) -> None:
    source = sources[kind]
    images, labels = source.read(np.array(indices, np.int64))
    assert np.array_equal(images, IMAGES[indices])
    assert np.array_equal(labels, LABELS[indices])
    assert images.dtype == source.dtype and images.dtype.isnative
    assert images.shape == (len(indices), *source.shape)


@pytest.mark.parametrize("kind", KINDS)
@given(start=st.integers(0, COUNT), length=st.integers(0, COUNT))
def test_pieces_are_those_of_the_whole(
    sources: dict[str, Any], kind: str, start: int, length: int
) -> None:
    images, labels = sources[kind].read(range(start, min(start + length, COUNT)))
    assert np.array_equal(images, IMAGES[start : start + length])
    assert np.array_equal(labels, LABELS[start : start + length])


@pytest.mark.parametrize("kind", KINDS)
def test_sources_are_what_streams_expect(sources: dict[str, Any], kind: str) -> None:
    source = sources[kind]
    assert isinstance(source, Source)
    assert (source.count, source.shape) == (COUNT, (5, 4))
    assert not source.sequential and not source.on_device
    if kind == "dataset":
        assert source.labels is None
    else:
        assert np.array_equal(source.labels, LABELS) and np.asarray(source.labels).dtype.isnative
    assert f"12 images of {source.dtype.name}, shape (5, 4), with labels" in repr(source)


@pytest.mark.parametrize("kind", KINDS)
def test_pickled_sources_read_the_same(sources: dict[str, Any], kind: str) -> None:
    source = sources[kind]
    source.read([3])
    again = pickle.loads(pickle.dumps(source))
    images, labels = again.read([7, 2])
    assert np.array_equal(images, IMAGES[[7, 2]]) and np.array_equal(labels, LABELS[[7, 2]])
    assert again.count == COUNT and again.dtype == source.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "indices",
    [
        *([-1], [0, COUNT], [2**40], [1.0], [True], ["1"], [[0, 1]], 3, None, [[0], [1, 2]]),
        *([2**70], np.array([2**64 - 1], np.uint64), np.array([0.5])),
    ],
)
def test_other_indices_are_refused(sources: dict[str, Any], kind: str, indices: Any) -> None:
    with pytest.raises(DatasetError, match=r"indices|no image"):
        sources[kind].read(indices)


def test_an_index_out_of_range_is_named() -> None:
    with pytest.raises(DatasetError, match=r"stack: there is no image 7. Indices lie in \[0, 5\)"):
        check_indices([1, 7], 5, what="stack")
    with pytest.raises(DatasetError, match="no image -2"):
        check_indices([1, -2], None, what="stack")
    assert check_indices([2**62], None, what="stack").tolist() == [2**62]


@given(st.lists(st.integers(0, 6), max_size=6))
def test_consecutive_indices_are_a_slice_and_others_are_none(indices: list[int]) -> None:
    piece = consecutive(np.array(indices, np.int64))
    follows = all(b - a == 1 for a, b in pairwise(indices))
    assert (piece is not None) == follows
    if piece is not None:
        assert list(range(7))[piece] == indices


def test_what_follows_one_another_is_not_copied() -> None:
    array = np.arange(20).reshape(5, 4)
    assert np.shares_memory(take(array, np.array([1, 2, 3])), array)
    assert not np.shares_memory(take(array, np.array([1, 3])), array)
