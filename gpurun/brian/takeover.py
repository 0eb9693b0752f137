"""Lets gpurun stand in for Brian's standalone devices in this process."""

from __future__ import annotations

from typing import Any

from brian2.devices import device_module
from brian2.devices.device import all_devices

from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.brian.facade import cpu_device
from gpurun.config import configure

TAKEN_OVER = ("cpp_standalone", "cuda_standalone")


class Takeover:
    """Handle of an installed take-over.

    Attributes
    ----------
    standalone_used : bool
        Whether a script activated a device that gpurun stands in for.
    """

    def __init__(self, replaced: dict[str, Any]) -> None:
        self._replaced = replaced

    @property
    def standalone_used(self) -> bool:
        return cpu_device.defaultclock is not None

    def finish(self) -> None:
        """Close the session and give the device names back. Builds nothing."""
        cpu_device.reinit()
        cpu_device.interrupts_raise = False
        for name, device in self._replaced.items():
            if device is None:
                all_devices.pop(name, None)
            else:
                all_devices[name] = device


def install(
    *,
    device: str = "auto",
    directory: str | None = None,
    seed: int | None = None,
    with_output: bool | None = None,
) -> Takeover:
    """Make ``cpp_standalone`` and ``cuda_standalone`` mean gpurun's device.

    Parameters
    ----------
    device : str
        As in :func:`gpurun.config.parse_device`.
    directory : str or None
        Overrides the scripts' build directory.
    seed : int or None
        Seed at the start of each model's set-up.
    with_output : bool or None
        Not used on the CPU; kept for symmetry with `device.build`.

    Returns
    -------
    Takeover
    """
    changes: dict[str, Any] = {"device": device}
    if directory is not None:
        changes["directory"] = directory
    if seed is not None:
        changes["seed"] = seed
    configure(**changes)
    cpu_device.interrupts_raise = True
    replaced: dict[str, Any] = {}
    for name in TAKEN_OVER:
        replaced[name] = all_devices.get(name)
        all_devices[name] = cpu_device
    active = device_module.active_device
    if any(active is previous for previous in replaced.values() if previous is not None):
        device_module.active_device = cpu_device
    return Takeover(replaced)


__all__ = ["CPPStandaloneDevice", "Takeover", "install"]
