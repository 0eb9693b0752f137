"""The files of MNIST and its relatives, found by their usual names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gpurun.errors import DatasetError, StimulusError
from gpurun.stimulus.sources.files import MAXIMUM_BYTES
from gpurun.stimulus.sources.idx import IdxSource

_PARTS = {"train": ("train",), "test": ("t10k", "test")}
#: Where download tools put them.
_FOLDERS = (".", "raw", "MNIST/raw")


def mnist(
    directory: Any,
    part: str = "train",
    *,
    prefix: str = "",
    maximum_bytes: int = MAXIMUM_BYTES,
) -> IdxSource:
    """MNIST, Fashion-MNIST, KMNIST or EMNIST, as their authors pack them.

    Nothing is downloaded.

    Parameters
    ----------
    directory : path-like
        Folder with the files, or one with a folder ``raw`` or ``MNIST/raw`` that has them.
    part : str, optional
        ``"train"`` or ``"test"``.
    prefix : str, optional
        What names begin with, ``"emnist-digits-"`` for EMNIST.
    maximum_bytes : int, optional
        See `IdxSource`.

    Returns
    -------
    IdxSource
        Images of ``train-images-idx3-ubyte`` (``t10k-`` or ``test-`` for the test part) and
        labels of ``train-labels-idx1-ubyte`` beside it, with or without ``.gz``, with
        ``.idx3`` or ``-idx3``.

    Raises
    ------
    DatasetError
        They are not there, or damaged.
    StimulusError
        There is no such part.
    """
    if part not in _PARTS:
        raise StimulusError(f"part is 'train' or 'test', not {part!r}.", name="part")
    root = os.fspath(directory)
    for folder in _FOLDERS:
        images = _find(Path(root, folder), _names(part, prefix, "images-idx3"))
        if images is None:
            continue
        wanted = _names(part, prefix, "labels-idx1")
        labels = _find(images.parent, wanted)
        if labels is None:
            raise DatasetError(
                f"{images.parent}: has {images.name}, but none of {', '.join(wanted)}.",
                file=str(images.parent),
            )
        return IdxSource(images, labels, maximum_bytes=maximum_bytes)
    raise DatasetError(
        f"{root}: found none of {', '.join(_names(part, prefix, 'images-idx3'))}, neither there "
        f"nor in {' or '.join(_FOLDERS[1:])}. Download the data set and give the folder it is in.",
        file=root,
    )


def _names(part: str, prefix: str, kind: str) -> list[str]:
    what, axes = kind.split("-")
    return [
        f"{prefix}{begin}-{what}{mark}{axes}-ubyte{end}"
        for begin in _PARTS[part]
        for mark in "-."
        for end in ("", ".gz")
    ]


def _find(folder: Path, names: list[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def has_mnist(directory: Any, prefix: str = "") -> bool:
    """Whether `mnist` would find images of either part here."""
    root = os.fspath(directory)
    return any(
        _find(Path(root, folder), _names(part, prefix, "images-idx3"))
        for folder in _FOLDERS
        for part in _PARTS
    )
