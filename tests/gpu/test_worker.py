"""A session in a process of its own on a real card, which is lost there and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.units import ms

import gpurun
from gpurun import nvml
from gpurun.errors import DeviceError, WorkerError
from gpurun.worker import RemoteSession


@pytest.fixture(scope="module")
def model() -> gpurun.Model:
    """Deterministic neurons, and an assertion in device code that fails for w > 5."""
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.device.reinit()
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.start_scope()
    careful = b2.Function(lambda x: x, arg_units=[1], return_unit=1)
    for target, qualifier in (("cuda", "__device__ "), ("cpp", "")):
        code = f"{qualifier}double careful(double x) {{ assert(x < 5); return x; }}"
        careful.implementations.add_implementation(target, code, name="careful")
    cells = b2.NeuronGroup(
        1000,
        "dv/dt = (drive - v)/(5*ms) : 1\ndrive : 1\nw : 1\nu : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
        namespace={"careful": careful},
    )
    cells.drive = "2*i/N"
    cells.run_regularly("u = careful(w)", dt=0.1 * ms)
    spikes = b2.SpikeMonitor(cells, name="spikes")
    b2.Network(cells, spikes).run(20 * ms)
    return gpurun.build()


def values(session: Any) -> list[np.ndarray]:
    record = ["cells.v", "cells.u", "spikes"]
    first = session.run({"cells.w": np.linspace(0, 4, 1000)}, record=record)
    then = session.advance(2 * ms, record=record)
    return [
        array
        for result in (first, then)
        for array in (result["cells.v"], result["cells.u"], result["spikes"].t, result["spikes"].i)
    ]


def test_results_and_card_are_those_of_a_session(model: gpurun.Model) -> None:
    with model.session() as here, RemoteSession(model) as there:
        for mine, theirs in zip(values(here), values(there), strict=True):
            assert np.array_equal(mine, theirs)
        assert there.device == here.device == "cuda:0"
        variables = Path(f"/proc/{there.pid}/environ").read_bytes().split(b"\0")
    uuid, problem = nvml.uuid_of(0)
    assert uuid, problem
    assert f"CUDA_VISIBLE_DEVICES={uuid}".encode() in variables


def test_a_lost_card(model: gpurun.Model) -> None:
    with model.session() as here, RemoteSession(model) as worker, RemoteSession(model) as other:
        expected = values(here)
        with pytest.raises(WorkerError, match="lost its card") as caught:
            worker.run({"cells.w": 6})
        assert isinstance(caught.value.__cause__, DeviceError)
        assert not worker.alive
        for session in (here, other):
            for mine, theirs in zip(expected, values(session), strict=True):
                assert np.array_equal(mine, theirs)
        with RemoteSession(model) as new:
            for mine, theirs in zip(expected, values(new), strict=True):
                assert np.array_equal(mine, theirs)


def test_a_card_that_is_not_there(model: gpurun.Model) -> None:
    with pytest.raises(gpurun.GpurunError, match="'cuda:63'"):
        RemoteSession(model, "cuda:63")
