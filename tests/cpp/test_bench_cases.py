"""Two benchmark cases on the device gpurun: what they give is what brian2's own runtime gives."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
import pytest

import gpurun
from benchmarks.cases import switching
from gpurun.bench.suite import case as cases
from tests import models

SMALL = switching.SIZES["tiny"]
STIMULI = 3


def in_runtime(name: str, number: int) -> Any:
    """The objects of a case after presentation `number` in NumPy."""
    network = cases.load(name).create("tiny")
    assert network.stimulus is not None
    for key, value in network.stimulus(number).items():
        owner, attribute = network.of(key)
        setattr(owner, f"{attribute}_", value)
    network.network.run(network.duration * b2.second, namespace={})
    return network.objects


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    b2.set_device("runtime")
    monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")


def recorded(network: cases.CaseNetwork) -> gpurun.Model:
    network.network.run(network.duration * b2.second, namespace={})
    return gpurun.build()


def test_spikes_of_cuba(runtime: None) -> None:
    wanted = [in_runtime("cuba", number)["spikes"] for number in range(STIMULI)]
    models.new_script()
    network = cases.load("cuba").create("tiny")
    with recorded(network).session() as session:
        for number, monitor in enumerate(wanted):
            assert network.stimulus is not None
            found = session.run(network.stimulus(number), record=["spikes.i", "spikes.t"])
            assert monitor.num_spikes > 50
            np.testing.assert_array_equal(found["spikes.i"], monitor.i)
            np.testing.assert_allclose(found["spikes.t"], monitor.t_, rtol=0, atol=1e-9)


def test_a_long_run_that_switches(runtime: None) -> None:
    wanted = [in_runtime("switching", number)["spikes"].count[:] for number in range(STIMULI)]
    models.new_script()
    network = switching.create_long(STIMULI, "run_regularly", **SMALL)
    with recorded(network).session() as session:
        found = session.run(record=network.reads)
        counts = switching.counts_of(network, STIMULI, *(found[name] for name in network.reads))
    assert counts.sum() > 50
    np.testing.assert_array_equal(counts, wanted)
