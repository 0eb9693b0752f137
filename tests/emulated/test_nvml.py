"""The emulated NVML and CUDA driver, as pynvml and gpurun see them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cuda_emulator.driver import prepare
from tests.emulated.machines import PYNVML, Machine, compile_tenant
from tests.emulated.programs import compile_program

MIB = 1 << 20
GIB = 1 << 30
pytestmark = pytest.mark.timeout(120)  # for what waits for another process


@pytest.fixture(scope="module")
def libraries() -> Path:
    return Path(prepare.nvml())


@pytest.fixture(scope="module")
def tenant_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_tenant(tmp_path_factory.mktemp("tenant"))


@pytest.fixture
def machine(tmp_path: Path, libraries: Path, tenant_program: Path) -> Generator[Machine]:
    machine = Machine(tmp_path, libraries, tenant_program)
    with machine.started:
        yield machine


# -- gpurun --------------------------------------------------------------------------


def test_snapshot(machine: Machine) -> None:
    machine.set(
        "devices=2",
        "name = Emulated card",
        "memory=2G",
        "device1.memory=80G",
        "device1.name=NVIDIA H100",
        "device1.speed=2",
        "device1.nvml.memory.used=20G",
        "driver=570.1.2",
        "cuda=12.8",
    )
    found = machine.snapshot()
    cards = found.pop("cards")
    assert found == {"driver_version": "570.1.2", "cuda_version": [12, 8], "problem": None}
    expected = [
        {
            "nvml_index": 0,
            "cuda_index": 1,  # CUDA begins with the fastest
            "name": "Emulated card",
            "uuid": "GPU-e00c0de0-c0da-4e00-8e00-000000000000",
            "memory_total": 2 * GIB,
            "memory_used": 0,
            "memory_free": 2 * GIB,
        },
        {
            "nvml_index": 1,
            "cuda_index": 0,
            "name": "NVIDIA H100",
            "uuid": "GPU-e10c0de0-c0da-4e00-8e00-000000000001",
            "memory_total": 80 * GIB,
            "memory_used": 20 * GIB,
            "memory_free": 60 * GIB,
        },
    ]
    assert [
        {name: card[name] for name in wanted} for card, wanted in zip(cards, expected, strict=True)
    ] == expected


def test_devices(machine: Machine) -> None:
    machine.set("devices=2", "device1.name=NVIDIA H100", "device1.memory=80G")
    machine.environment["CUDA_VISIBLE_DEVICES"] = "1"
    rows = machine.run("-m", "gpurun", "devices").stdout.splitlines()
    assert rows[2].split() == ["-", *["Emulated", "CUDA", "card", "2.0", "GiB", "2.0", "GiB", "0"]]
    assert rows[3].split() == ["cuda:0", *["NVIDIA", "H100", "80.0", "GiB", "80.0", "GiB", "1"]]
    assert rows[4].startswith("Driver 580.65.06, for CUDA up to 13.0.")


def test_memory_of_another_process(machine: Machine) -> None:
    machine.set("devices=2")
    tenant = machine.tenant()
    tenant.say("attach 1")
    tenant.say(f"add 1 {512 * MIB}")
    assert [card["memory_used"] for card in machine.snapshot()["cards"]] == [0, 512 * MIB]
    assert "1.5 GiB  2.0 GiB" in machine.run("-m", "gpurun", "devices").stdout
    tenant.say(f"add 1 {-128 * MIB}")
    assert [card["memory_used"] for card in machine.snapshot()["cards"]] == [0, 384 * MIB]
    tenant.end()
    assert [card["memory_used"] for card in machine.snapshot()["cards"]] == [0, 0]


def test_doctor(machine: Machine) -> None:
    machine.set("devices=3", "device2.lost=on", "device1.nvml.memory.used=512M", "cuda=11.8")
    text = machine.run("-m", "gpurun", "doctor", status=None).stdout
    lines = {
        line[8:23].strip(): (line[:8].strip(), line[23:].strip()) for line in text.splitlines()
    }
    assert "580.65.06, for CUDA up to 11.8" in lines["NVIDIA driver"][1]
    assert lines["card cuda:0"] == ("ok", "Emulated CUDA card, 2.0 of 2.0 GiB free")
    assert lines["card cuda:1"] == ("ok", "Emulated CUDA card, 1.5 of 2.0 GiB free")
    assert lines["card 2"] == ("warning", "does not answer")
    assert "card 2" not in text.splitlines()[-1]  # others may be usable


NO_CARD = "the NVIDIA driver finds no card"


@pytest.mark.parametrize(
    ("lines", "cards", "problem"),
    [
        (["nvml.missing=1"], 0, "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)"),
        (
            ["nvml.error.nvmlInit=DRIVER_NOT_LOADED"],
            0,
            "the NVIDIA driver is installed but not loaded",
        ),
        (
            ["nvml.error.nvmlInitWithFlags=NVML_ERROR_NO_PERMISSION"],
            0,
            "no permission to use the NVIDIA driver",
        ),
        (
            ["nvml.error.nvmlInit_v2=LIB_RM_VERSION_MISMATCH"],
            0,
            "the NVIDIA driver was updated while it was running; restart the machine",
        ),
        (["devices=0"], 0, NO_CARD),
        (
            ["nvml.error.nvmlDeviceGetCount=NO_PERMISSION"],
            0,
            "no permission to use the NVIDIA driver",
        ),
        (["devices=2", "lost=on"], 2, "CUDA sees no card"),
        (
            ["cuda.error.cuInit=CUDA_ERROR_SYSTEM_NOT_READY"],
            1,
            "the driver does not start CUDA (error 802: system not yet initialized)",
        ),
        (
            ["cuda.error.cuDeviceGetCount=UNKNOWN"],
            1,
            "the driver does not start CUDA (error 999: unknown error)",
        ),
        (["cuda.error.cuDeviceGetUuid=UNKNOWN"], 1, "CUDA sees no card"),
    ],
)
def test_problems(machine: Machine, lines: list[str], cards: int, problem: str) -> None:
    machine.set(*lines)
    found = machine.snapshot()
    assert found["problem"] == problem
    assert [card["cuda_index"] for card in found["cards"]] == [None] * cards


def test_no_library(machine: Machine) -> None:
    empty = machine.folder / "empty"
    empty.mkdir()
    (empty / "libnvidia-ml.so.1").write_text("not a library")
    machine.environment["LD_LIBRARY_PATH"] = str(empty)
    assert machine.snapshot()["problem"].startswith("no NVIDIA driver is installed")


def test_library_of_cuda_is_missing(machine: Machine) -> None:
    own = machine.folder / "own"
    own.mkdir()
    (own / "libnvidia-ml.so.1").symlink_to(machine.libraries / "libnvidia-ml.so.1")
    (own / "libcuda.so.1").write_text("not a library")
    machine.environment["LD_LIBRARY_PATH"] = str(own)
    found = machine.snapshot()
    assert found["problem"].startswith("libcuda.so.1 cannot be loaded")
    assert found["cards"][0]["memory_free"] == 2 * GIB


def test_lost_card(machine: Machine) -> None:
    machine.set("devices=2", "device0.lost=on")
    lost, there = machine.snapshot()["cards"]
    assert {key for key, value in lost.items() if value is not None} == {
        "nvml_index",
        "mig_instances",
    }
    assert there["cuda_index"] == 0
    assert "(does not answer)" in machine.run("-m", "gpurun", "devices").stdout


def test_figures_that_one_card_does_not_offer(machine: Machine) -> None:
    machine.set(
        "devices=2",
        "device0.nvml.memory.used=unsupported",
        "device1.nvml.error.nvmlDeviceGetName=NOT_SUPPORTED",
        "device1.nvml.error.nvmlDeviceGetUUID=UNKNOWN",
    )
    first, second = machine.snapshot()["cards"]
    assert first["memory_free"] is None and first["name"]
    assert (second["name"], second["uuid"], second["cuda_index"]) == (None, None, None)
    assert second["memory_free"] == 2 * GIB


# -- Which cards CUDA sees -----------------------------------------------------------

UUID = "GPU-e{0}0c0de0-c0da-4e00-8e00-00000000000{0}"


@pytest.mark.parametrize(
    ("chosen", "order", "seen"),
    [
        (None, None, [1, 0, 2, 3]),
        (None, "FASTEST_FIRST", [1, 0, 2, 3]),
        (None, "PCI_BUS_ID", [0, 1, 2, 3]),
        ("", None, []),
        ("0", None, [1]),
        ("0", "PCI_BUS_ID", [0]),
        ("3,1", "PCI_BUS_ID", [3, 1]),
        (" 2, 0", "PCI_BUS_ID", [2, 0]),
        ("1,7,0", "PCI_BUS_ID", [1]),  # the list ends at the first that does not exist
        ("1,-1,0", "PCI_BUS_ID", [1]),
        ("-1", None, []),
        ("NoDevFiles", None, []),
        ("2,,0", "PCI_BUS_ID", [2]),
        ("1,1", None, []),  # a card twice: none
        (UUID.format(2), None, [2]),
        ("GPU-e3,GPU-e0", None, [3, 0]),  # as much as is unique
        ("GPU-e3,GPU-e,GPU-e0", None, [3]),
        ("GPU-e3,0", None, [3]),
        ("0,GPU-e3", "PCI_BUS_ID", [0]),
        ("GPU-e3,GPU-e30", None, []),
        ("GPU-ffff", None, []),
    ],
)
def test_visible_cards(
    machine: Machine, chosen: str | None, order: str | None, seen: list[int]
) -> None:
    machine.set("devices=4", "device1.speed=2")
    if chosen is not None:
        machine.environment["CUDA_VISIBLE_DEVICES"] = chosen
    if order is not None:
        machine.environment["CUDA_DEVICE_ORDER"] = order
    # The runtime asks visible_cards() too.
    assert machine.tenant().say("visible").split() == [str(index) for index in seen]
    found = machine.snapshot()
    places = {index: place for place, index in enumerate(seen)}
    assert [card["cuda_index"] for card in found["cards"]] == [places.get(i) for i in range(4)]
    assert found["problem"] == (None if seen else "CUDA sees no card")


def test_driver_functions(machine: Machine) -> None:
    machine.set("devices=2", "device1.memory=3G", "device1.cc=8.6", "device1.sm=7", "cuda=12.4")
    code = """\
