"""What `Model.memory` says of the CPU, against the memory of a process that opens a session."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import brian2 as b2
import pytest
from brian2.units import ms

from benchmarks import memory_estimate
from tests import models

CELLS, INPUTS = 1000, 1200

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="no smaps_rollup")


def plastic() -> SimpleNamespace:
    """Plastic synapses with delays of their own, and monitors, of 100 MB in all."""
    models.new_script()
    inputs = b2.PoissonGroup(INPUTS, rates="(20 + i % 40)*Hz", name="inputs")
    cells = b2.NeuronGroup(
        CELLS,
        "dv/dt = (1.2 - v)/(20*ms) : 1\nlevel : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
    )
    cells.v = "rand()"
    feed = b2.Synapses(
        inputs,
        cells,
        "w : 1\ndx/dt = -x/(20*ms) : 1 (event-driven)",
        on_pre="v_post += 0.001*w; x = 1",
        on_post="w = clip(w + 0.01*x, 0, 1)",
        name="feed",
    )
    feed.connect()
    feed.w = "rand()"
    feed.pre.delay = "rand()*3*ms"
    spikes = b2.SpikeMonitor(cells, name="spikes")
    trace = b2.StateMonitor(cells, "v", record=True, name="trace")
    b2.run(200 * ms)
    return SimpleNamespace(**locals())


@needs_linux
@pytest.mark.parametrize("snapshots", [0, 1])
def test_the_estimate_is_what_a_session_takes(snapshots: int, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(pickle.dumps((models.built(plastic).model, {})))
    found = memory_estimate.measure_alone(path, "--snapshots", str(snapshots))
    assert found["measured"] > (100 + 30 * snapshots) * 2**20
    assert found["ratio"] == pytest.approx(1, abs=0.1), found["table"]


def test_a_pathway_is_described() -> None:
    manifest = models.built(models.everything).model.manifest
    assert set(manifest.pathway_info) == set(manifest.pathways)
    direct = manifest.pathway_info["direct_post"]
    assert (direct.source, direct.first, direct.size) == ("exc[10:20]", 10, 10)
    assert direct.sources == "direct._synaptic_post"
    assert direct.delay == "direct_post.delay"
    assert direct.dt == models.DT
    assert direct.tracked
    # Nothing of it changes
    assert not manifest.pathway_info["fixed_pre"].tracked
    assert manifest.card is None


def test_no_session_is_opened() -> None:
    model = pickle.loads(pickle.dumps(models.built(models.everything).model))
    estimate = model.memory(1 * ms, 2, rates={"exc": 100 * b2.Hz})
    assert estimate.events["spikes"] == pytest.approx(20 * 100 * 1e-3)
    assert estimate.snapshots == 2
    assert estimate.card.total == 0
    assert estimate.expected == estimate.total == estimate.host.total
