"""The whole state of a session, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from gpurun.model import digest_arrays
from gpurun.session import Session
from tests.backend import EXACT

State = Mapping[str, np.ndarray]

#: The place of the random number generators in a State.
STREAM = "(random stream)"


def state(session: Session) -> dict[str, np.ndarray]:
    """Every variable of the model, as it is stored, and the state of the random stream."""
    values = {v.name: session.read_raw(v.name) for v in session.model.manifest.variables}
    stream = session._instance.library.random_state()
    return {**values, STREAM: np.frombuffer(stream, np.uint8)}


def differing(one: State, other: State) -> list[str]:
    """Names of what is not the same in both, bit by bit if the backend can do that."""
    assert one.keys() == other.keys()
    return [name for name, value in one.items() if not same(value, other[name])]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are, too; without units."""
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if EXACT or one.dtype.kind != "f":
        return one.tobytes() == other.tobytes()
    scale = np.max(np.abs(one[np.isfinite(one)]), initial=0.0)
    return np.allclose(one, other, rtol=1e-9, atol=1e-12 * float(scale), equal_nan=True)


def assert_same(one: State, other: State, *, but: Collection[str] = ()) -> None:
    """Fail with the names that differ, and their values, unless the states are equal."""
    wrong = [name for name in differing(one, other) if name not in but]
    with np.printoptions(threshold=10):
        assert not wrong, "\n".join(f"{name}: {one[name]} != {other[name]}" for name in wrong)


def digest(values: State) -> str:
    """A short text that differs when the states do."""
    return digest_arrays(values)