import ctypes, json
cuda = ctypes.CDLL("libcuda.so.1")
number, size = ctypes.c_int(), ctypes.c_size_t()
name, uuid, text = ctypes.create_string_buffer(9), (ctypes.c_ubyte * 16)(), ctypes.c_char_p()
said = [cuda.cuDeviceGetCount(ctypes.byref(number)), cuda.cuInit(1), cuda.cuInit(0)]
said += [cuda.cuDeviceGet(ctypes.byref(number), 2), cuda.cuDeviceGet(ctypes.byref(number), 1)]
device = number.value
said += [cuda.cuDeviceGetName(name, 9, device), name.value.decode()]
said += [cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device), size.value]
said += [cuda.cuDeviceGetUuid_v2(uuid, device), bytes(uuid).hex()]
for attribute in (16, 75, 76, 1, 9999):
    said += [cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device), number.value]
said += [cuda.cuDriverGetVersion(ctypes.byref(number)), number.value]
said += [cuda.cuGetErrorName(101, ctypes.byref(text)), text.value.decode()]
said += [cuda.cuGetErrorString(100, ctypes.byref(text)), text.value.decode()]
print(json.dumps(said))
"""
    assert json.loads(machine.run("-c", code).stdout) == [
        *(3, 1, 0),
        *(101, 0),
        *(0, "Emulated"),
        *(0, 3 * GIB),
        *(0, "e10c0de0c0da4e008e00000000000001"),
        *(0, 7, 0, 8, 0, 6, 0, 1024, 1, 1024),
        *(0, 12040),
        *(0, "CUDA_ERROR_INVALID_DEVICE"),
        *(0, "no CUDA-capable device is detected"),
    ]


# -- pynvml --------------------------------------------------------------------------


def test_figures(machine: Machine) -> None:
    machine.set(
        "devices=2",
        "cc=8.6",
        "sm=10",
        "nvml.memory.reserved=256M",
        "nvml.memory.used=512M",
        "nvml.utilization.gpu=42",
        "nvml.utilization.memory=7",
        "nvml.temperature=66",
        "nvml.power=123456",
        "nvml.power.limit=300000",
        "nvml.energy=5000000000000",
        "nvml.clock.sm=1500",
        "nvml.clock.max.memory=5001",
        "nvml.ecc=off",
        "nvml.mig=on",
        "nvml.clock.reasons=0x4",
        "nvml.performance_state=2",
        "device1.pci=0001:3b:00.0",
        "device1.uuid=GPU-11111111-2222-3333-4444-555555555555",
        "device1.nvml.serial=123",
    )
    found = machine.ask(
        """\
