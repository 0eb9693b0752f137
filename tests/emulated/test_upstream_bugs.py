"""What brian2cuda 1.0b1 gets wrong, reproduced without a card.

These tests pass because it does. When one of them fails after an upgrade, read what was
mended: what gpurun does about it may then be superfluous. `scenarios` says what is right,
and gpurun's own CUDA code has to give just that.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from . import run_scenario
from .scenarios import SCENARIOS

pytestmark = pytest.mark.timeout(1200)

#: For each scenario what brian2cuda does, and why.
UPSTREAM: dict[str, tuple[Callable[[Any], bool], str]] = {
    "rates_of_two_runs": (
        lambda seen: seen == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "the second run() writes its rates over those of the first: its code object counts "
        "time steps from its own start, although the arrays already hold the first run",
    ),
    "override_with_capitals": (
        lambda seen: seen == [7.5, 8.5, 9.5],
        "the name of the file with the values is lower-cased, so that it is not found; the "
        "program goes on with the old values and ends with status 0",
    ),
    "random_numbers_with_one_delay": (
        lambda seen: seen == 5,
        "the number of a synapse within its neuron's list indexes the random numbers, so "
        "that all presynaptic neurons use the same ones",
    ),
    "random_numbers_with_many_delays": (
        lambda seen: seen.startswith("failed") and "illegal access" in seen,
        "the thread's number in the grid indexes the random numbers, of which there are as "
        "many as synapses: other blocks read behind the buffer's end",
    ),
    "own_clock_with_one_delay": (
        lambda seen: isinstance(seen, str) and seen.startswith("failed"),
        "the number of spikes is asked for once the default clock, instead of the group's, has "
        "made as many steps as the delay has; until then a single block is started, which "
        "transmits one spike at most and fails where there is none",
    ),
    "only_an_own_clock": (
        lambda seen: isinstance(seen, str) and seen.startswith("not compiled"),
        "for the same reason: there is no default clock in the program if nothing uses it",
    ),
    "asserts_disabled": (
        lambda seen: seen.startswith("not compiled"),
        "nvcc gets -NDEBUG instead of -DNDEBUG, and refuses it",
    ),
    "fewer_threads": (
        lambda seen: 0 < seen < 1000,
        "where a kernel can have fewer threads than planned, the number of blocks stays",
    ),
    "some_values_between_runs": (
        lambda seen: seen == [7.5, 8.5, 3.5, 4.5],
        "to set some elements by an array it sets them in the host's copy, which holds the "
        "values from before the first run, and copies all of it to the card",
    ),
    "one_threshold_kernel": (
        lambda seen: seen.startswith("not compiled"),
        "the reset kernel is declared only with the preference extra_threshold_kernel, but "
        "called after every run",
    ),
    "queue_of_many_delays": (
        lambda seen: seen[0] == "40 of 40" and seen[1] != "40 of 40",
        "CudaSpikeQueue::prepare reads the old number of queues and the semaphores without "
        "a barrier before thread 0 sets the new ones; lanes of one warp get away with it",
    ),
    "races_with_many_delays": (
        lambda seen: seen == "found",
        "CudaSpikeQueue::release_semaphore opens the lock before its fence, and by a plain "
        "store, so that the next block may see the queue as it was; and see above",
    ),
    "races_without_atomics": (
        lambda seen: seen == "found",
        "threads go on to the next neuron's bundle without a barrier, while others still add "
        "to the same targets",
    ),
}


Observed = dict[tuple[str, str], Future[Any]]


@pytest.fixture(scope="module")
def observed(wanted: Callable[[str], list[str]], workers: ThreadPoolExecutor) -> Observed:
    return {
        (name, backend): workers.submit(run_scenario.observe, name, backend)
        for backend in ("upstream", "reference")
        for name in wanted(f"{backend}_scenario")
    }


def test_every_scenario_is_here() -> None:
    assert set(UPSTREAM) == set(SCENARIOS)


@pytest.mark.parametrize("upstream_scenario", UPSTREAM)
def test_brian2cuda_is_still_wrong(upstream_scenario: str, observed: Observed) -> None:
    expected, why = UPSTREAM[upstream_scenario]
    seen = observed[upstream_scenario, "upstream"].result()
    right = SCENARIOS[upstream_scenario].right
    assert seen != right, f"brian2cuda no longer does this: {why}"
    assert expected(seen), f"{seen}; expected was the effect of this: {why}"


# cpp_standalone does not have the option of the one that is left out
@pytest.mark.parametrize("reference_scenario", sorted(set(SCENARIOS) - {"asserts_disabled"}))
def test_what_is_called_right_is_what_cpp_standalone_does(
    reference_scenario: str, observed: Observed
) -> None:
    seen = observed[reference_scenario, "reference"].result()
    assert seen == SCENARIOS[reference_scenario].right
