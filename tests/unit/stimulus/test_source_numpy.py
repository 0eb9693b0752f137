"""NumPy's files, sound and otherwise."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.numpy import NumpySource

IMAGES = np.random.default_rng(4).integers(0, 256, (6, 3, 2), np.uint8)
LABELS = np.arange(6)


def _npy(array: Any, **arguments: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), **arguments)
    return buffer.getvalue()


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


GOOD = _npy(IMAGES)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("numpy")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("dtype", ["?", "u1", ">i2", "<u8", ">f4", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_version_type_and_order_is_read(
    tmp_path: Path, version: Any, dtype: str, order: Any
) -> None:
    array = np.asarray(IMAGES % 3).astype(dtype, order=order)
    (tmp_path / "a.npy").write_bytes(_npy(array, version=version))
    images, _ = NumpySource(tmp_path / "a.npy").read([4, 4, 1])
    assert np.array_equal(images, array[[4, 4, 1]])
    assert images.dtype == np.dtype(dtype).newbyteorder("=")


def test_npy_files_are_mapped_and_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((400, 100, 100), np.uint8))
    source = NumpySource(tmp_path / "a.npy")
    tracemalloc.start()
    try:
        images, _ = source.read(range(200))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert images.shape == (200, 100, 100) and len(pickle.dumps(source)) < 1000


@pytest.mark.parametrize(
    ("arrays", "options", "images", "labels"),
    [
        (["images", "labels"], {}, "images", "labels"),
        (["X", "Y"], {}, "X", "Y"),
        (["x_train", "y_train", "x_test", "y_test"], {}, "x_train", "y_train"),
        (["x_train", "y_train", "x_test", "y_test"], {"images": "x_test"}, "x_test", "y_test"),
        (["x_train", "y_train", "x_test"], {"images": "x_test"}, "x_test", None),
        (["train_images", "train_labels", "test_images"], {}, "train_images", "train_labels"),
        (["data", "target"], {}, "data", "target"),
        (["arr_0", "arr_1"], {}, "arr_0", "arr_1"),
        (["frames"], {}, "frames", None),
        (["frames", "labels"], {"images": "frames"}, "frames", "labels"),
        (["frames", "kinds"], {"images": "frames", "labels": "kinds"}, "frames", "kinds"),
        (["images", "labels"], {"labels": False}, "images", None),
        (["labels", "y", "images"], {"labels": "y"}, "images", "y"),
    ],
)
def test_names_in_npz_files_are_guessed(
    tmp_path: Path, arrays: list[str], options: Any, images: str, labels: str | None
) -> None:
    """Each array has another number in it."""
    (tmp_path / "a.npz").write_bytes(
        _npz(**{name: np.full((3, 1), n) for n, name in enumerate(arrays)})
    )
    source = NumpySource(tmp_path / "a.npz", **options)
    assert source.read([2])[0] == arrays.index(images)
    if labels is None:
        assert source.labels is None
    else:
        assert source.labels is not None and source.labels.tolist() == [arrays.index(labels)] * 3


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (_npz(a=IMAGES, b=IMAGES), {}, "which of 'a', 'b' are the images"),
        (_npz(images=IMAGES), {"images": "img"}, "no array 'img', only 'images'"),
        (_npz(images=IMAGES), {"labels": "y"}, "no array 'y', only nothing"),
        (_npz(images=IMAGES, labels=LABELS[:4]), {}, "6 images, but 4 labels"),
        (_npz(images=IMAGES, labels=IMAGES), {}, "one number for each image"),
        (_npz(images=np.array([{}])), {}, "Python objects"),
        (_npz(images=IMAGES)[:-30], {}, "cannot be read"),
        (b"PK\x03\x04", {}, "cannot be read"),
        (_npz(), {}, "which of nothing are the images"),
        (GOOD, {"images": "images"}, "has no name such as 'images'"),
        (GOOD[:-1], {}, "36 bytes, but 35 follow"),
        (GOOD + b"\0", {}, "36 bytes, but 37 follow"),
        (GOOD[:40], {}, "cannot be read as a NumPy array"),
        (b"\x93NUMPY\x03\x00" + GOOD[8:], {}, "cannot be read as a NumPy array"),
        (b"", {}, "cannot be read as a NumPy array"),
        (_npy(np.array([1, None]), allow_pickle=True), {}, "Python objects"),
        (_npy(np.zeros(3, "V0")), {}, "Python objects or nothing"),
        (_npy(np.zeros(3, "M8[s]")), {}, "real numbers"),
        (_npy(np.zeros(3, [("x", "i2")])), {}, "EventSource"),
        (_npy(3), {}, "a single number"),
        (_header("{'descr': 'u1', 'fortran_order': False, 'shape': (-1,)}"), {}, "no shape"),
        (_header("{'descr': 'u1', 'fortran_order': False, 'shape': (0, 2**70)}"), {}, "read"),
        (_header("{'descr': 'u1', 'fortran_order': False, 'shape': (0, 1" + 40 * "0" + ")}"), {},
         "too large"),
        (_header("{'descr': 'u1', 'fortran_order': False, 'shape': " + "(" * 500), {}, "read"),
    ],
)  # fmt: skip
def test_malformed_files_are_refused(
    tmp_path: Path, content: bytes, options: Any, message: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        NumpySource(path, **options)
    assert caught.value.fields["file"] == str(path)


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("unpickled")

    (tmp_path / "a.npy").write_bytes(_npy(np.array([1, None]), allow_pickle=True))
    np.savez(tmp_path / "a.npz", images=np.array([1, None]))
    monkeypatch.setattr(pickle, "load", refuse)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DatasetError, match="not loaded"):
            NumpySource(tmp_path / name)


def test_large_arrays_in_npz_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros((50, 2**20), np.uint8))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"array 'images': holds 524\d+ bytes .*limit of 10"):
            NumpySource(path, maximum_bytes=10 * 2**20)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_long_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = b"\x93NUMPY\x02\x00" + (20 * 2**20).to_bytes(4, "little")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header + b" " * (20 * 2**20))
    with pytest.raises(DatasetError, match="over the limit of 1000000"):
        NumpySource(tmp_path / "a.npz", maximum_bytes=10**6)


def test_an_array_is_as_long_as_its_own_header_says(tmp_path: Path) -> None:
    """Whatever the directory of the archive says."""
    path = tmp_path / "a.npz"
    header = _header("{'descr': 'u1', 'fortran_order': False, 'shape': (1000000000000,)}")
    for content, message in ((GOOD + b"\0", "more follow"), (GOOD[:-1], "35 follow"),
                             (header + b"\0", "1000000000000 bytes .*over the limit")):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", content)
        with pytest.raises(DatasetError, match=message):
            NumpySource(path)


def test_labels_of_a_npy_file_are_another_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    np.save(tmp_path / "y.npy", LABELS[:5])
    with pytest.raises(DatasetError, match="6 images, but 5 labels"):
        NumpySource(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    with pytest.raises(DatasetError, match="no such file"):
        NumpySource(tmp_path / "x.npy", labels=tmp_path / "z.npy")
    assert NumpySource(tmp_path / "x.npy", labels=False).labels is None


def _right_or_refused(path: Path, content: bytes) -> None:
    """What is read is what NumPy itself reads, if that reads it."""
    path.write_bytes(content)
    try:
        source = NumpySource(path, maximum_bytes=10**6)
        images, _ = source.read(range(source.count or 0))
    except DatasetError:
        return
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    expected = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
    assert images.tobytes() == expected.astype(expected.dtype.newbyteorder("=")).tobytes()


FUZZ: Any = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(
    kind=st.sampled_from([GOOD, _npz(images=IMAGES)]),
    bits=st.lists(st.integers(0, 8 * 150), max_size=3),
    cut=st.integers(0, 40),
)
def test_damaged_files_are_right_or_refused(
    scratch: Path, kind: bytes, bits: list[int], cut: int
) -> None:
    content = bytearray(kind)
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    _right_or_refused(scratch / "damaged", bytes(content[: len(content) - cut]))


@FUZZ
@given(st.sampled_from([b"", b"\x93NUMPY\x01\x00\x10\x00", b"PK\x03\x04"]), st.binary(max_size=60))
def test_random_files_are_right_or_refused(scratch: Path, start: bytes, content: bytes) -> None:
    _right_or_refused(scratch / "random", start + content)
