"""What is made of NVML's answers: units, names, missing figures, processes, slices, watches."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from gpurun import nvml, nvml_cuda
from gpurun.nvml import Card, DeviceMemory, MigInstance, Snapshot, Watch
from gpurun.nvml_types import throttle_names

GIB = 1024**3
UUID = "GPU-00112233-4455-6677-8899-aabbccddeeff"
SLICES = ("MIG-00000000-0000-0000-0000-000000000001", "MIG-00000000-0000-0000-0000-000000000002")
UNKNOWN = 2**64 - 1
FIGURES = sorted(vars(Card(0)).keys() - {"nvml_index", "mig_instances"})


class Machine:
    """One card; what is not played does not exist, as in a driver that is too old."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.open = 0
        monkeypatch.setattr(pynvml, "nvmlLib", None)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        monkeypatch.setattr(nvml, "cuda_order", lambda: ({UUID: 0}, None))
        self.play(
            nvmlInit=self._init,
            nvmlShutdown=self._shutdown,
            nvmlDeviceGetCount=lambda: 1,
            nvmlDeviceGetHandleByIndex=lambda index: "card",
            nvmlDeviceGetHandleByUUID=lambda uuid: {UUID: "card"}[uuid],
            nvmlDeviceGetUUID=lambda handle: UUID,
        )

    def _init(self) -> None:
        self.open += 1

    def _shutdown(self) -> None:
        self.open -= 1

    def play(self, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            self.monkeypatch.setattr(pynvml, name, function)

    def says(self, **answers: Any) -> None:
        """Play functions that always answer the same."""
        for name, answer in answers.items():
            self.play(**{name: lambda *_, answer=answer: answer})

    def fails(self, *names: str, status: int) -> None:
        def fail(*_: object) -> None:
            raise pynvml.NVMLError(status)

        self.play(**dict.fromkeys(names, fail))

    def card(self) -> Card:
        (card,) = nvml.snapshot().cards
        assert self.open == 0
        return card


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def process(pid: int, memory: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


def test_figures_and_their_units(machine: Machine) -> None:
    asked: list[object] = []

    def errors(handle: object, kind: int, counter: int) -> int:
        assert counter == pynvml.NVML_VOLATILE_ECC
        return {
            pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED: 5,
            pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED: 1,
        }[kind]

    machine.play(
        nvmlDeviceGetTotalEccErrors=errors,
        nvmlDeviceGetClockInfo=lambda handle, kind: {
            pynvml.NVML_CLOCK_SM: 1755,
            pynvml.NVML_CLOCK_MEM: 2619,
        }[kind],
        nvmlDeviceGetTemperature=lambda handle, sensor: asked.append(sensor) or 41,
    )
    machine.says(
        nvmlDeviceGetName="NVIDIA H100",
        nvmlDeviceGetMemoryInfo=SimpleNamespace(total=80 * GIB, used=3 * GIB, free=77 * GIB),
        nvmlDeviceGetComputeRunningProcesses=[process(7, GIB)],
        nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=93, memory=40),
        nvmlDeviceGetPowerUsage=412_345,
        nvmlDeviceGetEnforcedPowerLimit=700_000,
        nvmlDeviceGetCurrentClocksEventReasons=0x24,
        nvmlDeviceGetEccMode=[1, 0],
        nvmlDeviceGetMigMode=[0, 1],
    )
    assert machine.card() == Card(
        nvml_index=0,
        cuda_index=0,
        name="NVIDIA H100",
        uuid=UUID,
        memory_total=80 * GIB,
        memory_used=3 * GIB,
        memory_free=77 * GIB,
        processes={7: GIB},
        utilisation_gpu=93,
        utilisation_memory=40,
        temperature=41,
        power=412.345,
        power_limit=700.0,
        clock_sm=1755,
        clock_memory=2619,
        throttle_reasons=("power cap", "software thermal slowdown"),
        ecc=True,
        ecc_corrected=5,
        ecc_uncorrected=1,
        mig=False,
    )
    assert asked == [pynvml.NVML_TEMPERATURE_GPU]


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, ()),
        (1, ("idle",)),
        (0x84, ("power cap", "power brake")),
        (0x4000_0002, ("application clocks", "0x40000000")),
    ],
)
def test_names_of_throttle_reasons(bits: int, names: tuple[str, ...]) -> None:
    assert throttle_names(bits) == names


