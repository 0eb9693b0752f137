"""What `gpurun.build` does on the Brian side."""

from __future__ import annotations

from brian2.devices.device import get_device

from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.errors import SessionError
from gpurun.model import Model


def build_active() -> Model:
    """Model of the active device.

    Raises
    ------
    SessionError
        That is not gpurun's, or no ``run()`` was recorded.
    """
    device = get_device()
    if not isinstance(device, CPPStandaloneDevice):
        raise SessionError(
            f"The active Brian device is {type(device).__name__}, not gpurun's. Call "
            "set_device('gpurun', build_on_run=False) before building the model's groups."
        )
    if not any(instruction == "run_network" for instruction, _ in device.main_queue):
        raise SessionError(
            "There is nothing to run: the script has not called run(duration) yet. gpurun.build() "
            "comes after it."
        )
    return device.built_model()
