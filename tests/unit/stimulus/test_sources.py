"""The right source for whatever holds images."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gpurun.datasets import digits
from gpurun.errors import DatasetError
from gpurun.stimulus.sources import source
from gpurun.stimulus.sources.arrays import ArraySource
from gpurun.stimulus.sources.dataset import DatasetSource
from gpurun.stimulus.sources.folder import FolderSource
from gpurun.stimulus.sources.hdf5 import HDF5Source
from gpurun.stimulus.sources.idx import IdxSource
from gpurun.stimulus.sources.iterable import IterableSource
from gpurun.stimulus.sources.numpy import NumpySource
from tests.unit.stimulus.source_makers import Tensor, write_idx

IMAGES = np.random.default_rng(10).integers(0, 256, (6, 4, 3), np.uint8)
LABELS = np.arange(6) % 4


def _check(made: Any, kind: type, labels: Any = LABELS) -> None:
    assert type(made) is kind
    images, read = made.read([5, 0, 2])
    assert np.array_equal(images, IMAGES[[5, 0, 2]])
    assert read is None if labels is None else np.array_equal(read, labels[[5, 0, 2]])


def test_arrays() -> None:
    for data in (IMAGES, Tensor(IMAGES), IMAGES.tolist(), list(IMAGES)):
        _check(source(data), ArraySource, None)
        _check(source(data, LABELS), ArraySource)
        _check(source((data, LABELS)), ArraySource)
        _check(source((data, LABELS.tolist())), ArraySource)
        _check(source({"images": data, "labels": LABELS, "more": 1}), ArraySource)
        _check(source({"a": data, "b": LABELS}, "b", images="a"), ArraySource)
        _check(source({"x": data}, LABELS), ArraySource)
    frame = pd.DataFrame(IMAGES.reshape(6, 12))
    assert source(frame).shape == (12,)


def test_the_digits_and_those_of_scikit_learn() -> None:
    images, labels = digits()
    made = source(digits())
    assert type(made) is ArraySource and made.shape == (8, 8)
    assert np.array_equal(made.labels, labels)
    from sklearn.datasets import load_digits

    assert np.array_equal(source(load_digits()).read(range(1797))[0], images)


def test_files_by_their_content(tmp_path: Path) -> None:
    """Names say nothing: none of these has its usual ending."""
    idx = write_idx(tmp_path / "a.jpg", IMAGES)
    packed = write_idx(tmp_path / "b.txt", IMAGES, packed=True)
    labels = write_idx(tmp_path / "c", LABELS.astype(np.uint8))
    npy, npy_labels, npz = tmp_path / "d", tmp_path / "e", tmp_path / "f"
    for path, array in ((npy, IMAGES), (npy_labels, LABELS)):
        with path.open("wb") as file:
            np.save(file, array)
    with npz.open("wb") as file:
        np.savez(file, x=IMAGES, y=LABELS, z=LABELS + 1)
    with h5py.File(tmp_path / "g", "w", userblock_size=512) as file:
        file["images"], file["labels"] = IMAGES, LABELS
    for path in (idx, str(packed)):
        _check(source(path), IdxSource, None)
        _check(source(path, labels), IdxSource)
        _check(source((path, labels)), IdxSource)
        _check(source(path, labels=str(labels), maximum_bytes=10**6), IdxSource)
    _check(source(npy), NumpySource, None)
    _check(source(npy, npy_labels), NumpySource)
    _check(source(npz), NumpySource)
    _check(source(npz, "z", images="x"), NumpySource, LABELS + 1)
    _check(source(tmp_path / "g"), HDF5Source)
    _check(source(tmp_path / "g", labels=False), HDF5Source, None)


def test_folders(tmp_path: Path) -> None:
    for number, image in enumerate(IMAGES):
        (tmp_path / f"images/{LABELS[number]}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"images/{LABELS[number]}/{number}.png")
    made = source(tmp_path / "images", mode="RGB")
    assert type(made) is FolderSource and made.shape == (4, 3, 3)
    (tmp_path / "raw").mkdir()
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"raw/{part}-images-idx3-ubyte", IMAGES)
        write_idx(tmp_path / f"raw/{part}-labels-idx1-ubyte", LABELS.astype(np.uint8))
    _check(source(tmp_path), IdxSource)
    _check(source(str(tmp_path), part="test"), IdxSource)
    with pytest.raises(DatasetError, match="found none of t10k"):
        source(tmp_path / "images", part="test")


def test_data_sets_and_iterables() -> None:
    pairs = list(zip(IMAGES, LABELS, strict=True))
    _check(source(pairs), DatasetSource)
    _check(source([(y, x) for x, y in pairs], image=1, label=0), DatasetSource)
    _check(source([{"image": x, "label": y} for x, y in pairs]), DatasetSource)
    _check(source([Image.fromarray(image) for image in IMAGES]), DatasetSource, None)
    _check(source(tuple(Image.fromarray(image) for image in IMAGES)), DatasetSource, None)
    two = source(tuple(Image.fromarray(image) for image in IMAGES[:2]))
    assert type(two) is DatasetSource and two.count == 2
    for data in (iter(pairs), lambda: iter(pairs), dict(enumerate(pairs)).values()):
        made = source(data)
        assert type(made) is IterableSource
        images, labels = made.read(range(6))
        assert np.array_equal(images, IMAGES) and np.array_equal(labels, LABELS)


def test_sources_are_given_back() -> None:
    for made in (ArraySource(IMAGES), IterableSource(list(IMAGES))):
        assert source(made) is made
        with pytest.raises(DatasetError, match="brings its own labels"):
            source(made, LABELS)
        with pytest.raises(DatasetError, match="a source already"):
            source(made, part="test")


@pytest.mark.parametrize("nothing", [None, 3, 2.5, object()])
def test_what_is_taken_is_listed(nothing: Any) -> None:
    with pytest.raises(DatasetError) as caught:
        source(nothing)
    for word in (type(nothing).__name__, "DLPack", ".npz", "MNIST", "Hugging Face", "iterable"):
        assert word in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.png"
    Image.fromarray(IMAGES[0]).save(path)
    with pytest.raises(DatasetError, match="begins with 89 50 4e 47") as caught:
        source(path)
    assert caught.value.fields["file"] == str(path)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="not an IDX"):
        source(path)
    path.write_bytes(gzip.compress(b"words"))
    with pytest.raises(DatasetError, match="no IDX file"):
        source(path)
    with pytest.raises(DatasetError, match="no such file"):
        source(tmp_path / "missing")


def test_labels_where_they_do_not_belong_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGES)
    with pytest.raises(DatasetError, match=r"labels of a file .*numpy.load"):
        source(tmp_path / "a.npy", LABELS)
    for data in ([(image, 1) for image in IMAGES], iter(IMAGES)):
        with pytest.raises(DatasetError, match="brings its own labels"):
            source(data, LABELS)
    with pytest.raises(DatasetError, match="brings its own labels"):
        source(tmp_path, LABELS)
    with pytest.raises(DatasetError, match="which of 'train', 'test' are the images"):
        source({"train": [], "test": []})
