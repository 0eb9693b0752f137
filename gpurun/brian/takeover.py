"""Lets gpurun stand in for Brian's standalone devices in this process."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from brian2.devices import device_module
from brian2.devices.device import all_devices

from gpurun.brian import compiler_flags
from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.brian.facade import backend_device, backend_devices, choose_backend
from gpurun.config import configure, parse_device

if TYPE_CHECKING:
    from gpurun.brian.plain.device import ResidentRuntimeDevice

TAKEN_OVER = ("cpp_standalone", "cuda_standalone")


class Takeover:
    """Handle of an installed take-over.

    Attributes
    ----------
    standalone_used : bool
        Whether a script activated a device that gpurun stands in for.
    plain : ResidentRuntimeDevice or None
        What runs scripts that activate no device.
    """

    def __init__(
        self, replaced: dict[str, Any], plain: ResidentRuntimeDevice | None = None
    ) -> None:
        self._replaced = replaced
        self.plain: ResidentRuntimeDevice | None = plain

    @property
    def standalone_used(self) -> bool:
        return any(device.defaultclock is not None for device in backend_devices())

    @property
    def plain_runs(self) -> int:
        """How many runs of a script without ``set_device`` were computed resident."""
        return 0 if self.plain is None else self.plain.runs

    @property
    def left_alone(self) -> bool:
        """Whether the script has chosen Brian's runtime device by itself."""
        active = device_module.active_device
        return self.plain is not None and active is device_module.runtime_device

    def finish(self) -> None:
        """Close the sessions and give the device names back. Builds nothing."""
        for device in backend_devices():
            device.reinit()
        if self.plain is not None:
            self.plain.residents.close()
            if device_module.active_device is self.plain:
                device_module.active_device = device_module.runtime_device
        CPPStandaloneDevice.interrupts_raise = False
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
    plain: bool = False,
    runtime_too: bool = False,
    following: bool = False,
) -> Takeover:
    """Make ``cpp_standalone`` and ``cuda_standalone`` mean gpurun's device.

    Parameters
    ----------
    device : str
        As in :func:`gpurun.config.parse_device`. A card means the CUDA backend, whichever of
        the two the script names.
    directory : str or None
        Overrides the scripts' build directory.
    seed : int or None
        Seed at the start of each model's set-up.
    with_output : bool or None
        Not used on the CPU; kept for symmetry with `device.build`.
    plain : bool
        Whether scripts that never call ``set_device`` are run resident, too.
    runtime_too : bool
        Whether ``set_device('runtime')`` means the same for them, rather than plain Brian.
    following : bool
        Whether nothing is simulated: see `gpurun.brian.plain.analysis`.

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
    with suppress(ImportError):
        # Registers its own device, which must not happen later
        import brian2cuda.device  # noqa: F401
    compiler_flags.install()
    CPPStandaloneDevice.interrupts_raise = True
    standin = backend_device(choose_backend(parse_device(device).kind))
    replaced: dict[str, Any] = {}
    for name in TAKEN_OVER:
        replaced[name] = all_devices.get(name)
        all_devices[name] = standin
    active = device_module.active_device
    if any(active is previous for previous in replaced.values() if previous is not None):
        device_module.active_device = standin
    if not plain:
        return Takeover(replaced)
    resident = _resident(device, following=following)
    if following:
        for name in (*TAKEN_OVER, "gpurun"):
            replaced.setdefault(name, all_devices.get(name))
            all_devices[name] = _marker()
    if runtime_too:
        replaced["runtime"] = all_devices["runtime"]
        all_devices["runtime"] = resident
    if device_module.active_device is device_module.runtime_device:
        device_module.active_device = resident
        resident.activate()
        if seed is not None:
            resident.seed(seed % 2**32)
    return Takeover(replaced, resident)


def _resident(device: str, *, following: bool) -> ResidentRuntimeDevice:
    # Scripts that use standalone mode need not wait for these
    from gpurun.brian.plain.analysis import FollowingDevice
    from gpurun.brian.plain.device import ResidentRuntimeDevice

    spec = parse_device(device)
    backend = choose_backend(spec.kind)
    where = str(spec) if spec.kind == backend else backend
    return (FollowingDevice if following else ResidentRuntimeDevice)(backend, where)


def _marker() -> Any:
    from gpurun.brian.plain.analysis import StandaloneMarker

    return StandaloneMarker()


__all__ = ["CPPStandaloneDevice", "Takeover", "install"]
