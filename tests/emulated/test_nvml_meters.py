"""Figures, slices, hidden processes and meters, with the emulated NVML as a real library."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.cuda_emulator.driver import prepare
from tests.emulated.machines import GPURUN, Machine, Tenant, compile_tenant
from tests.emulated.programs import compile_program

MIB = 1 << 20
GIB = 1 << 30
MIG = "MIG-e{0}0c0de0-c0da-5e00-8e00-00000000000{0}"
pytestmark = pytest.mark.timeout(120)

#: All that a snapshot asks of a card, beside what it is called.
FUNCTIONS = (
    "MemoryInfo",
    "ComputeRunningProcesses",
    "GraphicsRunningProcesses",
    "MPSComputeRunningProcesses",
    "UtilizationRates",
    "Temperature",
    "PowerUsage",
    "EnforcedPowerLimit",
    "ClockInfo",
    "CurrentClocksEventReasons",
    "CurrentClocksThrottleReasons",
    "EccMode",
    "TotalEccErrors",
    "MigMode",
    "MaxMigDeviceCount",
)


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


def tenant(machine: Machine, device: int, size: int) -> Tenant:
    """A process that holds memory on a card, or slice, by its number for the emulator."""
    found = machine.tenant()
    found.say(f"attach {device}")
    found.say(f"add {device} {size}")
    return found


# -- Figures -------------------------------------------------------------------------


def test_all_figures(machine: Machine) -> None:
    machine.set(
        "memory=80G",
        "name=NVIDIA H100",
        "nvml.processes=4000001:2G;4000002:1G",
        "nvml.utilization.gpu=93",
        "nvml.utilization.memory=40",
        "nvml.temperature=41",
        "nvml.power=412345",
        "nvml.power.limit=700000",
        "nvml.clock.sm=1755",
        "nvml.clock.memory=2619",
        "nvml.clock.reasons=0x44",
        "nvml.ecc.corrected=12",
        "nvml.ecc.uncorrected=1",
        "nvml.ecc.corrected.ever=500",
    )
    (card,) = machine.snapshot()["cards"]
    assert card == {
        "nvml_index": 0,
        "cuda_index": 0,
        "name": "NVIDIA H100",
        "uuid": "GPU-e00c0de0-c0da-4e00-8e00-000000000000",
        "memory_total": 80 * GIB,
        "memory_used": 3 * GIB,
        "memory_free": 77 * GIB,
        "processes": {"4000001": 2 * GIB, "4000002": GIB},
        "utilisation_gpu": 93,
        "utilisation_memory": 40,
        "temperature": 41,
        "power": 412.345,
        "power_limit": 700.0,
        "clock_sm": 1755,
        "clock_memory": 2619,
        "throttle_reasons": ["power cap", "hardware thermal slowdown"],
        "ecc": True,
        "ecc_corrected": 12,
        "ecc_uncorrected": 1,
        "mig": False,
        "mig_instances": [],
    }


def test_errors_are_not_counted_where_memory_is_not_checked(machine: Machine) -> None:
    machine.set("nvml.ecc=off")
    (card,) = machine.snapshot()["cards"]
    assert [card[name] for name in ("ecc", "ecc_corrected", "ecc_uncorrected")] == [
        *(False, None, None)
    ]


@pytest.mark.parametrize("status", ["NOT_SUPPORTED", "NO_PERMISSION", "UNKNOWN", "TIMEOUT"])
def test_card_that_supports_nothing(machine: Machine, status: str) -> None:
    machine.set(
        "devices=2", *(f"device0.nvml.error.nvmlDeviceGet{name}={status}" for name in FUNCTIONS)
    )
    poor, rich = machine.snapshot()["cards"]
    known = {"nvml_index", "cuda_index", "name", "uuid", "mig_instances"}
    assert {name for name, value in poor.items() if value is not None} == known
    assert [name for name, value in rich.items() if value is None] == []


def test_driver_that_is_updated_under_a_watch(machine: Machine) -> None:
    machine.set("nvml.memory.used=1G")
    found = machine.ask_gpurun("""\
