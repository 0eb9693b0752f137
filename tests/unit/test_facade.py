"""Which backend the device "gpurun" hands over to."""

from __future__ import annotations

from collections.abc import Generator

import brian2 as b2
import pytest
from brian2.devices.device import all_devices

from gpurun import config, toolchain_nvcc
from gpurun.brian import facade, takeover
from gpurun.brian.facade import choose_backend, cpu_device, cuda_device
from gpurun.errors import ConfigError


class Machine:
    """A machine with or without a card, which counts how often it is looked for."""

    def __init__(self) -> None:
        self.problem: str | None = "no card"
        self.asked = 0

    def __call__(self) -> str | None:
        self.asked += 1
        return self.problem


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Generator[Machine]:
    made = Machine()
    monkeypatch.setattr(toolchain_nvcc, "cuda_problem", made)
    monkeypatch.setattr(config, "_current", None)
    facade._card_is_usable.cache_clear()
    yield made
    facade._card_is_usable.cache_clear()
    b2.set_device("runtime")
    for device in facade.backend_devices():
        device.reinit()


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize(
    ("requested", "setting", "expected"),
    [
        ("cpu", "cuda:1", "cpu"),
        ("cuda", "cpu", "cuda"),
        ("auto", "cpu", "cpu"),
        ("auto", "cuda", "cuda"),
        ("auto", "2", "cuda"),
        ("auto", "auto", None),
    ],
)
def test_choice(
    machine: Machine, card: bool, requested: str, setting: str, expected: str | None
) -> None:
    machine.problem = None if card else "no card"
    config.configure(device=setting)
    assert choose_backend(requested) == (expected or ("cuda" if card else "cpu"))
    # It is looked for only where it matters
    assert machine.asked == (expected is None)


def test_the_machine_is_asked_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [choose_backend() for _ in range(3)] == ["cpu"] * 3
    assert machine.asked == 1
    machine.problem = None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert choose_backend() == "cuda"


def test_set_device(machine: Machine) -> None:
    b2.set_device("gpurun", build_on_run=False)
    assert b2.get_device() is cpu_device
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    assert b2.get_device() is cuda_device()
    assert cuda_device() is not cpu_device
    assert all_devices["gpurun"].backend_device is cuda_device()
    # What one of them was told is not known to the other
    assert cpu_device.main_queue is not cuda_device().main_queue
    machine.problem = None
    facade._card_is_usable.cache_clear()
    b2.set_device("gpurun", build_on_run=False)
    assert b2.get_device() is cuda_device()


def test_unknown_backend() -> None:
    with pytest.raises(ConfigError, match=r"'tpu'.*'auto', 'cpu', 'cuda'"):
        b2.set_device("gpurun", backend="tpu")


@pytest.mark.parametrize(
    ("device", "cuda"), [("cpu", False), ("cuda:1", True), ("cuda", True), ("auto", False)]
)
def test_takeover(device: str, cuda: bool) -> None:
    before = {name: all_devices.get(name) for name in takeover.TAKEN_OVER}
    handle = takeover.install(device=device)
    try:
        expected = cuda_device() if cuda else cpu_device
        for name in takeover.TAKEN_OVER:
            assert all_devices[name] is expected
        import brian2cuda  # noqa: F401

        assert all_devices["cuda_standalone"] is expected
        assert not handle.standalone_used
        assert expected.interrupts_raise
        b2.set_device("cuda_standalone", build_on_run=False)
        assert handle.standalone_used
    finally:
        handle.finish()
    assert not expected.interrupts_raise
    assert {name: all_devices.get(name) for name in takeover.TAKEN_OVER} == {
        **before,
        "cuda_standalone": all_devices.get("cuda_standalone"),
    }
