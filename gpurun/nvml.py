"""The NVIDIA cards of this machine, as NVML sees them.

The only module that imports pynvml. Nothing here raises because of a missing driver, card or
figure: a :class:`Snapshot` says what is there, and None stands for "not available".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Self

import pynvml

from gpurun.nvml_cuda import cuda_order, known_cuda_order
from gpurun.nvml_types import Card, DeviceMemory, MigInstance, Snapshot, throttle_names

__all__ = [
    "Card",
    "DeviceMemory",
    "MigInstance",
    "Snapshot",
    "Watch",
    "compute_capabilities",
    "opened",
    "snapshot",
    "uuid_of",
]

# NVML counts its initialisations itself, and may be asked by several threads. But pynvml's own
# lock must not be held by another thread while this one forks: the child would wait for ever.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )

# NVML's answer for a number of bytes that it does not know is 2**64 - 1.
_UNKNOWN_FROM = 2**63


@contextmanager
def opened() -> Generator[None]:
    """Keep NVML initialised. Cheap if something else does already, else up to a second.

    Raises
    ------
    pynvml.NVMLError
        There is no driver, or it does not answer.
    """
    with _lock:
        pynvml.nvmlInit()
    try:
        yield
    finally:
        with _lock, suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _get(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call an NVML function; None if the card or the driver does not offer it."""
    with _lock, suppress(pynvml.NVMLError, pynvml.NVMLLibraryMismatchError, UnicodeError):
        return function(*arguments)
    return None


def _bytes(value: Any) -> int | None:
    return None if value is None or not 0 <= int(value) < _UNKNOWN_FROM else int(value)


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


# -- One card ------------------------------------------------------------------------


def _processes(handle: Any) -> dict[int, int | None] | None:
    """What each process uses. One that both computes and draws is in two lists, with one sum."""
    kinds = (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetGraphicsRunningProcesses,
        pynvml.nvmlDeviceGetMPSComputeRunningProcesses,
    )
    lists = [_get(kind, handle) for kind in kinds]
    if lists[0] is None:  # a driver older than 510
        lists[0] = _get(pynvml.nvmlDeviceGetComputeRunningProcesses_v2, handle)
    if all(one is None for one in lists):
        return None
    found: dict[int, int | None] = {}
    for process in (process for one in lists for process in one or ()):
        here, before = _bytes(process.usedGpuMemory), found.get(process.pid)
        known = [amount for amount in (here, before) if amount is not None]
        found[process.pid] = max(known) if known else None
    return found


def _memory(handle: Any) -> DeviceMemory:
    info = _get(pynvml.nvmlDeviceGetMemoryInfo, handle)
    figures = (None,) * 3 if info is None else (info.total, info.used, info.free)
    total, used, free = (_bytes(figure) for figure in figures)
    return DeviceMemory(total, used, free, _processes(handle))