one = nvmlDeviceGetHandleByIndex(1)
def plain(struct): return {name: getattr(struct, name) for name, _ in struct._fields_}
{
    "driver": nvmlSystemGetDriverVersion(),
    "nvml": nvmlSystemGetNVMLVersion(),
    "cuda": [nvmlSystemGetCudaDriverVersion(), nvmlSystemGetCudaDriverVersion_v2()],
    "count": nvmlDeviceGetCount(),
    "index": nvmlDeviceGetIndex(one),
    "by uuid": nvmlDeviceGetIndex(nvmlDeviceGetHandleByUUID(nvmlDeviceGetUUID(one))),
    "by pci": [nvmlDeviceGetIndex(nvmlDeviceGetHandleByPciBusId(text))
               for text in ("00000001:3B:00.0", "0001:3b:00.0", "0000:10:00.0", "10:00.0")],
    "minor": nvmlDeviceGetMinorNumber(one),
    "name": nvmlDeviceGetName(one),
    "serial": nvmlDeviceGetSerial(one),
    "vbios": nvmlDeviceGetVbiosVersion(one),
    "pci": plain(nvmlDeviceGetPciInfo(one)),
    "memory": plain(nvmlDeviceGetMemoryInfo(one)),
    "memory v2": plain(nvmlDeviceGetMemoryInfo(one, nvmlMemory_v2)),
    "bar1": plain(nvmlDeviceGetBAR1MemoryInfo(one)),
    "rates": plain(nvmlDeviceGetUtilizationRates(one)),
    "temperature": [nvmlDeviceGetTemperature(one, 0), nvmlDeviceGetTemperatureV(one, 0)],
    "power": [nvmlDeviceGetPowerUsage(one), nvmlDeviceGetEnforcedPowerLimit(one),
              nvmlDeviceGetPowerManagementLimit(one)],
    "energy": nvmlDeviceGetTotalEnergyConsumption(one),
    "clocks": [nvmlDeviceGetClockInfo(one, NVML_CLOCK_SM), nvmlDeviceGetClockInfo(one, 0),
               nvmlDeviceGetMaxClockInfo(one, NVML_CLOCK_MEM)],
    "reasons": nvmlDeviceGetCurrentClocksEventReasons(one),
    "state": nvmlDeviceGetPerformanceState(one),
    "modes": [nvmlDeviceGetComputeMode(one), nvmlDeviceGetPersistenceMode(one)],
    "capability": nvmlDeviceGetCudaComputeCapability(one),
    "architecture": nvmlDeviceGetArchitecture(one) == NVML_DEVICE_ARCH_AMPERE,
    "cores": nvmlDeviceGetNumGpuCores(one),
    "ecc": nvmlDeviceGetEccMode(one),
    "mig": [nvmlDeviceGetMigMode(one), nvmlDeviceGetMaxMigDeviceCount(one)],
    "processes": [nvmlDeviceGetComputeRunningProcesses(one),
                  nvmlDeviceGetGraphicsRunningProcesses(one)],
}""".replace("\n    ", " ")
        .replace("\n}", "}")
        .replace("\n               ", " ")
    )
    assert found == {
        "driver": "580.65.06",
        "nvml": "13.0.580.65.06",
        "cuda": [13000, 13000],
        "count": 2,
        "index": 1,
        "by uuid": 1,
        "by pci": [1, 1, 0, 0],
        "minor": 1,
        "name": "Emulated CUDA card",
        "serial": "123",
        "vbios": "96.00.00.00.01",
        "pci": {
            "busIdLegacy": "0001:3B:00.0",
            "busId": "00000001:3B:00.0",
            "domain": 1,
            "bus": 0x3B,
            "device": 0,
            "pciDeviceId": 0x233010DE,
            "pciSubSystemId": 0x16C110DE,
        },
        "memory": {"total": 2048 * MIB, "free": 1280 * MIB, "used": 768 * MIB},
        "memory v2": {
            "version": 0x02000028,
            "total": 2048 * MIB,
            "reserved": 256 * MIB,
            "free": 1280 * MIB,
            "used": 512 * MIB,
        },
        "bar1": {"bar1Total": 2 * GIB, "bar1Free": 2 * GIB, "bar1Used": 0},
        "rates": {"gpu": 42, "memory": 7},
        "temperature": [66, 66],
        "power": [123456, 300000, 300000],
        "energy": 5000000000000,
        "clocks": [1500, 1980, 5001],
        "reasons": 4,
        "state": 2,
        "modes": [0, 1],
        "capability": [8, 6],
        "architecture": True,
        "cores": 1280,
        "ecc": [0, 0],
        "mig": [[1, 1], 7],
        "processes": [[], []],
    }


def test_processes(machine: Machine) -> None:
    machine.set("devices=2", "device0.nvml.processes=4000001:1G;4000002:256M")
    tenant, elsewhere = machine.tenant(), machine.tenant()
    tenant.say("attach 0")
    tenant.say(f"add 0 {100 * MIB}")
    elsewhere.say("attach 1")
    found = machine.ask("""\
