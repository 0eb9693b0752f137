"""The device named ``"gpurun"``: chooses the backend when it is activated.

The backends derive from different brian2 devices, so one class cannot be both.
`GpurunDevice` is only a name; activating it makes a backend's device active.
"""

from __future__ import annotations

from typing import Any

from brian2.devices import device_module
from brian2.devices.device import Device, all_devices

from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.errors import ConfigError, DeviceUnavailableError

BACKENDS = ("auto", "cpu", "cuda")

#: The one CPU device of this process.
cpu_device = CPPStandaloneDevice()


class GpurunDevice(Device):
    """Stands in ``all_devices`` and hands over to a backend's device."""

    @property
    def backend_device(self) -> CPPStandaloneDevice:
        """The device that does the work."""
        return cpu_device

    def activate(self, build_on_run: bool = True, **kwargs: Any) -> None:
        backend = kwargs.pop("backend", "auto")
        if backend not in BACKENDS:
            raise ConfigError(
                f"backend={backend!r} is not known; use one of {', '.join(map(repr, BACKENDS))}.",
                setting="backend",
            )
        if backend == "cuda":
            raise DeviceUnavailableError(
                "backend='cuda' was asked for, but this version of gpurun has no CUDA backend "
                "yet. Use backend='auto' or 'cpu'.",
                device="cuda",
            )
        # Without a directory the sources of a resident model are of no interest to the user
        kwargs.setdefault("directory", None)
        device_module.active_device = self.backend_device
        self.backend_device.activate(build_on_run=build_on_run, **kwargs)

    def reinit(self) -> None:
        self.backend_device.reinit()

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
