"""Brian's ``run_args``, in both of its forms, as overrides.

The list form (``"group.v=5"``, ``"group.v=file.dat"``) is what brian2 hands to
its program on the command line; file names are relative to the project directory
and the files hold raw values of the variable's dtype.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.errors import DtypeMismatchError, OverrideError, ShapeMismatchError
from gpurun.model import Manifest, VariableInfo
from gpurun.overrides import pairs, resolve

_WORDS = {"true": True, "True": True, "false": False, "False": False}


def as_overrides(manifest: Manifest, run_args: Any, directory: Path) -> list[tuple[Any, Any]]:
    """`run_args` as pairs of key and value.

    Parameters
    ----------
    manifest : Manifest
    run_args : mapping, list of str, list of pairs, or None
    directory : Path
        Project directory, for file names.

    Raises
    ------
    OverrideError
        An entry is not of the form ``name=value``, or its file cannot be used.
    """
    if run_args is None or isinstance(run_args, Mapping):
        return pairs(run_args)
    entries: list[tuple[Any, Any]] = []
    for entry in run_args:
        if not isinstance(entry, str):
            entries.extend(pairs([entry]))
            continue
        name, equals, text = entry.partition("=")
        if not equals or not name:
            raise OverrideError(
                f"run_args entries are 'group.variable=value', got {entry!r}.", name=entry
            )
        entries.append((name, _value(manifest, name, text, directory)))
    return entries


def _value(manifest: Manifest, name: str, text: str, directory: Path) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text) if not text.lstrip("+-").isdigit() else int(text)
    except ValueError:
        return _from_file(manifest, name, text, directory)


def _from_file(manifest: Manifest, name: str, text: str, directory: Path) -> np.ndarray:
    info = _info(manifest, name)
    path = directory / text
    if not path.is_file():
        raise DtypeMismatchError(
            f"'{name}' was given {text!r}, which is neither a number nor a file in {directory}.",
            name=name,
            expected="a number or a file name",
            got=text,
        )
    values = np.fromfile(path, dtype=info.numpy_dtype)
    if info.kind == "static":
        if values.size != int(np.prod(info.shape)):
            raise ShapeMismatchError(
                f"{path} holds {values.size} values, '{name}' has the shape {info.shape}.",
                name=name,
                expected=info.shape,
                got=values.shape,
            )
        return values.reshape(info.shape)
    return values


def _info(manifest: Manifest, name: str) -> VariableInfo:
    target = resolve(manifest, name, None)
    variable = manifest.timed_arrays.get(target.name, target.name)
    return next(info for info in manifest.variables if info.name == variable)


def keep_arrays(overrides: Iterable[tuple[Any, Any]], directory: Path) -> list[str]:
    """Write override arrays where brian2 keeps them, for whoever looks there.

    Parameters
    ----------
    overrides : pairs of key and value
    directory : Path
        The project directory.

    Returns
    -------
    list of str
        Names of files in its ``static_arrays`` folder. A name holds a digest of the content
        (brian2's scheme), so a file that exists is already right.
    """
    names = []
    for key, value in overrides:
        group = getattr(key, "group_name", None)
        if group is None or np.size(value) <= 1:
            continue
        array = np.ascontiguousarray(value, dtype=key.dtype)
        digest = md5(array.tobytes(), usedforsecurity=False).hexdigest()
        name = f"init_{group}_{key.name}_{digest}.dat"
        path = directory / "static_arrays" / name
        if not path.exists():
            array.tofile(path)
        names.append(name)
    return names