def _slices(handle: Any, order: dict[str, int]) -> tuple[MigInstance, ...]:
    found: list[MigInstance] = []
    for place in range(_get(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        part = _get(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place)
        if part is None:
            continue
        uuid, memory = _get(pynvml.nvmlDeviceGetUUID, part), _memory(part)
        found.append(
            MigInstance(
                index=place,
                cuda_index=order.get(uuid) if uuid else None,
                name=_get(pynvml.nvmlDeviceGetName, part),
                uuid=uuid,
                memory_total=memory.total,
                memory_used=memory.used,
                memory_free=memory.free,
                processes=memory.processes,
                gpu_instance=_get(pynvml.nvmlDeviceGetGpuInstanceId, part),
                compute_instance=_get(pynvml.nvmlDeviceGetComputeInstanceId, part),
            )
        )
    return tuple(found)


def _throttle_reasons(handle: Any) -> tuple[str, ...] | None:
    bits = _get(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    if bits is None:  # its name before driver 535
        bits = _get(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return None if bits is None else throttle_names(int(bits))


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _switch(modes: Any) -> bool | None:
    return None if modes is None else bool(modes[0])  # now, and after a restart


def _ecc_errors(handle: Any, kind: int) -> int | None:
    return _bytes(_get(pynvml.nvmlDeviceGetTotalEccErrors, handle, kind, pynvml.NVML_VOLATILE_ECC))


def _card(index: int, order: dict[str, int]) -> Card:
    handle = _get(pynvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:  # such as a card that fell off the bus
        return Card(index)
    uuid, memory = _get(pynvml.nvmlDeviceGetUUID, handle), _memory(handle)
    rates = _get(pynvml.nvmlDeviceGetUtilizationRates, handle)
    mig = _switch(_get(pynvml.nvmlDeviceGetMigMode, handle))
    return Card(
        nvml_index=index,
        cuda_index=order.get(uuid) if uuid else None,
        name=_get(pynvml.nvmlDeviceGetName, handle),
        uuid=uuid,
        memory_total=memory.total,
        memory_used=memory.used,
        memory_free=memory.free,
        processes=memory.processes,
        utilisation_gpu=None if rates is None else int(rates.gpu),
        utilisation_memory=None if rates is None else int(rates.memory),
        temperature=_get(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        power=_watts(_get(pynvml.nvmlDeviceGetPowerUsage, handle)),
        power_limit=_watts(_get(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)),
        clock_sm=_get(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        clock_memory=_get(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        throttle_reasons=_throttle_reasons(handle),
        ecc=_switch(_get(pynvml.nvmlDeviceGetEccMode, handle)),
        ecc_corrected=_ecc_errors(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        ecc_uncorrected=_ecc_errors(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        mig=mig,
        mig_instances=_slices(handle, order) if mig else (),
    )


class Watch:
    """Memory and energy of a card or slice, again and again, without looking for it each time.

    Keeps NVML initialised until it is closed. Usable from several threads.

    Parameters
    ----------
    uuid : str
        ``GPU-...`` or ``MIG-...``.
    """

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self._open = False
        self._handle: Any = None

    def memory(self) -> DeviceMemory:
        """The memory as it is now; all None while the card does not answer."""
        with _lock:
            handle = self._card()
            found = DeviceMemory() if handle is None else _memory(handle)
            if found == DeviceMemory():
                self._handle = None  # a card that comes back has another
            return found

    def energy(self) -> float | None:
        """Joules since the driver was loaded; None for slices, old cards, and without an answer."""
        with _lock:
            handle = self._card()
            found = (
                None if handle is None else _get(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
            )
            return None if found is None else found / 1000

    def _card(self) -> Any:
        """Its handle, or None; the lock has to be held."""
        if not self._open:
            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError:
                return None
            self._open = True
        if self._handle is None:
            self._handle = _get(pynvml.nvmlDeviceGetHandleByUUID, self.uuid)
        return self._handle

    def close(self) -> None:
        """Let go of NVML. The next question takes hold of it again."""
        with _lock:
            if self._open:
                self._open, self._handle = False, None
                with suppress(pynvml.NVMLError):
                    pynvml.nvmlShutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- All cards -----------------------------------------------------------------------


def _cuda_version() -> tuple[int, int] | None:
    number = _get(pynvml.nvmlSystemGetCudaDriverVersion)
    return (number // 1000, number % 1000 // 10) if number else None


def snapshot(like: Snapshot | None = None) -> Snapshot:
    """Return the driver and its cards as they are now; never raises for their absence.

    Parameters
    ----------
    like : Snapshot, optional
        An earlier one, whose numbers of CUDA and `problem` are taken over. Without it CUDA is
        asked, by a process of its own, which takes from 0.1 s to seconds.
    """
    try:
        with opened():
            driver = _get(pynvml.nvmlSystemGetDriverVersion)
            try:
                with _lock:
                    count, none = pynvml.nvmlDeviceGetCount(), "the NVIDIA driver finds no card"
            except pynvml.NVMLError as error:
                count, none = 0, _why(error)
            if not count:
                order, problem = {}, none
            elif like is not None:
                order, problem = like.cuda_order, like.problem
            else:
                order, problem = cuda_order()
            cards = tuple(_card(index, order) for index in range(count))
            found = Snapshot(driver, _cuda_version(), cards, problem)
    except pynvml.NVMLError as error:
        return Snapshot(problem=_why(error))
    if problem is None and not found.cuda_order:
        return Snapshot(driver, found.cuda_version, cards, "CUDA sees none of these cards")
    return found


def uuid_of(cuda_index: int) -> tuple[str | None, str | None]:
    """Return the UUID of what CUDA means by a number, and why there is none.

    A slice's own (``MIG-...``) where that is what CUDA sees. CUDA is asked once per process, or
    again after its variables in the environment have changed.
    """
    order, problem = known_cuda_order()
    named = [uuid for uuid, index in order.items() if index == cuda_index]
    if not named:
        return None, problem or f"CUDA sees no card {cuda_index}"
    return max(named), None  # MIG- before GPU-


def compute_capabilities() -> tuple[tuple[int, int], ...]:
    """Return what the cards of this machine can execute, such as (9, 0), in ascending order.

    All cards that the driver finds count, visible to CUDA or not; empty without a driver.
    Unlike :func:`snapshot` this starts no process.
    """
    found: set[tuple[int, int]] = set()
    with suppress(pynvml.NVMLError), opened():
        for index in range(_get(pynvml.nvmlDeviceGetCount) or 0):
            handle = _get(pynvml.nvmlDeviceGetHandleByIndex, index)
            ask = pynvml.nvmlDeviceGetCudaComputeCapability
            pair = None if handle is None else _get(ask, handle)
            if pair is not None:
                found.add((int(pair[0]), int(pair[1])))
    return tuple(sorted(found))
