"""The NVIDIA cards of this machine, as NVML sees them.

The only module that imports pynvml. Nothing here raises because of a missing driver, card or
figure: a :class:`Snapshot` says what is there, and None stands for "not available".
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pynvml

# Starting the driver on a sleeping machine with many cards takes a while (seconds).
_PATIENCE = 60

# Run by another process, because a process that has called cuInit cannot use CUDA in the
# processes it forks, and does not notice a later change of CUDA_VISIBLE_DEVICES. The first
# version of cuDeviceGetUuid is meant: for a slice of a card it gives the card's own identity,
# as NVML does.
_LIST_CUDA = """\
import ctypes, sys
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    sys.exit(f"libcuda.so.1 cannot be loaded ({error})")
count, device, uuid = ctypes.c_int(), ctypes.c_int(), (ctypes.c_ubyte * 16)()
status = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
if status == 100:
    sys.exit("CUDA sees no card")
if status:
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(status, ctypes.byref(text))
    reason = (text.value or b"unknown").decode()
    sys.exit(f"the driver does not start CUDA (error {status}: {reason})")
for index in range(count.value):
    status = cuda.cuDeviceGet(ctypes.byref(device), index)
    status = status or cuda.cuDeviceGetUuid(ctypes.byref(uuid), device)
    print("" if status else bytes(uuid).hex())
"""


@dataclass(frozen=True)
class Card:
    """One card, at one moment.

    Attributes
    ----------
    nvml_index : int
        Its number for ``nvidia-smi``: by PCI bus.
    cuda_index : int or None
        Its number for CUDA in this process, as in ``--device cuda:N``. None if CUDA does not
        see it, for instance because ``CUDA_VISIBLE_DEVICES`` leaves it out.
    name, uuid : str or None
    memory_total, memory_used, memory_free : int or None
        In bytes; None on cards that have no memory of their own.
    """

    nvml_index: int
    cuda_index: int | None = None
    name: str | None = None
    uuid: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    memory_free: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """The driver and its cards, at one moment.

    Attributes
    ----------
    driver_version : str or None
        None: there is no driver, or it does not answer.
    cuda_version : tuple of (int, int) or None
        The newest CUDA that the driver supports.
    cards : tuple of Card
        In the order of their NVML index.
    problem : str or None
        Why CUDA can use none of the cards; None if it can use at least one.
    """

    driver_version: str | None = None
    cuda_version: tuple[int, int] | None = None
    cards: tuple[Card, ...] = ()
    problem: str | None = None


def _get(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call an NVML function; None if the card or the driver does not offer it."""
    try:
        return function(*arguments)
    except pynvml.NVMLError:
        return None


def _why(error: pynvml.NVMLError) -> str:
    # pynvml makes one class per status and keeps the status in `value`.
    status = getattr(error, "value", None)
    if status == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)"
    if status == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return "the NVIDIA driver is installed but not loaded"
    if status == pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return "the NVIDIA driver was updated while it was running; restart the machine"
    if status == pynvml.NVML_ERROR_NO_PERMISSION:
        return "no permission to use the NVIDIA driver"
    return f"the NVIDIA driver does not answer ({error})"


def _cuda_order() -> tuple[dict[str, int], str | None]:
    """Return the CUDA index of each card by UUID, and why there are none."""
    try:
        # Isolated: a script's own ctypes.py must not be imported.
        said = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LIST_CUDA],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, TypeError, subprocess.SubprocessError) as error:
        return {}, f"CUDA could not be asked for its cards ({error})"
    if said.returncode != 0:
        return {}, said.stderr.strip() or f"CUDA ended with status {said.returncode}"
    order: dict[str, int] = {}
    for index, text in enumerate(said.stdout.splitlines()):
        if len(text) == 32:
            parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
            # Slices of one card share its identity; the first is what a number reaches.
            order.setdefault("GPU-" + "-".join(parts), index)
    return order, None if order else "CUDA sees no card"


def _card(index: int, order: dict[str, int]) -> Card:
    handle = _get(pynvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:  # such as a card that fell off the bus
        return Card(index)
    uuid = _get(pynvml.nvmlDeviceGetUUID, handle)
    memory = _get(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return Card(
        nvml_index=index,
        cuda_index=order.get(uuid) if uuid else None,
        name=_get(pynvml.nvmlDeviceGetName, handle),
        uuid=uuid,
        memory_total=int(memory.total) if memory else None,
        memory_used=int(memory.used) if memory else None,
        memory_free=int(memory.free) if memory else None,
    )


def _cuda_version() -> tuple[int, int] | None:
    number = _get(pynvml.nvmlSystemGetCudaDriverVersion)
    return (number // 1000, number % 1000 // 10) if number else None


def snapshot() -> Snapshot:
    """Return the driver and its cards as they are now; never raises for their absence."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Snapshot(problem=_why(error))
    try:
        driver = _get(pynvml.nvmlSystemGetDriverVersion)
        try:
            count, none = pynvml.nvmlDeviceGetCount(), "the NVIDIA driver finds no card"
        except pynvml.NVMLError as error:
            count, none = 0, _why(error)
        order, problem = _cuda_order() if count else ({}, none)
        cards = tuple(_card(index, order) for index in range(count))
        if problem is None and all(card.cuda_index is None for card in cards):
            problem = "CUDA sees none of these cards"
        return Snapshot(driver, _cuda_version(), cards, problem)
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def compute_capabilities() -> tuple[tuple[int, int], ...]:
    """Return what the cards of this machine can execute, such as (9, 0), in ascending order.

    All cards that the driver finds count, visible to CUDA or not; empty without a driver.
    Unlike :func:`snapshot` this starts no process.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found: set[tuple[int, int]] = set()
        for index in range(_get(pynvml.nvmlDeviceGetCount) or 0):
            handle = _get(pynvml.nvmlDeviceGetHandleByIndex, index)
            pair = (
                None if handle is None else _get(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
            )
            if pair is not None:
                found.add((int(pair[0]), int(pair[1])))
        return tuple(sorted(found))
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
