"""What sessions in processes of their own do to a card, for a process of their own."""

from __future__ import annotations

import os
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, SpikeMonitor, run
from brian2.units import ms

import gpurun
from gpurun.errors import GpurunError
from gpurun.worker import RemoteSession

from .own import OwnBackend


def _network(settings: str) -> gpurun.Model:
    """Noisy neurons, and an assertion in device code that fails for w > 5."""
    OwnBackend().start()
    os.environ["CUDA_EMULATOR"] = settings
    careful = b2.Function(lambda x: x, arg_units=[1], return_unit=1)
    for target, qualifier in (("cuda", "__device__ "), ("cpp", "")):
        code = f"{qualifier}double careful(double x) {{ assert(x < 5); return x; }}"
        careful.implementations.add_implementation(target, code, name="careful")
    cells = NeuronGroup(
        20,
        "dv/dt = (drive - v)/(5*ms) + 0.1*xi/sqrt(ms) : 1\ndrive : 1\nw : 1\nu : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
        namespace={"careful": careful},
    )
    cells.drive = "2*i/N"
    cells.run_regularly("u = careful(w)", dt=0.1 * ms)
    spikes = SpikeMonitor(cells, name="spikes")
    run(5 * ms)
    del spikes
    return gpurun.build()


def _values(session: Any) -> list[np.ndarray]:
    record = ["cells.v", "cells.u", "spikes"]
    first = session.run({"cells.w": np.linspace(0, 4, 20)}, record=record, seed=3)
    then = session.advance(2 * ms, record=record)
    return [
        array
        for result in (first, then)
        for array in (result["cells.v"], result["cells.u"], result["spikes"].t, result["spikes"].i)
    ]


def a_lost_card(settings: str) -> dict[str, Any]:
    """Results here and there, what is said after a sticky error, and what follows."""
    model = _network(settings)
    with RemoteSession(model, "cuda:0") as worker, RemoteSession(model) as other:
        there = _values(worker)
        device = worker.device, worker.run(duration=0).device
        try:
            worker.run({"cells.w": 6})
            said: tuple[str, str, dict[str, Any], str] = "", "", {}, ""
        except GpurunError as error:
            cause = type(error.__cause__).__name__
            said = type(error).__name__, str(error), dict(error.fields), cause
        alive = worker.alive
        spared = _values(other)
    # Last, because a process keeps what it has done to the card
    with model.session() as session:
        here = _values(session)
    return {
        "here": here,
        "there": there,
        "spared": spared,
        "device": device,
        "said": said,
        "alive": alive,
    }