watch, said = nvml.Watch("GPU-e00c0de0-c0da-4e00-8e00-000000000000"), []
def look(*lines):
    with open(os.environ["CUDA_EMULATOR_FILE"], "w") as file: file.write("\\n".join(lines))
    memory = watch.memory()
    said.append([memory.total, memory.used, memory.processes])
look("nvml.memory.used=1G")
look("lost=on")
look("nvml.error.nvmlDeviceGetMemoryInfo=GPU_IS_LOST")
look("devices=0")
look("nvml.memory.used=512M", "nvml.processes=7:256M")
said""")
    lost = [None, None, None]
    back = [2 * GIB, 768 * MIB, {"7": 256 * MIB}]
    assert found == [[2 * GIB, GIB, {}], lost, [None, None, {}], lost, back]


def test_nvml_stays_open_as_long_as_it_is_watched(machine: Machine) -> None:
    found = machine.ask_gpurun("""\
import pynvml
def is_open():
    try: return pynvml.nvmlDeviceGetCount() == 1
    except pynvml.NVMLError: return False
meter = meter_for("cuda:0")
said = [is_open()]
meter.sample(), nvml.snapshot()
said.append(is_open())
meter.close()
said.append(is_open())
said""")
    assert found == [False, True, False]


# -- Containers ----------------------------------------------------------------------

OWN = """\
with open(os.environ["CUDA_EMULATOR_FILE"], "a") as file: file.write(f"nvml.processes={PID}:1G")
meter, sample = CardMeter(0), None
sample = meter.sample()
[nvml.snapshot().cards[0].processes, sample.used, sample.own]"""


@pytest.mark.parametrize(
    ("setting", "listed", "known"),
    [
        ("nvml.processes.list=hidden", {}, False),
        ("nvml.processes.memory=unsupported", None, False),
        ("nvml.processes.list=shown", GIB, True),
    ],
)
def test_containers_that_hide_processes(
    machine: Machine, setting: str, listed: Any, known: bool
) -> None:
    machine.set(setting)
    code = "import gpurun.meter\ngpurun.meter._driver_knows_our_ids = lambda: False\n"
    processes, used, own = machine.ask_gpurun(code + OWN.replace("{PID}", "{os.getpid()}"))
    assert list(processes.values()) == ([] if listed == {} else [listed])
    assert used == GIB
    assert own == (GIB if known else None)


@pytest.mark.parametrize("status", ["NOT_SUPPORTED", "NO_PERMISSION"])
def test_containers_that_refuse_to_list_processes(machine: Machine, status: str) -> None:
    kinds = ("Compute", "Graphics", "MPSCompute")
    machine.set(*(f"nvml.error.nvmlDeviceGet{kind}RunningProcesses={status}" for kind in kinds))
    assert machine.ask_gpurun(OWN.replace("{PID}", "{os.getpid()}")) == [None, GIB, None]


def test_process_that_uses_nothing(machine: Machine) -> None:
    machine.set("")
    code = "import gpurun.meter\ngpurun.meter._driver_knows_our_ids = lambda: True\n"
    found = machine.ask_gpurun(code + OWN.replace("{PID}", "4000001"))
    assert found == [{"4000001": GIB}, GIB, 0]


# -- Machines without a card ---------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["nvml.missing=1"], "CUDA sees no card"),
        (["devices=0"], "CUDA sees no card"),
        (["lost=on"], "CUDA sees no card"),
        (["cuda.error.cuInit=CUDA_ERROR_UNKNOWN"], "the driver does not start CUDA (error 999"),
        (["devices=1"], "CUDA sees no card 3"),
    ],
)
def test_meter_of_a_card_that_is_not_there(
    machine: Machine, lines: list[str], problem: str
) -> None:
    machine.set(*lines)
    found = machine.ask_gpurun("""\
meter = meter_for("cuda:3")
sample = meter.sample()
[sample.total, sample.used, sample.free, sample.own, meter.uuid, meter.problem]""")
    assert found[:5] == [None] * 5
    assert found[5].startswith(problem)


def test_meter_without_nvml(machine: Machine) -> None:
    # As in a container that was given CUDA's library alone.
    own = machine.folder / "own"
    own.mkdir()
    (own / "libnvidia-ml.so.1").write_text("not a library")
    (own / "libcuda.so.1").symlink_to(machine.libraries / "libcuda.so.1")
    machine.environment["LD_LIBRARY_PATH"] = str(own)
    found = machine.ask_gpurun("""\
