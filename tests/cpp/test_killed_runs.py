"""A long run that is killed again and again ends as if nobody had."""

from __future__ import annotations

import pickle
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, PopulationRateMonitor, SpikeMonitor, StateMonitor, Synapses
from brian2.units import ms, mV, second

import gpurun
from gpurun.checkpoint import read_header
from tests import models
from tests.states import assert_same, state

ROOT = Path(__file__).parents[2]
KILLS = 10
SEED = 5
#: The longest that a process lives once it has begun to run, in seconds. It gets longer where
#: that is not enough for a checkpoint.
LIFE = 0.8

# The model alone: neither the script nor brian2 is there
RUN = f"""
import pickle, sys
import numpy as np
from tests.states import state

folder, total = sys.argv[1], float(sys.argv[2])
with open(folder + "/model.pickle", "rb") as file:
    model = pickle.load(file)
with model.session() as session:
    print("running", flush=True)
    session.run_for(total, to=folder + "/run.h5", checkpoint_every=0.03, seed={SEED})
    np.savez(folder + "/end.npz", **state(session))
"""


def balanced() -> gpurun.Model:
    """Build the network of ``examples/long_run_in_segments.py``, with spikes 200 ms in flight."""
    models.new_script()
    b2.seed(11)
    neurons = NeuronGroup(
        401,
        """
        dv/dt = (mu - v)/tau + sigma*sqrt(2/tau)*xi : volt (unless refractory)
        mu : volt (constant)
        """,
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="euler",
        namespace={"tau": 20 * ms, "sigma": 4 * mV},
        name="neurons",
    )
    neurons.v = "20*mV * rand()"
    neurons.mu = "(16 + 3*rand()) * mV"
    excite = Synapses(
        neurons[:321], neurons, on_pre="v_post += 0.15*mV", delay=200 * ms, name="excite"
    )
    excite.connect(p=0.1)
    inhibit = Synapses(neurons[321:], neurons, on_pre="v_post -= 0.75*mV", name="inhibit")
    inhibit.connect(p=0.1)
    inhibit.delay = "200*ms * rand()"
    recorded = (
        SpikeMonitor(neurons, name="spikes"),
        StateMonitor(neurons, "v", record=[0, 200, 400], dt=1 * ms, name="trace"),
        PopulationRateMonitor(neurons, name="rate"),
    )
    network = b2.Network(neurons, excite, inhibit, *recorded)
    network.run(2 * second)
    return gpurun.build()


def begin(folder: Path, total: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), repr(total)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ten_kills(tmp_path: Path) -> None:
    model = balanced()
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    path = tmp_path / "run.h5"
    chosen = secrets.randbits(32)
    print("kills by", chosen)
    moments = np.random.default_rng(chosen).uniform(0, LIFE, KILLS)
    reached, in_vain = [0.0], 0
    for moment in moments:
        with begin(tmp_path, 1e5) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n", process.communicate()
            time.sleep(moment * (1 + in_vain))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL
        reached.append(read_header(path).t if path.exists() else 0.0)
        in_vain = 0 if reached[-1] > reached[-2] else in_vain + 1
    assert reached == sorted(reached)
    assert len(set(reached)) > 3, f"hardly anything was saved between the kills: {reached}"
    assert read_header(path).spikes_in_flight["excite_pre"] > 100

    # On to a moment that lies beyond what was reached
    total = float(np.ceil(reached[-1]) + 1)
    with begin(tmp_path, total) as process:
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    with np.load(tmp_path / "end.npz") as file:
        ended = dict(file)
    with model.session() as session:
        session.run(duration=total, seed=SEED)
        assert_same(ended, state(session))
        assert session.read("spikes.N") > 1000
