"""Spikes given to a session fall into the time steps that brian2 itself would choose."""

from __future__ import annotations

from collections.abc import Iterator

import brian2 as b2
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.model import SpikeGeneratorInfo
from gpurun.overrides import check_spikes


@pytest.fixture(scope="module", autouse=True)
def runtime_without_compiler() -> Iterator[None]:
    before = b2.prefs["codegen.target"]
    b2.set_device("runtime")
    b2.prefs["codegen.target"] = "numpy"
    yield
    b2.prefs["codegen.target"] = before


TIMES = st.lists(
    st.one_of(
        st.floats(0, 0.1),
        st.integers(0, 5000).map(lambda step: step * 1e-4),
        st.integers(0, 5000).map(lambda step: step / 10_000),
        st.integers(0, 5000).map(lambda step: np.nextafter(step * 1e-4, 0)),
    ),
    min_size=1,
    max_size=20,
)


@hypothesis.settings(max_examples=60)
@hypothesis.given(times=TIMES, dt=st.sampled_from([1e-4, 5e-5, 3e-4, 1e-3]))
def test_the_same_time_steps(times: list[float], dt: float) -> None:
    indices = np.arange(len(times), dtype=np.int32)
    info = SpikeGeneratorInfo(size=len(times), dt=dt, period=0.0)
    ours = check_spikes("gen", info, indices, np.array(times))
    group = b2.SpikeGeneratorGroup(
        len(times), indices, np.array(times) * b2.second, dt=dt * b2.second
    )
    group.before_run({})
    theirs = np.array(group.variables["_timebins"].get_value())
    neurons = np.array(group.variables["neuron_index"].get_value())
    assert sorted(zip(ours[2].tolist(), ours[0].tolist(), strict=True)) == sorted(
        zip(theirs.tolist(), neurons.tolist(), strict=True)
    )
