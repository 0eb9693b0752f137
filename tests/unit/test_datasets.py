"""The digits shipped in the package: right shape, right content, damage is noticed."""

from __future__ import annotations

import gzip
import pickle
from importlib import resources

import numpy as np
import pytest

from gpurun import datasets
from gpurun.errors import DatasetError


def _text() -> str:
    packed = resources.files("gpurun.data").joinpath("digits.csv.gz").read_bytes()
    return gzip.decompress(packed).decode("ascii")


def test_shapes_types_and_ranges() -> None:
    data = datasets.digits()
    assert data.images.shape == (1797, 8, 8)
    assert data.images.dtype == np.uint8
    assert data.labels.shape == (1797,)
    assert data.labels.dtype == np.int64
    assert (data.images.min(), data.images.max()) == (0, 16)
    assert (data.labels.min(), data.labels.max()) == (0, 9)


def test_every_digit_is_well_represented() -> None:
    counts = np.bincount(datasets.digits().labels, minlength=10)
    assert counts.min() >= 170
    assert counts.max() <= 185


def test_pixels_and_labels_belong_together() -> None:
    """The first line of the file, read here by hand, is image 0, row by row."""
    numbers = [int(n) for n in _text().splitlines()[0].split(",")]
    data = datasets.digits()
    assert data.images[0].ravel().tolist() == numbers[:64]
    assert int(data.labels[0]) == numbers[64]


def test_images_are_upright() -> None:
    """A transposed or mirrored read would move the gap in the left half of a 3."""
    images, labels = datasets.digits()
    three = images[labels == 3].mean(axis=0)
    left, right = three[2:6, :3].sum(), three[2:6, 5:].sum()
    assert right > 1.5 * left


def test_arrays_belong_to_the_caller() -> None:
    first = datasets.digits()
    first.images[:] = 0
    first.labels[:] = 0
    second = datasets.digits()
    assert second.images.max() == 16
    assert second.labels.max() == 9


def test_digits_cannot_be_reassigned_and_pickles() -> None:
    data = datasets.digits()
    with pytest.raises(AttributeError):
        data.images = data.images  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(data))
    assert np.array_equal(again.images, data.images)


def _swap_first(text: str, old_line: str) -> str:
    lines = text.splitlines()
    lines[0] = old_line
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: gzip.compress(text.encode())[:-2000], "cannot be read"),
        (lambda text: text.encode(), "cannot be read"),
        (lambda text: _flip(gzip.compress(text.encode())), "cannot be read"),
        (lambda text: gzip.compress(text.replace("16", "x").encode()), "cannot be read"),
        (lambda text: gzip.compress(b""), "expected"),
        (lambda text: gzip.compress(text.encode().split(b"\n", 1)[1]), r"\(1796, 65\)"),
        (
            lambda text: gzip.compress(_swap_first(text, ",".join(["17"] * 64 + ["1"])).encode()),
            "0 to 17, expected 0 to 16",
        ),
        (
            lambda text: gzip.compress(_swap_first(text, ",".join(["1"] * 64 + ["10"])).encode()),
            "labels are",
        ),
    ],
    ids=["cut", "not gzip", "flipped byte", "letters", "empty", "a line short", "pixel", "label"],
)
def test_damage_is_named(damage, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        datasets._parse(damage(_text()))
    assert "digits.csv.gz" in str(caught.value)
    assert "Reinstall" in str(caught.value)


def _flip(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_FILE", "no-such-file.gz")
    with pytest.raises(DatasetError, match=r"no-such-file\.gz.*missing"):
        datasets.digits()


def test_source_and_licence_are_shipped() -> None:
    text = resources.files("gpurun.data").joinpath("DIGITS-LICENSE.txt").read_text("utf-8")
    for needed in ("Alpaydin", "Kaynak", "1998", "10.24432/C50P49", "CC BY 4.0"):
        assert needed in text