zero = nvmlDeviceGetHandleByIndex(0)
calls = (nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetComputeRunningProcesses_v2)
lists = [[[p.pid, p.usedGpuMemory, p.gpuInstanceId] for p in call(zero)] for call in calls]
details = nvmlDeviceGetRunningProcessDetailList(zero, nvmlProcessDetailList_v1, 0)
lists.append([[p.pid, p.usedGpuMemory, p.gpuInstanceId] for p in details])
[lists, nvmlDeviceGetMemoryInfo(zero).used]""")
    expected = [[tenant.pid, 100 * MIB], [4000001, GIB], [4000002, 256 * MIB]]
    assert found == [[[[*row, 0xFFFFFFFF] for row in expected]] * 3, (1024 + 256 + 100) * MIB]

    machine.set("devices=2", "nvml.processes.memory=unsupported")  # as in a container
    found = machine.ask(
        "[[p.pid, p.usedGpuMemory] for p in "
        "nvmlDeviceGetComputeRunningProcesses(nvmlDeviceGetHandleByIndex(1))]"
    )
    assert found == [[elsewhere.pid, None]]


def test_utilization_of_kernels(machine: Machine) -> None:
    tenant = machine.tenant()
    code = """\
zero = nvmlDeviceGetHandleByIndex(0)
def processes():
    try: return [[s.pid, s.smUtil] for s in nvmlDeviceGetProcessUtilization(zero, 0)]
    except NVMLError_NotFound: return None
