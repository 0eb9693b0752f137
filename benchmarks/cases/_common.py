"""What the cases share: connectivity drawn by NumPy, and objects by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.int32], NDArray[np.int32]]


def by_name(*objects: Any) -> dict[str, Any]:
    """Objects of Brian by their names."""
    return {one.name: one for one in objects}


def random_pairs(
    generator: np.random.Generator,
    sources: int,
    targets: int,
    probability: float,
    *,
    apart: bool = False,
) -> Pairs:
    """Connect every pair with the same probability.

    Parameters
    ----------
    generator : numpy.random.Generator
    sources, targets : int
    probability : float
        Above 0, at most 1.
    apart : bool
        Sources and targets are the same neurons, and none is connected to itself.

    Returns
    -------
    i, j : numpy.ndarray
        Source and target of every synapse, ``int32``, ordered by source and then by target.
    """
    total = sources * targets
    expected = total * probability
    # Positions in the table of all pairs, by what lies between two synapses: no work for those
    # pairs that are not connected. Drawn once more in the rare case that they do not reach the end.
    draws = int(expected + 6 * np.sqrt(expected)) + 10
    positions = np.cumsum(generator.geometric(probability, draws)) - 1
    while positions[-1] < total:
        more = np.cumsum(generator.geometric(probability, draws)) + positions[-1]
        positions = np.concatenate([positions, more])
    i, j = np.divmod(positions[positions < total], targets)
    if apart:
        different = i != j
        i, j = i[different], j[different]
    return i.astype(np.int32), j.astype(np.int32)


def fixed_number(generator: np.random.Generator, sources: int, targets: int, number: int) -> Pairs:
    """Draw source and target of `number` synapses; a pair may be connected more than once.

    Returns
    -------
    i, j : numpy.ndarray
        As of :func:`random_pairs`.
    """
    return _sorted(
        generator.integers(0, sources, number), generator.integers(0, targets, number), targets
    )


def fixed_indegree(
    generator: np.random.Generator, sources: int, targets: int, indegree: int
) -> Pairs:
    """Draw `indegree` sources for every target; a pair may be connected more than once.

    Returns
    -------
    i, j : numpy.ndarray
        As of :func:`random_pairs`.
    """
    j = np.repeat(np.arange(targets), indegree)
    return _sorted(generator.integers(0, sources, targets * indegree), j, targets)


def _sorted(i: NDArray[np.int64], j: NDArray[np.int64], targets: int) -> Pairs:
    # Brian goes through the synapses of a neuron in the order in which they were made
    i, j = np.divmod(np.sort(i * targets + j), targets)
    return i.astype(np.int32), j.astype(np.int32)
