"""A model whose memory on a card is estimated and measured (see `isolated`)."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from brian2 import (
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    run,
)
from brian2.units import Hz, ms

import gpurun
from benchmarks import memory_estimate

from .own import OwnBackend


def _network() -> gpurun.Model:
    """Plastic synapses with delays of their own, sums over them, and monitors of every kind."""
    inputs = PoissonGroup(400, rates=40 * Hz, name="inputs")
    cells = NeuronGroup(
        500,
        "dv/dt = (drive - v)/(5*ms) : 1\ndrive : 1\ntotal : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
    )
    cells.drive = "2*i/N"
    feed = Synapses(
        inputs,
        cells,
        """
        w : 1
        dx/dt = -x/(20*ms) : 1 (event-driven)
        total_post = w : 1 (summed)
        """,
        on_pre="v_post += 0.01*w; x = 1",
        on_post="w = clip(w + 0.01*x, 0, 1)",
        name="feed",
    )
    feed.connect(p=0.5)
    feed.w = "rand()"
    feed.pre.delay = "rand()*5*ms"
    # From a part of a group, with one delay for all
    side = Synapses(cells[200:300], cells, on_pre="v_post -= 0.01", delay=1 * ms, name="side")
    side.connect(p=0.3)
    spikes = SpikeMonitor(cells, name="spikes")
    few = SpikeMonitor(cells[100:200], variables="v", name="few")
    trace = StateMonitor(cells, ["v", "total"], record=True, name="trace")
    rate = PopulationRateMonitor(cells, name="rate")
    run(10 * ms)
    del feed, side, spikes, few, trace, rate
    return gpurun.build()


def measure(snapshots: list[int]) -> list[dict[str, Any]]:
    """What `benchmarks.memory_estimate` finds, for each number of snapshots."""
    OwnBackend().start()
    os.environ["CUDA_EMULATOR"] = "order=forward"
    model = _network()
    card = model.manifest.card
    assert card is not None
    assert sorted(card.events) == [400, 500]
    assert card.sums == ("feed._synaptic_post",)
    assert {"feed.w", "cells.v"} <= set(card.mirrored)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(pickle.dumps((model, {})))
        return [memory_estimate.measure(path, snapshots=number) for number in snapshots]