def test_throttle_reasons_of_older_drivers(machine: Machine) -> None:
    machine.says(nvmlDeviceGetCurrentClocksThrottleReasons=0x40)
    assert machine.card().throttle_reasons == ("hardware thermal slowdown",)


def test_card_that_answers_nothing_but_its_uuid(machine: Machine) -> None:
    card = machine.card()
    known = {name for name in FIGURES if getattr(card, name) is not None}
    assert known == {"uuid", "cuda_index"}
    assert card.mig_instances == ()


def test_name_that_is_no_text(machine: Machine) -> None:
    machine.play(nvmlDeviceGetName=lambda handle: b"\xff\xfe".decode())
    assert machine.card().name is None


# -- Processes -----------------------------------------------------------------------


def test_processes_of_all_kinds(machine: Machine) -> None:
    machine.says(
        nvmlDeviceGetComputeRunningProcesses=[process(1, GIB), process(2, None), process(3, 5)],
        nvmlDeviceGetGraphicsRunningProcesses=[process(3, 5), process(4, 6)],
        nvmlDeviceGetMPSComputeRunningProcesses=[process(2, 7), process(5, UNKNOWN)],
    )
    assert machine.card().processes == {1: GIB, 2: 7, 3: 5, 4: 6, 5: None}


@pytest.mark.parametrize(
    "status",
    [
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    ],
)
def test_hidden_processes_are_no_empty_list(machine: Machine, status: int) -> None:
    kinds = ("Compute", "Graphics", "MPSCompute")
    machine.fails(*(f"nvmlDeviceGet{kind}RunningProcesses" for kind in kinds), status=status)
    assert machine.card().processes is None
    machine.says(nvmlDeviceGetGraphicsRunningProcesses=[])
    assert machine.card().processes == {}


def test_processes_of_older_drivers(machine: Machine) -> None:
    machine.says(nvmlDeviceGetComputeRunningProcesses_v2=[process(9, 8)])
    assert machine.card().processes == {9: 8}


def test_memory_that_is_not_told_is_none(machine: Machine) -> None:
    machine.says(nvmlDeviceGetMemoryInfo=SimpleNamespace(total=GIB, used=UNKNOWN, free=UNKNOWN))
    card = machine.card()
    assert (card.memory_total, card.memory_used, card.memory_free) == (GIB, None, None)


# -- Slices --------------------------------------------------------------------------


@pytest.fixture
def divided(machine: Machine) -> Machine:
    def slice_at(handle: object, place: int) -> str:
        if place not in (1, 4):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return {1: "first", 4: "second"}[place]

    memory = {
        "first": SimpleNamespace(total=10 * GIB, used=GIB, free=9 * GIB),
        "second": SimpleNamespace(total=20 * GIB, used=0, free=20 * GIB),
    }
    uuids = {"card": UUID, "first": SLICES[0], "second": SLICES[1]}

    def memory_of(handle: str) -> SimpleNamespace:
        if handle == "card":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        return memory[handle]

    machine.play(
        nvmlDeviceGetMigDeviceHandleByIndex=slice_at,
        nvmlDeviceGetUUID=lambda handle: uuids[handle],
        nvmlDeviceGetHandleByUUID=lambda uuid: {v: k for k, v in uuids.items()}[uuid],
        nvmlDeviceGetMemoryInfo=memory_of,
        nvmlDeviceGetComputeRunningProcesses=lambda handle: (
            [process(3, GIB)] if handle == "first" else []
        ),
        nvmlDeviceGetGpuInstanceId=lambda handle: {"first": 5, "second": 6}[handle],
    )
    machine.says(nvmlDeviceGetMaxMigDeviceCount=7, nvmlDeviceGetMigMode=[1, 1])
    return machine


