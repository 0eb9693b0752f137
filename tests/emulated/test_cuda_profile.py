"""``run(profile=True)`` on the CUDA backend."""

from __future__ import annotations

import brian2 as b2
import pytest
from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, Synapses, run
from brian2.units import ms

import gpurun

from . import isolated, own

pytestmark = pytest.mark.timeout(300)

Profile = dict[str, float]


def _profiles() -> tuple[list[str], list[Profile]]:
    """The code objects of a profiled run, and what two runs say of them."""
    own.backend().start()
    cells = NeuronGroup(
        20, "dv/dt = (2 - v)/(5*ms) : 1", threshold="v > 1", reset="v = 0", name="cells"
    )
    links = Synapses(cells, cells, on_pre="v_post += 0.01", delay=0.3 * ms, name="links")
    links.connect()
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=True, name="trace")
    run(5 * ms, profile=True)
    expected = sorted(
        codeobj.name
        for one in (cells, links, spikes, trace)
        for obj in (one, *one.contained_objects)
        for codeobj in obj._code_objects
        if codeobj.name in b2.device.profiled_codeobjects
    )
    found: list[Profile] = []
    with gpurun.build().session() as session:
        for _ in range(2):
            session.run()
            found.append(dict(session.profile()))
    return expected, found


def test_every_code_object_takes_time_in_every_run() -> None:
    expected, found = isolated.run(_profiles)
    assert len(expected) > 5
    for profile in found:
        assert sorted(profile) == expected
        assert min(profile.values()) > 0