meter = meter_for("cuda:0")
sample = meter.sample()
[sample.total, sample.own, meter.uuid is None]""")
    assert found == [None, None, False]


# -- Meters --------------------------------------------------------------------------


SAMPLER = """\
import sys
with Sampler(CardMeter(0, pids=[int(sys.argv[1])]), period=0.001) as sampler:
    for line in sys.stdin:
        now = time.time()
        while sampler.latest is None or sampler.latest.time < now: time.sleep(0.001)
        peak = sampler.peak
        print(sampler.latest.used >> 20, peak.used >> 20, peak.own >> 20, flush=True)
        if line == "reset\\n": sampler.reset()
line = sampler.timeline()
print(line.peak.used >> 20, set(line.total) == {float(4 << 30)}, sampler.error)
"""


def test_sampler_sees_what_other_processes_do(machine: Machine) -> None:
    machine.set("devices=2", "device1.speed=2", "device1.memory=4G", "nvml.memory.used=32M")
    worker = tenant(machine, 1, 512 * MIB)
    sampler = machine.tenant(sys.executable, "-c", GPURUN + SAMPLER, str(worker.pid))
    assert sampler.say("look") == "544 544 512"
    worker.say(f"add 1 {256 * MIB}")
    assert sampler.say("look") == "800 800 768"
    worker.say(f"add 1 {-700 * MIB}")
    assert sampler.say("reset") == "100 800 768"
    assert sampler.say("look") == "100 100 68"
    assert sampler.process.communicate()[0] == "800 True None\n"


# -- Slices (MIG) --------------------------------------------------------------------

DIVIDED = (
    "memory=40G",
    "name=NVIDIA A100",
    "nvml.mig=on",
    "nvml.mig.slices=2",
    "device1.memory=10G",
    "device2.memory=20G",
)


def test_slices(machine: Machine) -> None:
    machine.set(*DIVIDED)
    small, large = tenant(machine, 1, GIB), tenant(machine, 2, 4 * GIB)
    (card,) = machine.snapshot()["cards"]
    assert (card["mig"], card["cuda_index"], card["memory_used"]) == (True, 0, 5 * GIB)
    assert card["processes"] == {str(small.pid): GIB, str(large.pid): 4 * GIB}
    assert (card["utilisation_gpu"], card["utilisation_memory"]) == (None, None)
    first = {
        "index": 0,
        "cuda_index": 0,  # CUDA gives a process the first
        "name": "NVIDIA A100 MIG",
        "uuid": MIG.format(1),
        "memory_total": 10 * GIB,
        "memory_used": GIB,
        "memory_free": 9 * GIB,
        "processes": {str(small.pid): GIB},
        "gpu_instance": 1,
        "compute_instance": 0,
    }
    second = {
        "index": 1,
        "cuda_index": None,
        "name": "NVIDIA A100 MIG",
        "uuid": MIG.format(2),
        "memory_total": 20 * GIB,
        "memory_used": 4 * GIB,
        "memory_free": 16 * GIB,
        "processes": {str(large.pid): 4 * GIB},
        "gpu_instance": 2,
        "compute_instance": 0,
    }
    assert card["mig_instances"] == [first, second]


def test_a_slice_is_chosen_by_its_uuid(machine: Machine) -> None:
    machine.set("devices=2", *(f"device1.{line}" for line in DIVIDED[:4]), "device3.memory=20G")
    other = tenant(machine, 3, 4 * GIB)
    machine.environment["CUDA_VISIBLE_DEVICES"] = MIG.format(3)
    found = machine.ask_gpurun(f"""\
