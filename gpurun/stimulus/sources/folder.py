"""Folders of image files, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.pillow import ImageReader, require_pillow
from gpurun.stimulus.sources.reading import StoredSource

EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pbm", ".pnm"),
)


class FolderSource(StoredSource):
    """Image files, read with Pillow when they are asked for.

    Each folder in the folder is a class: the first in the order of names has the label 0, and
    what lies in it, or in folders of its own, belongs to the class. A folder with images and no
    folders has no labels. Images are in the order of their paths. Names that begin with a dot
    are passed over.

    Parameters
    ----------
    path : path-like
    shape : (int, int), optional
        Height and width to which images are resized, whatever their proportions. If left out,
        all images need the size of the first.
    mode : str, optional
        What images are converted to, see `ImageReader`: ``"L"``, grey, ``uint8``, unless
        something else is said.
    resampling : str, optional
        How images are resized, by Pillow's names.
    extensions : iterable of str, optional
        Which files are images, in upper or lower case.

    Attributes
    ----------
    classes : tuple of str
        Names of classes; the label is the place in it.
    files : tuple of str
        Paths of images.

    Raises
    ------
    DatasetError
        There are no images, or a class has none. Reading raises it for a file that cannot be
        read, or is of another size.
    NotSupportedError
        Pillow is not installed.
    StimulusError
        A parameter is not usable.
    """

    def __init__(
        self,
        path: Any,
        shape: tuple[int, int] | None = None,
        mode: str = "L",
        *,
        resampling: str = "bilinear",
        extensions: Iterable[str] = EXTENSIONS,
    ) -> None:
        self._reader = ImageReader(mode, shape, resampling)
        require_pillow()
        root = os.path.abspath(os.fspath(path))
        endings = tuple("." + ending.lower().lstrip(".") for ending in extensions)
        here, folders = _listing(root)
        own = [file for file in here if file.lower().endswith(endings)]
        if own and folders:
            raise DatasetError(
                f"{root}: has images such as {os.path.basename(own[0])} beside the folders of the "
                "classes. Move them into a class, or give a folder that has images only.",
                file=root,
            )
        members = [(folder, _images_below(folder, endings)) for folder in folders]
        empty = [os.path.basename(folder) for folder, files in members if not files]
        if empty:
            raise DatasetError(
                f"{root}: each folder is a class, but no images ({' '.join(endings)}) are in "
                f"{', '.join(empty[:10])}. Remove what is no class, or give extensions.",
                file=root,
            )
        if not own and not members:
            raise DatasetError(f"{root}: no images ({' '.join(endings)}) are here.", file=root)
        self.classes = tuple(os.path.basename(folder) for folder, _ in members)
        self.files = tuple(own) or tuple(file for _, files in members for file in files)
        sizes = [len(files) for _, files in members]
        labels = np.repeat(np.arange(len(sizes)), sizes) if members else None
        first = self._reader.read(self.files[0])
        super().__init__(first.shape, first.dtype, len(self.files), labels, root)

    def _images(self, indices: np.ndarray) -> np.ndarray:
        images = np.empty((indices.size, *self.shape), self.dtype)
        seen: dict[int, int] = {}
        for place, number in enumerate(indices.tolist()):
            # Each file once, however often it is asked for
            where = seen.setdefault(number, place)
            images[place] = self._read(self.files[number]) if where == place else images[where]
        return images

    def _read(self, path: str) -> np.ndarray:
        image = self._reader.read(path)
        if image.shape != self.shape:
            raise DatasetError(
                f"{path}: is of {image.shape[0]} x {image.shape[1]} pixels (height x width), the "
                f"first image of {self.shape[0]} x {self.shape[1]}. Give shape=(height, width) to "
                "resize all of them.",
                file=path,
            )
        return image


def _listing(folder: str) -> tuple[list[str], list[str]]:
    """Paths of files and of folders, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            seen = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
            files = [entry.path for entry in seen if entry.is_file()]
            return files, [entry.path for entry in seen if entry.is_dir()]
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot be read as a folder of images ({error}).", file=folder
        ) from error


def _images_below(folder: str, endings: tuple[str, ...]) -> list[str]:
    found = []
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            os.path.join(at, name)
            for name in files
            if name.lower().endswith(endings) and not name.startswith(".")
        ]
    return sorted(found)
