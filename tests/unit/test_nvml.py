"""The snapshot with a driver that is played by functions put in place of pynvml's."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pynvml
import pytest

from gpurun.nvml import Card, Snapshot, snapshot

UUIDS = (
    "GPU-00112233-4455-6677-8899-aabbccddeeff",
    "GPU-ffeeddcc-bbaa-9988-7766-554433221100",
)
GIB = 1024**3


@dataclass
class Driver:
    """What the played driver says, and what was done with it."""

    open: int = 0
    cuda: subprocess.CompletedProcess[str] | Exception | None = None
    asked_cuda: int = 0


def _fail(status: int):
    def function(*arguments: object) -> None:
        # pynvml turns this into the class of the status, as its own functions do.
        raise pynvml.NVMLError(status)

    return function


def _hex(uuid: str) -> str:
    return uuid.removeprefix("GPU-").replace("-", "")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Two cards, which CUDA numbers the other way round."""
    state = Driver()
    state.cuda = subprocess.CompletedProcess(
        [], 0, stdout="".join(_hex(uuid) + "\n" for uuid in reversed(UUIDS)), stderr=""
    )

    def init() -> None:
        state.open += 1

    def shutdown() -> None:
        state.open -= 1

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command[0] == sys.executable
        state.asked_cuda += 1
        if isinstance(state.cuda, Exception):
            raise state.cuda
        assert state.cuda is not None
        return state.cuda

    memory = SimpleNamespace(total=80 * GIB, used=3 * GIB, free=77 * GIB)
    functions = {
        "nvmlInit": init,
        "nvmlShutdown": shutdown,
        "nvmlSystemGetDriverVersion": lambda: "580.82.07",
        "nvmlSystemGetCudaDriverVersion": lambda: 13020,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda handle: UUIDS[handle],
        "nvmlDeviceGetName": lambda handle: f"Card {handle}",
        "nvmlDeviceGetMemoryInfo": lambda handle: memory,
    }
    # Whatever is not played is not there, even where there is a driver.
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    for name, function in functions.items():
        monkeypatch.setattr(pynvml, name, function)
    monkeypatch.setattr(subprocess, "run", run)
    return state


def _full_card(nvml_index: int, cuda_index: int | None) -> Card:
    return Card(
        nvml_index=nvml_index,
        cuda_index=cuda_index,
        name=f"Card {nvml_index}",
        uuid=UUIDS[nvml_index],
        memory_total=80 * GIB,
        memory_used=3 * GIB,
        memory_free=77 * GIB,
    )


def test_cards_are_described(driver: Driver) -> None:
    assert snapshot() == Snapshot(
        driver_version="580.82.07",
        cuda_version=(13, 2),
        cards=(_full_card(0, 1), _full_card(1, 0)),
        problem=None,
    )
    assert driver.open == 0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver is installed"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "installed but not loaded"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "restart the machine"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "no permission"),
        (pynvml.NVML_ERROR_UNKNOWN, "does not answer"),
        (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "does not answer"),
    ],
)
def test_no_driver_is_a_value(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, status: int, expected: str
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", _fail(status))
    found = snapshot()
    assert (found.driver_version, found.cuda_version, found.cards) == (None, None, ())
    assert found.problem is not None
    assert expected in found.problem
    assert driver.asked_cuda == 0


def test_without_a_library_pynvml_itself_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(*arguments: object, **options: object) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", no_library)
    problem = snapshot().problem
    assert problem is not None
    assert "no NVIDIA driver is installed" in problem


def test_driver_without_cards(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    assert snapshot() == Snapshot("580.82.07", (13, 2), (), "the NVIDIA driver finds no card")
    assert (driver.open, driver.asked_cuda) == (0, 0)


def test_cards_that_cannot_be_counted(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", _fail(pynvml.NVML_ERROR_NO_PERMISSION))
    found = snapshot()
    assert (found.cards, found.problem) == ((), "no permission to use the NVIDIA driver")
    assert (driver.open, driver.asked_cuda) == (0, 0)


MEMORY = {"memory_total", "memory_used", "memory_free"}
#: The figures that the played driver gives, by the function that is asked.
FIELDS = (
    ("nvmlDeviceGetName", {"name"}),
    ("nvmlDeviceGetUUID", {"uuid", "cuda_index"}),
    ("nvmlDeviceGetMemoryInfo", MEMORY),
    ("nvmlDeviceGetHandleByIndex", {"name", "uuid", "cuda_index", *MEMORY}),
)


@pytest.mark.parametrize(("function", "missing"), FIELDS)
@pytest.mark.parametrize("status", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_GPU_IS_LOST])
def test_field_that_is_not_available_is_none(
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    missing: set[str],
    status: int,
) -> None:
    monkeypatch.setattr(pynvml, function, _fail(status))
    found = snapshot()
    assert [card.nvml_index for card in found.cards] == [0, 1]
    for card in found.cards:
        given = set[str]().union(*(fields for _, fields in FIELDS))
        assert {name for name in given if getattr(card, name) is None} == missing
    assert found.driver_version == "580.82.07"
    assert driver.open == 0


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("nvmlSystemGetDriverVersion", "driver_version"),
        ("nvmlSystemGetCudaDriverVersion", "cuda_version"),
    ],
)
def test_version_that_is_not_available_is_none(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, function: str, field: str
) -> None:
    monkeypatch.setattr(pynvml, function, _fail(pynvml.NVML_ERROR_UNKNOWN))
    found = snapshot()
    assert getattr(found, field) is None
    assert len(found.cards) == 2


def test_failing_shutdown_is_no_failure(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlShutdown", _fail(pynvml.NVML_ERROR_UNINITIALIZED))
    assert len(snapshot().cards) == 2


def test_card_that_cuda_does_not_see(driver: Driver) -> None:
    # As with CUDA_VISIBLE_DEVICES=1.
    driver.cuda = subprocess.CompletedProcess([], 0, stdout=_hex(UUIDS[1]) + "\n", stderr="")
    assert snapshot().cards == (_full_card(0, None), _full_card(1, 0))
    assert snapshot().problem is None


def test_slices_of_one_card_share_its_first_number(driver: Driver) -> None:
    lines = [_hex(UUIDS[0]), _hex(UUIDS[0]), _hex(UUIDS[1])]
    driver.cuda = subprocess.CompletedProcess([], 0, stdout="\n".join(lines), stderr="")
    assert [card.cuda_index for card in snapshot().cards] == [0, 2]


def test_card_that_cuda_cannot_name_keeps_its_place(driver: Driver) -> None:
    driver.cuda = subprocess.CompletedProcess([], 0, stdout="\n" + _hex(UUIDS[0]), stderr="")
    assert [card.cuda_index for card in snapshot().cards] == [1, None]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (subprocess.CompletedProcess([], 1, "", "error 100\n"), "error 100"),
        (subprocess.CompletedProcess([], -11, "", ""), "status -11"),
        (subprocess.CompletedProcess([], 0, "", ""), "CUDA sees no card"),
        (subprocess.CompletedProcess([], 0, "0" * 32, ""), "none of these cards"),
        (subprocess.TimeoutExpired("python", 60), "60 seconds"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_cards_without_cuda(
    driver: Driver, answer: subprocess.CompletedProcess[str] | Exception, expected: str
) -> None:
    driver.cuda = answer
    found = snapshot()
    assert [card.cuda_index for card in found.cards] == [None, None]
    assert [card.memory_free for card in found.cards] == [77 * GIB] * 2
    assert found.problem is not None
    assert expected in found.problem
