"""The names under which files and data sets usually have images and labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gpurun.errors import DatasetError

_IMAGES = ("images", "image", "img", "x", "data", "pixel_values", "events")
_LABELS = ("labels", "label", "y", "targets", "target")


def image_name(
    names: Iterable[str], asked: str | None, *, what: str, file: str | None = None
) -> str:
    """The one of `names` that holds images: `asked`, or the one that looks like it.

    Raises
    ------
    DatasetError
        There is none.
    """
    there = list(names)
    if asked is not None:
        return _check(asked, there, what, file)
    candidates = [*_IMAGES, *(f"{n}_train" for n in _IMAGES), *(f"train_{n}" for n in _IMAGES)]
    found = _first([*candidates, "arr_0"], there)
    if found is None and len(there) == 1:
        found = there[0]
    if found is None:
        raise DatasetError(
            f"{what}: which of {_listed(there)} are the images? Say it with images=.", file=file
        )
    return found


def label_name(
    names: Iterable[str], images: str, asked: Any, *, what: str, file: str | None = None
) -> str | None:
    """The one of `names` with the labels of `images`; None if there are none.

    Parameters
    ----------
    names : iterable of str
    images : str
        ``"x_test"`` goes with ``"y_test"`` or ``"labels_test"``, and not with ``"y_train"``.
    asked : str, bool or None
        A name, False for no labels, None for what looks like it.
    what : str
        For messages.
    file : str, optional
        For the exception.

    Raises
    ------
    DatasetError
        There is no `asked`.
    """
    if asked is False:
        return None
    there = [name for name in names if name != images]
    if asked is not None:
        return _check(asked, there, what, file)
    if images == "arr_0":
        return _first(["arr_1"], there)
    for word in _IMAGES:
        parts = re.fullmatch(f"(.*[_/])?{word}(_.*)?", images, re.IGNORECASE)
        if parts:
            before, after = (part or "" for part in parts.groups())
            return _first([f"{before}{label}{after}" for label in _LABELS], there)
    return _first(list(_LABELS), there)


def _first(wanted: list[str], names: list[str]) -> str | None:
    """The first of `wanted` that is there, in whatever case."""
    spelled = {name.lower(): name for name in reversed(names)}
    return next((spelled[name.lower()] for name in wanted if name.lower() in spelled), None)


def _check(asked: Any, names: list[str], what: str, file: str | None) -> str:
    if not isinstance(asked, str) or asked not in names:
        raise DatasetError(
            f"{what}: there is no array {asked!r}, only {_listed(names)}.", file=file
        )
    return asked


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "nothing"
