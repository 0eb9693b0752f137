"""The patched spike queue against brian2's: the same spikes in the same places."""

from __future__ import annotations

import ctypes
from pathlib import Path

import brian2
import numpy as np
import pytest

from gpurun.brian.emit import load_patches, support_files
from gpurun.toolchain import compile_shared

HEADER = "brianlib/spikequeue.h"
SOURCE = """
#include <algorithm>
#include <assert.h>
#include <iostream>
#include <iterator>
#include <map>
#include <vector>
#include "stdint_compat.h"
namespace theirs {
#include "theirs.h"
}
#undef C_SPIKEQUEUE_H
namespace ours {
#include "ours.h"
}

// Whether both queues are the same after each step of `steps`, in which `counts` neurons spike.
extern "C" int same(int neurons, int synapses, int* sources, int n_delays, double* delays,
                    int steps, int* counts, int* spikes) {
    theirs::CSpikeQueue one(0, neurons);
    ours::CSpikeQueue other(0, neurons);
    one.prepare(delays, n_delays, sources, synapses, 1e-4);
    other.prepare(delays, n_delays, sources, synapses, 1e-4);
    for (int step = 0; step < steps; step++) {
        one.advance();
        other.advance();
        one.push(spikes, counts[step]);
        other.push(spikes, counts[step]);
        spikes += counts[step];
        if (one._full_state() != other._full_state() || *one.peek() != *other.peek()) return 0;
    }
    return 1;
}
extern "C" int64_t waiting(int neurons, int synapses, int* sources, int n_delays, double* delays) {
    ours::CSpikeQueue queue(0, neurons);
    queue.prepare(delays, n_delays, sources, synapses, 1e-4);
    for (int neuron = 0; neuron < neurons; neuron++) queue.push(&neuron, 1);
    int64_t total = 0;
    for (const auto& slot : queue.queue) total += slot.size();
    return total;
}
"""


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder: Path = tmp_path_factory.mktemp("queues")
    support = support_files(Path(brian2.__file__).parent)
    ours = support[HEADER]
    for patch in load_patches():
        if patch.file == HEADER:
            ours = patch.apply(ours)
    assert ours != support[HEADER]
    (folder / "theirs.h").write_text(support[HEADER], encoding="utf-8")
    (folder / "ours.h").write_text(ours, encoding="utf-8")
    (folder / "stdint_compat.h").write_text(support["brianlib/stdint_compat.h"], encoding="utf-8")
    (folder / "queues.cpp").write_text(SOURCE, encoding="utf-8")
    compile_shared(
        [Path("queues.cpp")],
        Path("queues.so"),
        flags=["-std=c++17", "-O1", "-w"],
        link_flags=[],
        include_dirs=[str(folder)],
        cwd=folder,
    )
    library = ctypes.CDLL(str(folder / "queues.so"))
    library.waiting.restype = ctypes.c_int64
    return library


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 0.0), (1.2e-3, 1.2e-3), (0.0, 2e-3), (-1e-3, 1e-3), (-5e-3, 3e-4), (-2e-3, -1e-3)],
)
def test_both_queues_hold_the_same(queues: ctypes.CDLL, low: float, high: float, seed: int) -> None:
    """Nobody forbids delays below zero, which come out at some place in the ring."""
    generator = np.random.default_rng(seed)
    neurons, synapses, steps = 20, 150, 60
    sources = np.sort(generator.integers(0, neurons, synapses)).astype(np.int32)
    count = 1 if low == high else synapses
    delays = generator.uniform(low, high, count)
    spikes = [np.flatnonzero(generator.random(neurons) < 0.2) for _ in range(steps)]
    counts = np.array([one.size for one in spikes], np.int32)
    flat = np.concatenate(spikes).astype(np.int32)
    assert queues.same(
        neurons, synapses, pointer(sources), count, pointer(delays), steps, pointer(counts),
        pointer(flat),
    )  # fmt: skip
    if low >= 0:
        everything = queues.waiting(neurons, synapses, pointer(sources), count, pointer(delays))
        assert everything == synapses
