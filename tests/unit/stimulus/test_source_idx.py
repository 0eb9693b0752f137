"""IDX files: every type and rank, and every way in which they can be wrong."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.idx import IdxSource, read_idx
from tests.unit.stimulus.source_makers import IDX_CODES, idx_bytes, write_idx

IMAGES = np.random.default_rng(3).integers(0, 256, (6, 3, 2), np.uint8)
GOOD = idx_bytes(IMAGES)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("packed", [False, True])
@given(
    dtype=st.sampled_from(sorted(IDX_CODES)),
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_every_type_and_rank_is_read(
    scratch: Path, packed: bool, dtype: str, shape: list[int], seed: int
) -> None:
    raw = np.random.default_rng(seed).integers(-128, 128, shape)
    array = raw.astype(dtype)
    source = IdxSource(write_idx(scratch / "any", array, packed=packed))
    assert (source.count, source.shape) == (shape[0], tuple(shape[1:]))
    assert source.dtype == np.dtype(dtype) and source.dtype.isnative
    images, labels = source.read(np.arange(shape[0]))
    assert np.array_equal(images, array) and images.dtype == array.dtype and labels is None


def test_plain_files_are_mapped_and_not_read(tmp_path: Path) -> None:
    source = IdxSource(write_idx(tmp_path / "images", np.zeros((400, 100, 100), np.uint8)))
    tracemalloc.start()
    try:
        images, _ = source.read(range(200))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert images.shape == (200, 100, 100) and not images.flags.writeable


def test_what_is_pickled_are_the_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "images", np.zeros((50, 30, 30), np.uint8), packed=True)
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(IdxSource("images", maximum_bytes=10**6))
    monkeypatch.chdir("/")
    assert len(pickled) < 1000
    assert pickle.loads(pickled).read([3])[0].shape == (1, 30, 30)


def _with(position: int, value: int) -> bytes:
    return GOOD[:position] + bytes([value]) + GOOD[position + 1 :]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with two zero bytes, this with nothing"),
        (b"\0\0\x08", "no IDX file"),
        (_with(0, 1), "this with 01 00 08 03"),
        (_with(1, 1), "this with 00 01 08 03"),
        (_with(2, 0x0A), "no type of elements 0x0a"),
        (_with(3, 0), "without axes"),
        (GOOD[:13], "ends within its header, which should have 16 bytes"),
        (GOOD[:-1], "has 36 bytes, but 35 follow"),
        (GOOD[:16], "has 36 bytes, but 0 follow"),
        (GOOD + b"\0", r"has 36 bytes, but (37|more) follow"),
        (struct.pack(">4B65I", 0, 0, 8, 65, 0, *[1] * 64), "too large"),
        (struct.pack(">4B4I", 0, 0, 8, 4, 0, *[2**32 - 1] * 3), "too large"),
    ],
)
def test_malformed_files_are_refused(
    tmp_path: Path, packed: bool, content: bytes, message: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DatasetError, match=message) as caught:
        IdxSource(path)
    assert caught.value.fields["file"] == str(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_many_axes_is_not_opened_in_vain(tmp_path: Path, packed: bool) -> None:
    """An axis of no length makes an empty array, however long the others are."""
    content = struct.pack(">4B3I", 0, 0, 0x0E, 3, 0, 2**20, 2**10)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert IdxSource(path).read([])[0].shape == (0, 2**20, 2**10)


def test_damaged_gzip_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    packed = gzip.compress(GOOD)
    wrong_sum = bytearray(packed)
    wrong_sum[-8] ^= 1
    for content in (packed[:-9], packed[:-1], packed[:5], bytes(wrong_sum), packed + b"tail"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="cannot be decompressed"):
            IdxSource(path)


def test_a_promise_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    content = struct.pack(">4B3I", 0, 0, 8, 3, 2**20, 2**10, 2**10)
    path.write_bytes(gzip.compress(content + bytes(10**6)))
    with pytest.raises(DatasetError, match=r"1099511627776 bytes.*limit of 4294967296"):
        IdxSource(path)
    small = write_idx(tmp_path / "small.gz", IMAGES, packed=True)
    with pytest.raises(DatasetError, match=r"36 bytes .*limit of 35.*maximum_bytes"):
        IdxSource(small, maximum_bytes=35)
    assert IdxSource(small, maximum_bytes=36).count == 6
    plain = write_idx(tmp_path / "plain", IMAGES)
    assert IdxSource(plain, maximum_bytes=1).count == 6, "nothing is decompressed"


def test_no_more_is_decompressed_than_the_header_says(tmp_path: Path) -> None:
    """50 MB of zeros follow the elements, in 50 kB."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(50 * 2**20), 9))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="but more follow"):
            IdxSource(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_memory_is_not_taken_for_what_cannot_be_there(tmp_path: Path) -> None:
    path = tmp_path / "hollow.gz"
    path.write_bytes(gzip.compress(struct.pack(">4B2I", 0, 0, 8, 2, 2**10, 2**20)))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="cannot hold the 1073741824"):
            IdxSource(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_the_most_that_gzip_compresses_is_believed(tmp_path: Path) -> None:
    zeros = np.zeros((4, 10**6), np.uint8)
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        file.write(idx_bytes(zeros))
    (tmp_path / "zeros.gz").write_bytes(buffer.getvalue())
    assert len(buffer.getvalue()) * 1000 < 4 * 10**6
    assert not read_idx(tmp_path / "zeros.gz").any()


def test_labels_have_to_fit(tmp_path: Path) -> None:
    images = write_idx(tmp_path / "images", IMAGES)
    labels = write_idx(tmp_path / "labels", np.arange(6, dtype=np.int32), packed=True)
    source = IdxSource(images, labels)
    assert source.labels is not None and source.labels.tolist() == list(range(6))
    write_idx(labels, np.arange(5, dtype=np.uint8))
    with pytest.raises(DatasetError, match="6 images, but 5 labels") as caught:
        IdxSource(images, labels)
    assert caught.value.fields["file"] == str(labels)
    with pytest.raises(DatasetError, match="one number for each image"):
        IdxSource(images, images)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        IdxSource(tmp_path / "missing")
    with pytest.raises(DatasetError, match="not a file"):
        IdxSource(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="not a file"):
        IdxSource(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="cannot be opened"):
        IdxSource("a\0b")


def _right_or_refused(path: Path, content: bytes) -> None:
    """Whatever is read has to be what the header says, element by element."""
    path.write_bytes(content)
    try:
        array = read_idx(path, maximum_bytes=10**6)
    except DatasetError:
        return
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    assert idx_bytes(array.astype(array.dtype.newbyteorder("="))) == content


FUZZ: Any = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(content=st.binary(max_size=80), start=st.sampled_from([b"", b"\0\0", b"\0\0\x08\x01"]))
def test_random_files_are_right_or_refused(scratch: Path, content: bytes, start: bytes) -> None:
    _right_or_refused(scratch / "random", start + content)


@FUZZ
@given(
    packed=st.booleans(),
    bits=st.lists(st.integers(0, 8 * 40 - 1), max_size=3),
    cut=st.integers(0, 70),
)
def test_damaged_files_are_right_or_refused(
    scratch: Path, packed: bool, bits: list[int], cut: int
) -> None:
    content = bytearray(gzip.compress(GOOD, mtime=0) if packed else GOOD)
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    _right_or_refused(scratch / "damaged", bytes(content[: len(content) - cut]))


@FUZZ
@given(
    st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 3), max_size=6), st.sampled_from("\x08\x0e")
)
def test_random_headers_are_right_or_refused(scratch: Path, axes: list[int], code: str) -> None:
    header = struct.pack(f">4B{len(axes)}I", 0, 0, ord(code), len(axes), *axes)
    _right_or_refused(scratch / "header", header + bytes(24))
    _right_or_refused(scratch / "header", gzip.compress(header + bytes(24), 1))