[nvmlDeviceGetUtilizationRates(zero).gpu, processes()]"""
    tenant.say("attach 0")
    assert machine.ask(code) == [0, None]
    tenant.say("begin 0")
    assert machine.ask(code) == [100, [[tenant.pid, 100]]]
    tenant.say("end 0")
    assert machine.ask(code) == [0, [[tenant.pid, 0]]]


def test_unsupported_figures(machine: Machine) -> None:
    machine.set("nvml.ecc=unsupported", "nvml.mig=unsupported", "nvml.utilization.gpu=unsupported")
    found = machine.ask("""\
zero = nvmlDeviceGetHandleByIndex(0)
def status(call, *more):
    try: call(zero, *more)
    except NVMLError as error: return error.value
calls = [nvmlDeviceGetEccMode, nvmlDeviceGetMigMode, nvmlDeviceGetUtilizationRates]
[status(call) for call in [*calls, nvmlDeviceGetFanSpeed, nvmlDeviceGetPowerUsage]]""")
    assert found == [3, 3, 3, 3, None]


def test_sizes_and_versions_of_arguments(machine: Machine) -> None:
    machine.set("nvml.processes=11:1M;12:2M")
    found = machine.ask("""\
library = ctypes.CDLL("libnvidia-ml.so.1")
zero, text = nvmlDeviceGetHandleByIndex(0), ctypes.create_string_buffer(100)
said = [library.nvmlDeviceGetName(zero, text, size) for size in (18, 19)]
said.append(library.nvmlDeviceGetName(zero, None, 100))
said.append(library.nvmlDeviceGetName(ctypes.c_void_p(1), text, 100))
said.append(library.nvmlDeviceGetHandleByIndex_v2(1, ctypes.byref(ctypes.c_void_p())))
processes, count = (c_nvmlProcessInfo_t * 2)(), ctypes.c_uint(1)
call = library.nvmlDeviceGetComputeRunningProcesses_v3
said += [call(zero, ctypes.byref(count), processes), count.value, processes[0].pid]
said += [call(zero, ctypes.byref(count), processes), count.value, processes[1].pid]
said.append(library.nvmlDeviceGetMemoryInfo_v2(zero, ctypes.byref(c_nvmlMemory_v2_t(version=1))))
said""")
    assert found == [7, 0, 2, 2, 2, *(7, 2, 0), *(0, 2, 12), 25]


def test_initialization_is_counted(machine: Machine) -> None:
    found = machine.ask("""\
