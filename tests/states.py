"""The whole state of a session, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from gpurun.model import digest_arrays
from gpurun.session import Session

State = Mapping[str, np.ndarray]

#: The place of the random number generators in a State.
STREAM = "(random stream)"


def state(session: Session) -> dict[str, np.ndarray]:
    """Every variable of the model, as it is stored, and the state of the random stream."""
    values = {v.name: session.read_raw(v.name) for v in session.model.manifest.variables}
    stream = session._instance.library.random_state()
    return {**values, STREAM: np.frombuffer(stream, np.uint8)}


def differing(one: State, other: State) -> list[str]:
    """Names of what is not bit by bit the same in both."""
    assert one.keys() == other.keys()
    return [
        name
        for name, value in one.items()
        if value.dtype != other[name].dtype
        or value.shape != other[name].shape
        or value.tobytes() != other[name].tobytes()
    ]


def assert_same(one: State, other: State, *, but: Collection[str] = ()) -> None:
    """Fail with the names that differ, and their values, unless the states are equal."""
    wrong = [name for name in differing(one, other) if name not in but]
    with np.printoptions(threshold=10):
        assert not wrong, "\n".join(f"{name}: {one[name]} != {other[name]}" for name in wrong)


def digest(values: State) -> str:
    """A short text that differs when the states do."""
    return digest_arrays(values)
