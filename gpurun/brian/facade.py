"""The device named ``"gpurun"``: chooses the backend when it is activated.

The backends derive from different brian2 devices, so one class cannot be both.
`GpurunDevice` is only a name; activating it makes a backend's device active.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from brian2.devices import device_module
from brian2.devices.device import Device, all_devices

from gpurun.brian import compiler_flags
from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.config import parse_device, settings
from gpurun.errors import ConfigError

BACKENDS = ("auto", "cpu", "cuda")

#: The one CPU device of this process.
cpu_device = CPPStandaloneDevice()

_made: list[CPPStandaloneDevice] = [cpu_device]


@functools.cache
def cuda_device() -> CPPStandaloneDevice:
    """The one CUDA device of this process, which imports brian2cuda."""
    from gpurun.brian.cuda import CUDAStandaloneDevice

    _made.append(CUDAStandaloneDevice())
    return _made[-1]


def backend_devices() -> tuple[CPPStandaloneDevice, ...]:
    """The backends' devices that exist in this process."""
    return tuple(_made)


@functools.lru_cache(maxsize=4)
def _card_is_usable(environment: tuple[str | None, ...]) -> bool:
    del environment  # part of the cache's key only: asking for the cards takes a while
    from gpurun.toolchain_nvcc import cuda_problem

    return cuda_problem() is None


def choose_backend(requested: str = "auto") -> str:
    """Return ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    requested : {"auto", "cpu", "cuda"}
        ``"auto"`` is what the command line or ``GPURUN_DEVICE`` says. If they leave it open,
        too, it is CUDA where a card can be used and nvcc is there to compile for it.
    """
    for kind in (requested, parse_device(settings().device).kind):
        if kind != "auto":
            return kind
    names = ("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "PATH")
    usable = _card_is_usable(tuple(os.environ.get(name) for name in names))
    return "cuda" if usable else "cpu"


def backend_device(backend: str) -> CPPStandaloneDevice:
    """Return the device of a backend, ``"cpu"`` or ``"cuda"``."""
    return cuda_device() if backend == "cuda" else cpu_device


class GpurunDevice(Device):
    """Stands in ``all_devices`` and hands over to a backend's device."""

    #: The device that does the work.
    backend_device: CPPStandaloneDevice = cpu_device

    def activate(self, build_on_run: bool = True, **kwargs: Any) -> None:
        backend = kwargs.pop("backend", "auto")
        if backend not in BACKENDS:
            raise ConfigError(
                f"backend={backend!r} is not known; use one of {', '.join(map(repr, BACKENDS))}.",
                setting="backend",
            )
        compiler_flags.install()
        self.backend_device = backend_device(choose_backend(backend))
        # Without a directory the sources of a resident model are of no interest to the user
        kwargs.setdefault("directory", None)
        device_module.active_device = self.backend_device
        self.backend_device.activate(build_on_run=build_on_run, **kwargs)

    def reinit(self) -> None:
        for device in backend_devices():
            device.reinit()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.backend_device, name)


def install() -> GpurunDevice:
    """Register the device ``"gpurun"``; returns it."""
    device = all_devices.get("gpurun")
    if not isinstance(device, GpurunDevice):
        device = all_devices["gpurun"] = GpurunDevice()
    return device
