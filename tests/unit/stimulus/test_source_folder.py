"""Folders of image files."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import Image

from gpurun.errors import DatasetError, NotSupportedError, StimulusError
from gpurun.stimulus.sources.folder import FolderSource

GREY = np.random.default_rng(6).integers(0, 256, (4, 6), np.uint8)


def _save(path: Path, pixels: np.ndarray = GREY, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, name in enumerate(
        ("dog/b.png", "cat/x/2.PNG", "dog/a.bmp", "cat/1.tif", "9/z.png")
    ):
        _save(tmp_path / name, np.full((2, 3), number, np.uint8))
    for name in ("cat/notes.txt", "dog/._a.png", ".hidden/a.png", "cat/.thumbs/1.png", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    source = FolderSource(tmp_path)
    assert source.classes == ("9", "cat", "dog")
    assert [Path(file).name for file in source.files] == [
        "z.png",
        "1.tif",
        "2.PNG",
        "a.bmp",
        "b.png",
    ]
    assert source.labels is not None and source.labels.tolist() == [0, 1, 1, 2, 2]
    images, labels = source.read([4, 1, 4])
    assert images[:, 0, 0].tolist() == [0, 3, 0] and labels is not None
    assert labels.tolist() == [2, 1, 2]


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    _save(tmp_path / "2.png")
    _save(tmp_path / "1.png", 255 - GREY)
    source = FolderSource(tmp_path)
    images, labels = source.read([0, 1])
    assert labels is None and source.classes == ()
    assert np.array_equal(images, [255 - GREY, GREY])


@pytest.mark.parametrize(
    ("mode", "dtype", "shape"),
    [
        ("L", "u1", (4, 6)),
        ("RGB", "u1", (4, 6, 3)),
        ("RGBA", "u1", (4, 6, 4)),
        ("1", "?", (4, 6)),
        ("I", "i4", (4, 6)),
        ("F", "f4", (4, 6)),
    ],
)
def test_modes_are_pillows(tmp_path: Path, mode: str, dtype: str, shape: tuple[int, ...]) -> None:
    _save(tmp_path / "a.png")
    source = FolderSource(tmp_path, mode=mode)
    images, _ = source.read([0])
    assert images.dtype == source.dtype == np.dtype(dtype) and source.shape == shape
    if mode != "1":
        first = images[0] if images.ndim == 3 else images[0, ..., 0]
        assert np.array_equal(first, GREY)


def test_colours_and_palettes_become_grey(tmp_path: Path) -> None:
    colours = np.stack([GREY, GREY, GREY], -1)
    _save(tmp_path / "a.png", colours)
    Image.fromarray(GREY).convert("P").save(tmp_path / "b.gif")
    images, _ = FolderSource(tmp_path).read([0, 1])
    assert np.array_equal(images, [GREY, GREY])


def test_deep_images_are_not_cut_to_eight_bits(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 200
    _save(tmp_path / "a.png", deep)
    with pytest.raises(DatasetError, match=r"more than 8 bits .*mode='I'"):
        FolderSource(tmp_path)
    assert np.array_equal(FolderSource(tmp_path, mode="I").read([0])[0][0], deep)
    assert np.array_equal(FolderSource(tmp_path, mode="F").read([0])[0][0], deep)


def test_sizes_are_equal_or_made_equal(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    other = _save(tmp_path / "b.png", np.full((8, 2), 7, np.uint8))
    source = FolderSource(tmp_path)
    assert source.read([0])[0].shape == (1, 4, 6)
    with pytest.raises(DatasetError, match=r"8 x 2 .*first image of 4 x 6.*shape=") as caught:
        source.read([0, 1])
    assert caught.value.fields["file"] == str(other)
    images, _ = FolderSource(tmp_path, (2, 3), resampling="box").read([0, 1])
    means = GREY.reshape(2, 2, 3, 2).mean(axis=(1, 3))
    assert np.abs(images[0] - means).max() <= 0.5 and (images[1] == 7).all()
    nearest, _ = FolderSource(tmp_path, (8, 12), resampling="nearest").read([0])
    assert np.array_equal(nearest[0], GREY.repeat(2, 0).repeat(2, 1))


def test_images_stand_as_the_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    _save(tmp_path / "a.png", exif=exif)
    source = FolderSource(tmp_path)
    assert source.shape == (6, 4)
    assert np.array_equal(source.read([0])[0][0], np.rot90(GREY, -1))


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tif", "gif", "webp"])
def test_damaged_images_are_named(tmp_path: Path, kind: str) -> None:
    _save(tmp_path / "a.png")
    path = _save(tmp_path / f"b.{kind}", np.tile(GREY, (8, 8)))
    whole = path.read_bytes()
    source = FolderSource(tmp_path, (4, 6))
    for content in (b"", b"no image", whole[:20], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="cannot be read as an image") as caught:
            source.read([0, 1])
        assert caught.value.fields["file"] == str(path)
    path.unlink()
    with pytest.raises(DatasetError, match="FileNotFoundError"):
        source.read([1])


@pytest.mark.parametrize("limit", [20, 10])
def test_decompression_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Over Pillow's limit it warns, and over twice that it raises."""
    _save(tmp_path / "a.png")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DatasetError, match=r"suspiciously large .*MAX_IMAGE_PIXELS"):
        FolderSource(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_where_pillow_only_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "a.png")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(DatasetError, match="6 x 4 pixels, the limit is 20"):
        FolderSource(tmp_path)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    assert FolderSource(tmp_path).count == 1


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read as a folder"):
        FolderSource(tmp_path / "missing")
    with pytest.raises(DatasetError, match="no images"):
        FolderSource(tmp_path)
    _save(tmp_path / "a/1.png")
    (tmp_path / "b").mkdir()
    with pytest.raises(DatasetError, match=r"each folder is a class, but no images .* in b"):
        FolderSource(tmp_path)
    _save(tmp_path / "2.png")
    with pytest.raises(DatasetError, match=r"2.png beside the folders"):
        FolderSource(tmp_path)


def test_extensions_can_be_given(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    _save(tmp_path / "b.scan", format="PNG")
    assert [Path(f).name for f in FolderSource(tmp_path, extensions=["SCAN"]).files] == ["b.scan"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "CMYK"),
        ("resampling", "smooth"),
        ("shape", 4),
        ("shape", (4, 0)),
        ("shape", (2.5, 1)),
    ],
)
def test_parameters_are_checked(tmp_path: Path, name: str, value: Any) -> None:
    _save(tmp_path / "a.png")
    with pytest.raises(StimulusError, match=name) as caught:
        FolderSource(tmp_path, **{name: value})
    assert caught.value.fields["name"] == name


def test_pillow_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(NotSupportedError, match="pip install pillow") as caught:
        FolderSource(tmp_path)
    assert caught.value.fields["what"] == "pillow"


def test_what_is_pickled_are_paths(tmp_path: Path) -> None:
    _save(tmp_path / "a/1.png", np.zeros((200, 200), np.uint8))
    pickled = pickle.dumps(FolderSource(tmp_path))
    assert len(pickled) < 2000
    assert pickle.loads(pickled).classes == ("a",)