library, count = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_uint()
library.nvmlErrorString.restype = ctypes.c_char_p
nvmlInit()
said = []
for _ in range(3):
    said += [library.nvmlDeviceGetCount_v2(ctypes.byref(count)), library.nvmlShutdown()]
said + [library.nvmlErrorString(1).decode()]""")
    assert found == [0, 0, 0, 0, 1, 1, "Uninitialized"]


def test_settings_change_while_a_process_runs(machine: Machine) -> None:
    machine.environment["CUDA_EMULATOR"] = "devices=2,memory=1G nvml.temperature=40"
    found = machine.ask("""\
one, said = nvmlDeviceGetHandleByIndex(1), []
def look():
    try: said.append([nvmlDeviceGetTemperature(one, 0), nvmlDeviceGetMemoryInfo(one).total >> 20])
    except NVMLError as error: said.append(error.value)
def settings(text):
    with open(os.environ["CUDA_EMULATOR_FILE"], "w") as file: file.write(text)
    look()
look()
settings("# warmer\\nnvml.temperature=90\\n")
settings("device1.memory = 512M\\n")
settings("device1.lost=on\\n")
settings("nvml.error.nvmlDeviceGetTemperature=TIMEOUT")
settings("")
said""")
    assert found == [[40, 1024], [90, 1024], [40, 512], 15, 10, [40, 1024]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nvml.error.nvmlDeviceGetNames=TIMEOUT", "has no nvmlDeviceGetNames"),
        ("device1.nvml.error.nvmlGetName=TIMEOUT", "has no nvmlGetName"),
        ("nvml.error.nvmlDeviceGetName=TIMED_OUT", "'TIMED_OUT' is no status"),
        ("devices=17", "from 0 to 16"),
        ("memory=lots", "'lots' is no number of bytes"),
        ("nvml.missing=maybe", "'maybe' is neither on nor off"),
        ("nvml.processes=12", "no pid:bytes in '12'"),
        ("devices", "no key=value in 'devices'"),
    ],
)
def test_wrong_settings_end_the_process(machine: Machine, line: str, complaint: str) -> None:
    machine.set(line)
    said = machine.run("-c", PYNVML + "nvmlDeviceGetCount()", status=-signal.SIGABRT)
    assert said.stderr.startswith("cuda_emulator: ")
    assert complaint in said.stderr


# -- The CUDA runtime ----------------------------------------------------------------

PROGRAM = r"""
#include <cstdio>
#include <cuda_runtime.h>

