"""What a real driver says: of its cards, and of memory that is taken and given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gpurun import nvml
from gpurun.meter import CardMeter, Sampler
from gpurun.nvml_types import THROTTLE_REASONS

MIB = 1 << 20
SIZE = 512 * MIB

# In a process of its own: its context goes with it. Contexts and memory by the driver's own
# interface, so that no other library's pool keeps what was given back.
PROGRAM = f"""
import ctypes, json, os
from dataclasses import asdict
from gpurun.meter import CardMeter, Sampler

cuda = ctypes.CDLL("libcuda.so.1")
said = []

def call(name, *arguments):
    status = getattr(cuda, name)(*arguments)
    assert status == 0, (name, status)

def look(meter):
    said.append(asdict(meter.sample()))

meter = CardMeter(0)
look(meter)
with Sampler(meter, period=0.01) as sampler:
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    look(meter)
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t({SIZE}))
    look(meter)
    sampler.sample()
    call("cuMemFree_v2", memory)
    look(meter)
    call("cuCtxDestroy_v2", context)
peak = sampler.peak
print(json.dumps([meter.uuid, said, asdict(peak), asdict(sampler.timeline().peak)]))
"""


@pytest.fixture(scope="module")
def story() -> tuple[str, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cards() -> None:
    found = nvml.snapshot()
    assert found.problem is None
    assert found.driver_version and found.cuda_version
    device = found.device(0)
    assert device is not None and device.uuid and device.name
    if device.memory_total is not None:
        assert device.memory_used is not None and device.memory_free is not None
        assert 0 <= device.memory_used <= device.memory_total
        assert device.memory_used + device.memory_free <= device.memory_total
    assert found.cuda_order[device.uuid] == 0
    assert nvml.uuid_of(0) == (device.uuid, None)


def test_figures_are_plausible() -> None:
    for card in nvml.snapshot().cards:
        for share in (card.utilisation_gpu, card.utilisation_memory):
            assert share is None or 0 <= share <= 100
        assert card.temperature is None or 0 < card.temperature < 120
        assert card.power is None or 0 <= card.power < 5000
        assert card.power_limit is None or 10 < card.power_limit < 5000
        assert card.clock_sm is None or 0 <= card.clock_sm < 10_000
        assert card.clock_memory is None or 0 <= card.clock_memory < 50_000
        # A name that is a number: a reason that this version does not know yet
        assert set(card.throttle_reasons or ()) <= set(THROTTLE_REASONS.values())
        for errors in (card.ecc_corrected, card.ecc_uncorrected):
            assert errors is None or errors >= 0
        for part in card.mig_instances:
            assert part.uuid is not None and part.uuid.startswith("MIG-")
            assert part.memory_total and part.gpu_instance is not None


def test_snapshots_without_asking_cuda_again() -> None:
    first = nvml.snapshot()
    again = nvml.snapshot(like=first)
    assert again.cuda_order == first.cuda_order
    assert [card.uuid for card in again.cards] == [card.uuid for card in first.cards]


def test_memory_that_is_taken_shows(story: tuple[Any, ...]) -> None:
    uuid, samples, peak, line = story
    assert uuid == nvml.uuid_of(0)[0]
    before, context, taken, given_back = samples
    if before["used"] is None:  # it has no memory of its own
        assert [sample["used"] for sample in samples] == [None] * 4
        return
    assert context["used"] > before["used"]  # a context needs some
    assert taken["used"] - context["used"] >= SIZE
    assert taken["used"] - given_back["used"] >= SIZE
    assert taken["total"] == before["total"]
    assert peak["used"] >= taken["used"]
    assert line == peak


def test_own_memory(story: tuple[Any, ...]) -> None:
    _, samples, peak, _ = story
    before, context, taken, given_back = samples
    if taken["own"] is None:  # the driver does not tell, as in a container: at no time
        assert [sample["own"] for sample in samples] == [None] * 4
        return
    assert before["own"] in (0, None)
    assert context["own"] > 0
    assert taken["own"] - context["own"] >= SIZE
    assert taken["own"] - given_back["own"] >= SIZE
    assert peak["own"] >= taken["own"]


def test_sampling_beside_a_snapshot() -> None:
    # NVML is opened and closed by one while the other uses it.
    with Sampler(CardMeter(0), period=0.001) as sampler:
        totals = {nvml.snapshot(like=nvml.Snapshot()).cards[0].memory_total for _ in range(20)}
    assert len(totals) == 1
    assert sampler.error is None
    assert len(set(sampler.timeline().total.tolist())) == 1


def test_a_forked_child_can_ask() -> None:
    meter = CardMeter(0)
    total = meter.sample().total
    child = os.fork()
    if child == 0:
        os._exit(0 if meter.sample().total == total else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    meter.close()
