"""benchmarks/contenders: what users would pick, on a small network without noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.contenders.client import Worker
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.contender import Absent

CASE = '''
import brian2 as b2
import numpy as np
from gpurun.bench.suite.case import CaseNetwork

TITLE, SOURCE, DETERMINISTIC = "a ring that learns", "nowhere", True
SIZES = {"tiny": {"cells": 12}, "quick": {"cells": 12}, "full": {"cells": 12}}
GAIN = 0.25  # looked for where the script is


def create(cells):
    b2.defaultclock.dt = 0.1 * b2.ms
    group = b2.NeuronGroup(
        cells,
        """dv/dt = (drive + wave(t) - v) / (5*ms) : 1
        drive : 1""",
        threshold="v > 1", reset="v = 0", method="euler", name="group",
        namespace={"wave": (wave := b2.TimedArray(np.zeros(4), dt=5 * b2.ms, name="wave"))},
    )
    ring = b2.Synapses(
        group, group, "w : 1", on_pre="v_post += GAIN*w; w = clip(w + 0.01, 0, 1)", name="ring"
    )
    i = np.arange(cells)
    ring.connect(i=i, j=(i + 1) % cells)
    ring.delay = (0.1 + 0.1 * (i % 5)) * b2.ms
    ring.w = np.linspace(0.1, 0.6, cells)
    spikes = b2.SpikeMonitor(group, name="spikes")

    def stimulus(number):
        drawn = np.random.default_rng(number)
        return {"group.drive": drawn.uniform(0.9, 2.0, cells), "wave": drawn.uniform(0, 0.5, 4)}

    return CaseNetwork(
        b2.Network(group, ring, spikes),
        {"group": group, "ring": ring, "spikes": spikes, "wave": wave},
        0.02, 1e-4, ("spikes",), ("spikes.count",), stimulus,
        distributions=("ring.w",), carry=("ring.w",),
    )
'''
CONTENDERS = ("gpurun-cpu", "brian2-numpy", "brian2-cpp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("contenders")
    (made / "ring.py").write_text(CASE)
    # The same programs, which need not be compiled again
    (made / "forgetful.py").write_text(CASE.replace(', carry=("ring.w",)', ""))
    return made


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[dict[str, Worker]]:
    case = str(folder / "ring.py")
    found = {name: Worker(case, "tiny", name, folder / name) for name in CONTENDERS}
    try:
        yield found
    finally:
        for worker in found.values():
            worker.close()


@pytest.fixture(scope="module")
def taken(workers: dict[str, Worker]) -> dict[str, dict[str, float]]:
    """What each took to set up."""
    return {name: worker.ask({"do": "setup"}) for name, worker in workers.items()}


def test_setup_says_what_took_how_long(taken: dict[str, dict[str, float]]) -> None:
    compiled = {names.GENERATION, names.COMPILE, names.COMPILE_CPU}
    assert set(taken["gpurun-cpu"]) == {*compiled, names.LOAD}
    assert set(taken["brian2-cpp"]) == compiled
    assert set(taken["brian2-numpy"]) == {names.GENERATION, names.LOAD}
    assert all(value > 0 for measured in taken.values() for value in measured.values())
    # Each in an empty cache: a compiler was at work
    assert all(taken[name][names.COMPILE_CPU] > 0.5 for name in ("gpurun-cpu", "brian2-cpp"))


def test_all_compute_the_same_bit_by_bit(
    workers: dict[str, Worker], taken: dict[str, dict[str, float]]
) -> None:
    found = {name: [worker.result(k) for k in range(3)] for name, worker in workers.items()}
    reference = found.pop("brian2-numpy")
    assert all(len(one["spikes.i"]) > 20 for one in reference)
    # The stimulus matters, and so does what is carried from one to the next
    assert not np.array_equal(reference[0]["spikes.count"], reference[1]["spikes.count"])
    assert np.all(reference[2]["ring.w"] >= reference[1]["ring.w"])
    assert np.any(reference[2]["ring.w"] > reference[1]["ring.w"])
    for name, results in found.items():
        for one, other in zip(reference, results, strict=True):
            assert set(one) == set(other)
            for key, values in one.items():
                np.testing.assert_array_equal(values, other[key], f"{name}, {key}")


def test_a_presentation_is_measured_in_parts(
    workers: dict[str, Worker], taken: dict[str, dict[str, float]]
) -> None:
    common = {names.WALL, names.LOOP, names.OUTSIDE, names.READ}
    for name, worker in workers.items():
        measured = worker.ask({"do": "present", "number": 5})
        within = set() if name == "brian2-cpp" else {names.UPLOAD, names.RESET}
        assert set(measured) == common | within
        assert 0 < measured[names.LOOP] < measured[names.WALL]
        assert measured[names.LOOP] + measured[names.OUTSIDE] == pytest.approx(measured[names.WALL])


def test_steps_throughput_memory_and_facts(
    workers: dict[str, Worker], taken: dict[str, dict[str, float]]
) -> None:
    for name, worker in workers.items():
        worker.ask({"do": "present", "number": 0})
        facts = worker.ask({"do": "facts"})
        seconds = worker.ask({"do": "steps", "count": 10})
        assert (seconds is None) if name == "brian2-cpp" else seconds > 0
        assert worker.ask({"do": "throughput", "replicas": 1, "count": 2}) > 0
        # What follows on what was carried cannot be side by side
        assert worker.ask({"do": "throughput", "replicas": 2, "count": 2}) is None
        assert worker.ask({"do": "memory"})[names.HOST_PEAK] > 2**24
        assert facts["precision"] == "float64" and facts["threads"] == 1 and facts["brian2"]
        assert name == "brian2-numpy" or "-ffp-contract=off" in facts["flags"]
        if name == "gpurun-cpu":
            # The stimulus, what is reset, the counts; weights are carried
            assert facts["bytes moved"] >= (12 + 4) * 8 + 12 * 8 + 12 * 4


def test_stimuli_side_by_side_are_those_of_one_after_the_other(
    folder: Path, workers: dict[str, Worker], taken: dict[str, dict[str, float]]
) -> None:
    with Worker(str(folder / "forgetful.py"), "tiny", "gpurun-cpu", folder / "gpurun-cpu") as ours:
        assert ours.ask({"do": "setup"})[names.COMPILE] == 0  # of this test: see `folder`
        alone = [ours.result(number) for number in range(2)]
        assert ours.ask({"do": "throughput", "replicas": 2, "count": 4}) > 0
    pool = Worker(str(folder / "forgetful.py"), "tiny", "brian2-cpp-pool", folder / "brian2-cpp")
    with pool:
        pool.ask({"do": "setup"})
        for number, expected in enumerate(alone):
            found = pool.result(number)
            for key, values in expected.items():
                np.testing.assert_array_equal(found[key], values, key)
        measured = pool.ask({"do": "present", "number": 1})
        assert measured[names.LOOP] + measured[names.OUTSIDE] == pytest.approx(measured[names.WALL])
        assert pool.ask({"do": "throughput", "replicas": 2, "count": 4}) > 0
        assert pool.ask({"do": "memory"})[names.HOST_PEAK] > 2**24


def test_what_cannot_take_part_says_why(folder: Path) -> None:
    for name, why in (
        ("brian2-cpp-pool", "follow on each other"),
        ("brian2-cpp-timed-array", "no form in which one run switches its stimulus"),
    ):
        worker = Worker(str(folder / "ring.py"), "tiny", name, folder / f"absent-{name}")
        with worker, pytest.raises(Absent, match=why):
            worker.ask({"do": "setup"})