def test_slices(divided: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "cuda_order", lambda: ({UUID: 0, SLICES[1]: 0}, None))
    found = nvml.snapshot()
    (card,) = found.cards
    assert card.mig is True and card.memory_total is None
    assert card.mig_instances == (
        MigInstance(
            index=1,
            uuid=SLICES[0],
            memory_total=10 * GIB,
            memory_used=GIB,
            memory_free=9 * GIB,
            processes={3: GIB},
            gpu_instance=5,
        ),
        MigInstance(
            index=4,
            cuda_index=0,
            uuid=SLICES[1],
            memory_total=20 * GIB,
            memory_used=0,
            memory_free=20 * GIB,
            processes={},
            gpu_instance=6,
        ),
    )
    # What CUDA calls 0 is the slice, not all of its card.
    assert found.device(0) is card.mig_instances[1]
    assert found.device(1) is None
    assert found.cuda_order == {UUID: 0, SLICES[1]: 0}


def test_slices_of_a_card_whose_mode_is_off_are_not_looked_for(divided: Machine) -> None:
    divided.says(nvmlDeviceGetMigMode=[0, 1])
    assert divided.card().mig_instances == ()


def test_device_of_a_whole_card(machine: Machine) -> None:
    found = nvml.snapshot()
    assert found.device(0) is found.cards[0]
    assert Snapshot().device(0) is None


# -- Again and again -----------------------------------------------------------------


