"""What a checkpoint file says about its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gpurun.state import SessionState


@dataclass(frozen=True)
class StoredVariable:
    """A variable as a file has it.

    Attributes
    ----------
    dtype : str
        As in the manifest (``"float64"``, ``"bool"``, ...).
    shape : tuple of int
        At the moment of saving.
    kind, unit, role : str
        As in the manifest; empty for a variable that it does not list.
    dimensions : tuple of float
        Exponents of the seven SI base units.
    """

    dtype: str
    shape: tuple[int, ...]
    kind: str = ""
    unit: str = ""
    role: str = ""
    dimensions: tuple[float, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of its elements."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class CheckpointHeader:
    """Everything in a checkpoint but the arrays.

    Attributes
    ----------
    path : str
    size : int
        Of the file, in bytes.
    format : int
        Version of the file format.
    gpurun, brian2, numpy : str
        Versions that wrote the file, and for brian2 that built the model.
    created : datetime
        With time zone.
    backend : str
        ``"cpu"`` or ``"cuda"``.
    model_digest : str
        `Model.digest`; another one after a rebuild or on another backend.
    identity : str
        Digest of the model's definition.
    t : float
        Model time in seconds.
    random_kind : str
        ``"mersenne"`` or ``"philox"``.
    extra : mapping
        Of whoever saved it.
    variables : mapping of str to StoredVariable
    spikes_in_flight : mapping of str to int
        Number of events in the queue of each pathway.
    clocks : mapping of str to float
        Time steps in seconds.
    constants : mapping of str to str
        External constants that are compiled into the model.
    overridden, timed_arrays : tuple of str
        Names of what overrides have changed.
    """

    path: str
    size: int
    format: int
    gpurun: str
    brian2: str
    numpy: str
    created: datetime
    backend: str
    model_digest: str
    identity: str
    t: float
    random_kind: str
    extra: Mapping[str, Any]
    variables: Mapping[str, StoredVariable]
    spikes_in_flight: Mapping[str, int]
    clocks: Mapping[str, float]
    constants: Mapping[str, str]
    overridden: tuple[str, ...]
    timed_arrays: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint that was read.

    Attributes
    ----------
    header : CheckpointHeader
    state : SessionState
    """

    header: CheckpointHeader
    state: SessionState