meter = CardMeter(0, pids=[{other.pid}])
sample, shot = meter.sample(), nvml.snapshot()
[meter.uuid, sample.total, sample.used, sample.free, sample.own, asdict(shot)]""")
    assert found[:5] == [MIG.format(3), 20 * GIB, 4 * GIB, 16 * GIB, 4 * GIB]
    whole, divided = found[5]["cards"]
    assert (whole["cuda_index"], divided["cuda_index"], found[5]["problem"]) == (None, 0, None)
    assert [part["cuda_index"] for part in divided["mig_instances"]] == [None, 0]


def test_container_that_was_given_a_slice_alone(machine: Machine) -> None:
    machine.set(*DIVIDED, "device0.nvml.error.nvmlDeviceGetMemoryInfo=NO_PERMISSION")
    machine.environment["CUDA_VISIBLE_DEVICES"] = MIG.format(2)
    (card,) = machine.snapshot()["cards"]
    assert card["memory_total"] is None
    code = "sample = CardMeter(0).sample()\n[sample.total, sample.free]"
    assert machine.ask_gpurun(code) == [20 * GIB] * 2


def test_slice_that_goes_away(machine: Machine) -> None:
    machine.set(*DIVIDED)
    found = machine.ask_gpurun("""\
meter, said = CardMeter(0), []
said.append(meter.sample().total)
with open(os.environ["CUDA_EMULATOR_FILE"], "a") as file: file.write("nvml.mig=off")
said.append(meter.sample().total)
said""")
    assert found == [10 * GIB, None]


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, [3]),  # one slice, and then no whole card
        ("0", [0]),
        ("1", [3]),
        ("0,1", [3]),
        ("2", []),  # a divided card without slices
        (MIG.format(3), [3]),
        (MIG.format(4), [4]),
        (MIG.format(4) + "," + MIG.format(3), [4]),
        ("MIG-e4", [4]),
        ("MIG-ffff", []),
        ("GPU-e1", [3]),
        ("GPU-e0", [0]),
    ],
)
def test_which_slice_cuda_sees(machine: Machine, chosen: str | None, seen: list[int]) -> None:
    machine.set("devices=3", "device1.nvml.mig=on", "device2.nvml.mig=on")
    with (machine.folder / "settings").open("a") as file:
        file.write("device1.nvml.mig.slices=2\n")
    if chosen is not None:
        machine.environment["CUDA_VISIBLE_DEVICES"] = chosen
    assert machine.tenant().say("visible").split() == [str(index) for index in seen]
    found = machine.snapshot()
    (small, large) = found["cards"][1]["mig_instances"]
    expected = {0: [0, None, None], 3: [None, 0, None], 4: [None, None, 0]}
    places = [found["cards"][0]["cuda_index"], small["cuda_index"], large["cuda_index"]]
    assert places == (expected[seen[0]] if seen else [None] * 3)


SLICE_PROGRAM = r"""
#include <cstdio>
#include <cuda_runtime.h>

int main() {
    size_t free = 0, total = 0;
    void* memory = nullptr;
    cudaDeviceProp card;
    cudaGetDeviceProperties(&card, 0);
    const cudaError_t much = cudaMalloc(&memory, size_t(150) << 20);
    const cudaError_t little = cudaMalloc(&memory, size_t(50) << 20);
    cudaMemGetInfo(&free, &total);
    std::printf("%s %zu %zu %d %d %02x\n", card.name, free >> 20, total >> 20, much, little,
                card.uuid.bytes[0] & 255);
    std::fflush(stdout);
    return std::getchar() == 0;
}
"""


def test_the_runtime_uses_a_slice(machine: Machine) -> None:
    machine.set(
        "memory=400M", "name=Whole", "nvml.mig=on", "nvml.mig.slices=2", "device2.memory=100M"
    )
    machine.environment["CUDA_VISIBLE_DEVICES"] = MIG.format(2)
    program = machine.tenant(compile_program(SLICE_PROGRAM, name="slice"))
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == "Whole MIG 50 100 2 0 e2\n"
    (card,) = machine.snapshot()["cards"]
    assert [part["memory_used"] for part in card["mig_instances"]] == [0, 50 * MIB]
    assert card["mig_instances"][1]["processes"] == {str(program.pid): 50 * MIB}
    assert card["memory_used"] == 50 * MIB


def test_more_slices_than_there_is_room_for(machine: Machine) -> None:
    machine.set("devices=15", "nvml.mig=on", "nvml.mig.slices=1")
    said = machine.run("-c", "from gpurun import nvml; nvml.snapshot()", status=None)
    assert "cards and slices together are up to 16" in said.stderr