def test_snapshot_like_an_earlier_one_asks_no_process(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = nvml.snapshot()
    monkeypatch.setattr(nvml, "cuda_order", lambda: pytest.fail("CUDA was asked"))
    machine.says(nvmlDeviceGetTemperature=50)
    again = nvml.snapshot(like=first)
    assert (again.cards[0].cuda_index, again.cards[0].temperature) == (0, 50)
    assert again.problem is None
    unseen = Snapshot("580", None, (Card(0, None, uuid=UUID),), "CUDA sees no card")
    assert nvml.snapshot(like=unseen).problem == "CUDA sees no card"


def test_snapshots_travel(machine: Machine) -> None:
    machine.says(nvmlDeviceGetComputeRunningProcesses=[process(9, 8)])
    found = nvml.snapshot()
    assert pickle.loads(pickle.dumps(found)) == found
    assert len({found, nvml.snapshot()}) == 1


def test_opened_is_counted(machine: Machine) -> None:
    with nvml.opened():
        nvml.snapshot()
        with nvml.opened():
            assert machine.open == 2
        assert machine.open == 1
    assert machine.open == 0


def test_opened_without_a_driver(machine: Machine) -> None:
    machine.fails("nvmlInit", status=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    with pytest.raises(pynvml.NVMLError), nvml.opened():
        pytest.fail("was opened")


def test_watch_looks_for_its_card_once(machine: Machine) -> None:
    looked: list[str] = []
    machine.play(nvmlDeviceGetHandleByUUID=lambda uuid: looked.append(uuid) or "card")
    machine.says(nvmlDeviceGetMemoryInfo=SimpleNamespace(total=4, used=1, free=3))
    with Watch(UUID) as watch:
        assert [watch.memory() for _ in range(3)] == [DeviceMemory(4, 1, 3)] * 3
        assert (looked, machine.open) == ([UUID], 1)
        watch.close()
        assert machine.open == 0
        assert watch.memory() == DeviceMemory(4, 1, 3)  # it opens again
        assert machine.open == 1
    assert machine.open == 0


def test_watch_counts_joules_where_the_card_does(machine: Machine) -> None:
    machine.play(nvmlDeviceGetHandleByUUID=lambda uuid: "card")
    machine.says(nvmlDeviceGetTotalEnergyConsumption=12_500)
    with Watch(UUID) as watch:
        assert watch.energy() == 12.5
        machine.fails("nvmlDeviceGetTotalEnergyConsumption", status=pynvml.NVML_ERROR_NOT_SUPPORTED)
        assert watch.energy() is None
    assert machine.open == 0


def test_watch_of_a_slice(divided: Machine) -> None:
    with Watch(SLICES[0]) as watch:
        assert watch.memory() == DeviceMemory(10 * GIB, GIB, 9 * GIB, {3: GIB})


def test_watch_of_a_card_that_is_lost_and_comes_back(machine: Machine) -> None:
    looked: list[str] = []
    machine.play(nvmlDeviceGetHandleByUUID=lambda uuid: looked.append(uuid) or "card")
    memory = SimpleNamespace(total=4, used=1, free=3)
    machine.says(nvmlDeviceGetMemoryInfo=memory)
    with Watch(UUID) as watch:
        assert watch.memory().total == 4
        machine.fails("nvmlDeviceGetMemoryInfo", status=pynvml.NVML_ERROR_GPU_IS_LOST)
        assert watch.memory() == DeviceMemory()
        machine.fails("nvmlDeviceGetHandleByUUID", status=pynvml.NVML_ERROR_GPU_IS_LOST)
        assert watch.memory() == DeviceMemory()
        machine.play(nvmlDeviceGetHandleByUUID=lambda uuid: looked.append(uuid) or "card")
        machine.says(nvmlDeviceGetMemoryInfo=memory)
        assert watch.memory().total == 4
    assert looked == [UUID] * 2


def test_watch_without_a_driver(machine: Machine) -> None:
    init = pynvml.nvmlInit
    machine.fails("nvmlInit", status=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    machine.says(nvmlDeviceGetMemoryInfo=SimpleNamespace(total=4, used=1, free=3))
    with Watch(UUID) as watch:
        assert watch.memory() == DeviceMemory()
        machine.play(nvmlInit=init)
        assert watch.memory() == DeviceMemory(4, 1, 3)
    assert machine.open == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_a_call_of_another_thread(machine: Machine) -> None:
    # Else the child would inherit pynvml's lock, held by a thread that it does not have.
    inside, go_on = threading.Event(), threading.Event()
    returned: list[str] = []

    def memory(handle: object) -> SimpleNamespace:
        inside.set()
        assert go_on.wait(60)
        returned.append("memory")
        return SimpleNamespace(total=4, used=1, free=3)

    machine.play(nvmlDeviceGetMemoryInfo=memory)
    watch = Watch(UUID)
    thread = threading.Thread(target=watch.memory)
    thread.start()
    assert inside.wait(60)
    threading.Timer(0.05, go_on.set).start()
    child = os.fork()
    if child == 0:
        # The lock is free, and the call had ended when this process began.
        os._exit(0 if returned and watch.memory().total == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()


# -- CUDA's numbers ------------------------------------------------------------------


def test_uuid_of_what_cuda_means(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {UUID: 0, SLICES[0]: 0, "GPU-other": 1}
    monkeypatch.setattr(nvml, "known_cuda_order", lambda: (order, None))
    assert nvml.uuid_of(0) == (SLICES[0], None)
    assert nvml.uuid_of(1) == ("GPU-other", None)
    assert nvml.uuid_of(2) == (None, "CUDA sees no card 2")
    monkeypatch.setattr(nvml, "known_cuda_order", lambda: ({}, "no driver"))
    assert nvml.uuid_of(0) == (None, "no driver")


def test_cuda_is_asked_once_for_each_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [({}, "CUDA sees no card"), ({"GPU-a": 0}, None), ({"GPU-b": 0}, None)]
    monkeypatch.setattr(nvml_cuda, "_known", {})
    monkeypatch.setattr(nvml_cuda, "cuda_order", lambda: answers.pop(0))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert nvml_cuda.known_cuda_order() == ({}, "CUDA sees no card")
    for _ in range(3):  # a failure is not remembered
        assert nvml_cuda.known_cuda_order() == ({"GPU-a": 0}, None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert nvml_cuda.known_cuda_order() == ({"GPU-b": 0}, None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert nvml_cuda.known_cuda_order() == ({"GPU-a": 0}, None)
    assert answers == []