__global__ void nothing() {}

int main() {
    char command;
    unsigned long long number;
    void* memory = nullptr;
    while (std::scanf(" %c %llu", &command, &number) == 2) {
        size_t free = 0, total = 0;
        cudaDeviceProp card;
        int value = 0;
        cudaError_t error = cudaSuccess;
        switch (command) {
            case 'd': error = cudaSetDevice(int(number)); break;
            case 'm': error = cudaMalloc(&memory, number); break;
            case 'f': error = cudaFree(memory); break;
            case 'r': error = cudaDeviceReset(); break;
            case 'k': nothing<<<1, 1>>>(); error = cudaDeviceSynchronize(); break;
            case 'i': error = cudaMemGetInfo(&free, &total); break;
            case 'p': error = cudaGetDeviceProperties(&card, int(number)); break;
            case 'a': error = cudaDeviceGetAttribute(&value, cudaDeviceAttr(number), 0); break;
        }
        if (error) {
            cudaGetLastError();
            std::printf("%s\n", cudaGetErrorName(error));
        } else if (command == 'i') {
            std::printf("%zu %zu\n", free >> 20, total >> 20);
        } else if (command == 'p') {
            std::printf("%s|%zu|%d.%d|%d|", card.name, card.totalGlobalMem >> 20, card.major,
                        card.minor, card.pciBusID);
            for (const char byte : card.uuid.bytes) std::printf("%02x", byte & 255);
            std::printf("\n");
        } else {
            std::printf("%d\n", value);
        }
        std::fflush(stdout);
    }
}
"""


@pytest.fixture(scope="module")
def cuda_program() -> Path:
    return compile_program(PROGRAM, name="nvml")


def test_runtime_and_nvml_agree_on_memory(machine: Machine, cuda_program: Path) -> None:
    machine.set("devices=2", "memory=1G", "nvml.memory.reserved=24M", "nvml.memory.used=100M")
    one, other = machine.tenant(cuda_program), machine.tenant(cuda_program)
    assert one.say("d 1") == "0" and other.say("d 1") == "0"
    assert one.say(f"m {600 * MIB}") == "0"
    assert other.say(f"m {400 * MIB}") == "cudaErrorMemoryAllocation"
    assert other.say(f"m {200 * MIB}") == "0"
    assert one.say("i 0") == other.say("i 0") == "100 1000"
    assert one.say("k 0") == "0"
    code = """\
one = nvmlDeviceGetHandleByIndex(1)
memory = nvmlDeviceGetMemoryInfo(one)
processes = nvmlDeviceGetComputeRunningProcesses(one)
processes = [[p.pid, p.usedGpuMemory >> 20] for p in processes]
busy = [s.pid for s in nvmlDeviceGetProcessUtilization(one, 0)]
[[memory.total >> 20, memory.free >> 20, memory.used >> 20], processes, busy]"""
    assert machine.ask(code) == [
        [1024, 100, 924],
        [[one.pid, 600], [other.pid, 200]],
        [one.pid],
    ]
    assert other.say("r 0") == "0"
    assert one.say("f 0") == "0"
    assert one.say("i 0") == "900 1000"
    assert [card["memory_free"] for card in machine.snapshot()["cards"]] == [900 * MIB] * 2


def test_runtime_and_driver_agree_on_cards(machine: Machine, cuda_program: Path) -> None:
    machine.set("devices=3", "device2.speed=2", "device2.name=Fast one", "device1.lost=on")
    tenant = machine.tenant(cuda_program)
    assert tenant.say("p 0") == "Fast one|2048|9.0|18|e20c0de0c0da4e008e00000000000002"
    assert tenant.say("p 1") == "Emulated CUDA card|2048|9.0|16|e00c0de0c0da4e008e00000000000000"
    assert tenant.say("p 2") == "cudaErrorInvalidDevice"
    code = """\
