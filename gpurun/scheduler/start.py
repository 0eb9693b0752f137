"""Where runs of a scheduler begin: the set-up, or a state that was saved or trained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.calls import as_list, variable_name
from gpurun.checkpoint import differences, other_model, read_checkpoint
from gpurun.errors import ConfigError, OverrideError
from gpurun.model import Model
from gpurun.overrides import Planner, resolve
from gpurun.session_state import CARRIED


def start_values(model: Model, start: Any, keep: Iterable[Any] | None) -> dict[str, np.ndarray]:
    """What every run begins with, instead of the set-up's values, by name.

    Parameters
    ----------
    model : Model
    start : None, path-like, session, or mapping
        A checkpoint; a session, for its present state; values by key.
    keep : iterable of keys or None
        Variables that are taken over. None: all of a mapping; of a checkpoint or a session
        those that its last run has carried.

    Raises
    ------
    ConfigError
        It cannot be told what is to be taken over.
    CheckpointError
        The file cannot be used, or is of another model.
    OverrideError
        And its subclasses: a key is not usable.
    """
    if start is None:
        return {}
    if isinstance(start, Mapping):
        return dict(_given(model, key, value) for key, value in start.items())
    names = None if keep is None else [_name(model, key) for key in as_list(keep, "keep")]
    if isinstance(start, str | os.PathLike):
        return _of_checkpoint(model, Path(start), names)
    if not hasattr(start, "read"):
        raise ConfigError(
            "start is a checkpoint's path, a session, or values by key, not "
            f"{type(start).__name__}.",
            name="start",
            value=type(start).__name__,
        )
    names = list(getattr(start, "carried", ())) if names is None else names
    if not names:
        raise _unknown("The session's last run carried nothing")
    return {name: start.read(name) for name in names}


def _name(model: Model, key: Any) -> str:
    target = resolve(model.manifest, key, model.resolver)
    name = variable_name(model, target)
    if target.selection is not None:
        raise OverrideError(
            f"'{name}' can only be taken over as a whole, not for a subgroup.", name=name
        )
    return name


def _given(model: Model, key: Any, value: Any) -> tuple[str, np.ndarray]:
    """A value as `Session.rebase` would take it: units, shape and type are checked now."""
    name = _name(model, key)

    def size(number: int) -> int:
        info = model.manifest.variables[number]
        frozen = model.data.frozen.get(info.name)
        return math.prod(info.shape) if frozen is None else frozen.size

    planner = Planner(model.manifest, model.index, size, model.resolver)
    planner.plan([(key, value)])
    return name, np.array(value.get() if hasattr(value, "get") else value)


def _of_checkpoint(model: Model, path: Path, names: list[str] | None) -> dict[str, np.ndarray]:
    checkpoint = read_checkpoint(path)
    if names is None:
        names = list(checkpoint.header.extra.get(CARRIED, ()))
        if not names:
            raise _unknown(f"The last run before the checkpoint {path} carried nothing")
    wrong = [
        d for d in differences(checkpoint, model.manifest) if d.name is None or d.name in names
    ]
    missing = [name for name in names if name not in checkpoint.state.values]
    if missing:
        raise ConfigError(
            f"The checkpoint {path} has no variable '{missing[0]}'.", name="keep", value=missing[0]
        )
    if any(d.name for d in wrong):
        raise other_model(checkpoint, wrong)
    return {name: checkpoint.state.values[name] for name in names}


def _unknown(what: str) -> ConfigError:
    return ConfigError(
        f"{what}, so that it is not known what runs are to begin with. Name it: "
        "keep=[syn.w, group.theta].",
        name="keep",
        value=None,
    )
