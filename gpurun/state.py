"""What a session holds at one moment, apart from any backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class QueueContents:
    """Spikes in flight on one synaptic pathway.

    Attributes
    ----------
    steps : ndarray of int32
        Steps of the pathway's clock until each event arrives, at least 1, ascending.
    synapses : ndarray of int32
        The synapse of each event, in the order of delivery within a step.
    """

    steps: np.ndarray
    synapses: np.ndarray


@dataclass(frozen=True)
class RandomState:
    """The random stream.

    Attributes
    ----------
    kind : {"mersenne", "philox"}
        Which numbers the time loop draws.
    text : bytes
        The whole state, as ``gpurun_random_state`` gives it.
    """

    kind: str
    text: bytes


@dataclass(frozen=True, eq=False)
class SessionState:
    """A session's state in host memory, the same on every backend.

    Attributes
    ----------
    values : mapping of str to ndarray
        Every variable but static arrays, by name, as stored (matrices: a row per step). SI.
    queues : mapping of str to QueueContents
        By name of the pathway, such as ``"synapses_pre"``.
    event_spaces : mapping of str to ndarray
        Event spaces as the last step left them; empty before the first step.
    networks : mapping of str to (float, float)
        Model time in seconds, and what the exact sum of durations has beyond that number.
    random : RandomState
    t : float
        Model time in seconds.
    timed_arrays : mapping of str to ndarray
        Overridden TimedArrays that are in force, by name.
    overridden : tuple of str
        Variables that overrides have changed.
    identity : str
        Digest of the model's definition (`Manifest.identity`).
    extra : mapping
        Of whoever saves it; JSON can hold it.
    """

    values: Mapping[str, np.ndarray]
    queues: Mapping[str, QueueContents]
    event_spaces: Mapping[str, np.ndarray]
    networks: Mapping[str, tuple[float, float]]
    random: RandomState
    t: float
    timed_arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    overridden: tuple[str, ...] = ()
    identity: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
