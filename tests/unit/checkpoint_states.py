"""States of a session that are made up, and what it means that two are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gpurun.state import QueueContents, RandomState, SessionState

#: A quiet and a signalling NaN with something in their payloads.
NANS = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000123], dtype=np.uint64).view(np.float64)


def state(**changes: Any) -> SessionState:
    """A state that fits `manifests.manifest()`, with something of every kind."""
    fields: dict[str, Any] = {
        "values": {
            "cells.v": np.array([-0.07, *NANS, -0.0]),
            # As C++ may leave them: what is not 0 is true
            "cells.on": np.array([0, 1, 2, 255], dtype=np.uint8).view(np.bool_),
            "cells.kind": np.arange(4, dtype=np.int32),
            "cells.small": np.array([1, 2, 3, np.inf], dtype=np.float32),
            "cells.shared": np.array([3.0]),
            "cells.i": np.arange(4, dtype=np.int32),
            "links.w": np.linspace(0, 1, 6),
            "links_pre.delay": np.full(6, 2e-3),
            "links_post.delay": np.array([0.0]),
            "defaultclock.t": np.array([0.3]),
            "seen.count": np.zeros(4, dtype=np.int32),
            "seen.t": np.empty(0),
            "hum._weight": np.array([1e-3]),
            **_spikes("gen"),
            **_spikes("beat"),
        },
        "queues": {
            "links_pre": QueueContents(
                np.array([1, 1, 20], dtype=np.int32), np.array([5, 0, 3], dtype=np.int32)
            ),
            "links_post": QueueContents(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)),
        },
        "event_spaces": {"cells._spikespace": np.array([2, 0, 0, 0, 1], dtype=np.int32)},
        "networks": {"network": (0.3, -1.1e-17)},
        "random": RandomState("mersenne", b"12 34\n\x00 5"),
        "t": 0.3,
        "timed_arrays": {"stim": np.arange(6.0).reshape(3, 2)},
        "overridden": ("links.w", "stim"),
        "identity": "",
        "extra": {"goal": 2.5, "words": ["ä", None, True]},
    }
    return SessionState(**{**fields, **changes})


def _spikes(name: str) -> dict[str, np.ndarray]:
    return {
        f"{name}.neuron_index": np.array([0, 3], dtype=np.int32),
        f"{name}.spike_time": np.array([1e-3, 2e-3]),
        f"{name}._timebins": np.array([10, 20], dtype=np.int32),
        f"{name}.spike_number": np.array([0, 1], dtype=np.int32),
        f"{name}._lastindex": np.array([1], dtype=np.int32),
    }


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """All that there is to compare: two NaNs are the same only if their payloads are."""
    return array.dtype.str, array.shape, array.tobytes()


def facts(one: SessionState) -> dict[str, Any]:
    """Everything in a state as values that ``==`` compares bit by bit."""

    def arrays(mapping: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {name: bits(array) for name, array in mapping.items()}

    return {
        "values": arrays(one.values),
        "queues": {
            name: (bits(queue.steps), bits(queue.synapses)) for name, queue in one.queues.items()
        },
        "event_spaces": arrays(one.event_spaces),
        "networks": {name: bits(np.array(pair)) for name, pair in one.networks.items()},
        "random": one.random,
        "t": bits(np.array(one.t)),
        "timed_arrays": arrays(one.timed_arrays),
        "overridden": one.overridden,
        "identity": one.identity,
        "extra": one.extra,
    }