import ctypes, json
cuda, value, known = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), {}
cuda.cuInit(0)
for attribute in range(1, 140):
    if cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0) == 0:
        known[attribute] = value.value
print(json.dumps(known))
"""
    known = json.loads(machine.run("-c", code).stdout)
    assert len(known) > 20
    assert {key: tenant.say(f"a {key}") for key in known} == {k: str(v) for k, v in known.items()}


@pytest.mark.parametrize("line", ["nvml.missing=1", "devices=0", "lost=on"])
def test_runtime_without_cards(machine: Machine, cuda_program: Path, line: str) -> None:
    machine.set(line)
    assert machine.tenant(cuda_program).say("m 100") == "cudaErrorNoDevice"


# -- The state that processes share --------------------------------------------------


def test_memory_that_processes_share(machine: Machine) -> None:
    machine.set("memory=1G", "nvml.memory.reserved=24M", "nvml.memory.used=500M")
    one, other = machine.tenant(), machine.tenant()
    assert one.say(f"try 0 {300 * MIB}") == "yes"
    assert other.say(f"try 0 {201 * MIB}") == "no"
    assert other.say(f"try 0 {200 * MIB}") == "yes"
    assert other.say("used 0") == str(500 * MIB)
    assert machine.snapshot()["cards"][0]["memory_free"] == 0
    one.say(f"add 0 {-300 * MIB}")
    assert other.say(f"try 0 {300 * MIB}") == "yes"
    other.say("detach 0")
    assert one.say("used 0") == "0"


def test_processes_without_a_file_know_nothing_of_each_other(machine: Machine) -> None:
    del machine.environment["CUDA_EMULATOR_STATE"]
    one, other = machine.tenant(), machine.tenant()
    one.say("add 0 100")
    assert (one.say("used 0"), other.say("used 0")) == ("100", "0")
    assert one.say("fork") == "0"


def test_threads_share_their_process(machine: Machine) -> None:
    tenant = machine.tenant()
    tenant.say("attach 0")
    tenant.say("threads 0 3")
    assert machine.tenant().say("used 0") == "24000"


def test_child_starts_with_nothing(machine: Machine) -> None:
    tenant, other = machine.tenant(), machine.tenant()
    tenant.say("attach 0")
    tenant.say("add 0 100")
    assert tenant.say("fork") == "100"  # its parent's
    tenant.say("attach 0")
    tenant.say("add 0 7")
    assert other.say("used 0") == "107"
    tenant.say("detach 0")
    assert other.say("used 0") == "100"


def test_exec_frees_what_a_process_held(machine: Machine) -> None:
    tenant, other = machine.tenant(), machine.tenant()
    tenant.say("add 0 100")
    assert tenant.say("exec") == "done"
    assert tenant.say("add 1 5") == "done"
    assert (other.say("used 0"), other.say("used 1")) == ("0", "5")


def test_slots_of_dead_processes_are_given_away(machine: Machine) -> None:
    for _ in range(130):
        tenant = machine.tenant()
        assert tenant.say("add 0 100") == "done"
        assert tenant.say("used 0") == "100"
        tenant.end()
    assert (machine.folder / "state").stat().st_size == 67600


def test_record_of_a_process_that_had_the_same_number(machine: Machine) -> None:
    tenant = machine.tenant()
    tenant.say("attach 0")
    tenant.say("add 0 100")
    record = machine.folder / "state"
    content = bytearray(record.read_bytes())
    owner = int.from_bytes(content[16:24], sys.byteorder)
    assert owner & 0x3FFFFF == tenant.pid
    content[16:24] = (owner - (1 << 22)).to_bytes(8, sys.byteorder)  # an earlier start
    record.write_bytes(content)
    assert machine.tenant().say("used 0") == "0"


def test_other_files_are_left_alone(machine: Machine) -> None:
    record = machine.folder / "state"
    for content in (b"notes", b"x" * 67600):
        record.write_bytes(content)
        tenant = machine.tenant()
        assert tenant.say("used 0") == ""
        assert "is not a state of this emulator" in tenant.process.communicate()[1]
        assert record.read_bytes() == content
