"""What becomes of a card's errors, with libraries that are made up."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from gpurun import config, session
from gpurun.errors import (
    DeviceError,
    DeviceMemoryError,
    DeviceUnavailableError,
    SessionClosedError,
    SessionError,
    SimulationError,
)
from gpurun.library import HOST_ONLY, Library
from gpurun.session import Session, choose_device
from tests.unit.manifests import manifest

# As cuda_templates/device.h writes it.
ILLEGAL = (
    "cudaStreamSynchronize(stream()) failed with cudaErrorIllegalAddress (an illegal memory "
    "access was encountered) at device.h:61"
)
FULL = (
    "cudaMalloc(&fresh, bytes) failed with cudaErrorMemoryAllocation (out of memory) at "
    "device.h:92; 1024 of 4096 bytes are free; 2048 bytes were asked for"
)


class Native:
    """Stands for the C functions of a library."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message

    def __getattr__(self, name: str) -> Any:
        if name == "gpurun_last_error":
            return self.message.encode
        return lambda *arguments: self.status


def failed(status: int, message: str) -> Exception:
    library = Library.__new__(Library)
    library._library = Native(status, message)  # type: ignore[assignment]
    with pytest.raises((DeviceError, DeviceMemoryError)) as caught:
        library.call("run")
    return caught.value


def test_facts_of_an_error() -> None:
    error = failed(5, ILLEGAL)
    assert isinstance(error, DeviceError)
    assert isinstance(error, SimulationError)
    assert error.fields == {
        "status": 5,
        "call": "cudaStreamSynchronize(stream())",
        "error": "cudaErrorIllegalAddress",
        "file": "device.h",
        "line": 61,
        "sticky": True,
    }
    assert str(error).startswith(ILLEGAL)
    assert "cannot be used any more in this process" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.fields, str(again)) == (DeviceError, error.fields, str(error))


def test_error_that_leaves_the_card_usable() -> None:
    error = failed(5, ILLEGAL.replace("IllegalAddress", "InvalidValue"))
    assert isinstance(error, DeviceError)
    assert error.fields["sticky"] is False
    assert "any more" not in str(error)


@pytest.mark.parametrize("message", ["", "something else"])
def test_error_in_other_words(message: str) -> None:
    error = failed(5, message)
    assert isinstance(error, DeviceError)
    assert (error.fields["error"], error.fields["call"]) == ("", "gpurun_run")
    assert (error.fields["file"], error.fields["line"]) == (None, None)
    assert str(error)


def test_memory() -> None:
    error = failed(6, FULL)
    assert isinstance(error, DeviceMemoryError)
    assert isinstance(error, MemoryError)
    assert error.fields == {"needed": 2048, "free": 1024}
    assert "not enough memory" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert again.fields == error.fields
    assert failed(6, "no numbers").fields == {"needed": None, "free": None}  # type: ignore[attr-defined]


# -- sessions -------------------------------------------------------------------------


class Model:
    """As much of a model as opening a session asks for."""

    def __init__(self, backend: str) -> None:
        self.manifest = manifest(backend=backend)
        self.resolver = None


class Instance:
    """Opens on any card, until told otherwise."""

    opened_on: int | None = None
    problem: Exception | None = None

    def __init__(self, model: Model, directory: str, *, device: int, **_: object) -> None:
        if Instance.problem is not None:
            raise Instance.problem
        Instance.opened_on = device
        self.reload_for_runs = False
        self.closed = False

    @property
    def t(self) -> float:
        if Instance.problem is not None:
            raise Instance.problem
        return 1.0

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Instance", Instance)
    monkeypatch.setattr(Instance, "problem", None)
    monkeypatch.setattr(config, "_current", None)


def opened(backend: str, device: str | int = "auto") -> Session:
    return Session(Model(backend), device)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "device", "name", "number"),
    [
        ("cpu", "auto", "cpu", 0),
        ("cpu", "cpu", "cpu", 0),
        ("cuda", "auto", "cuda:0", 0),
        ("cuda", "cuda", "cuda:0", 0),
        ("cuda", "cuda:2", "cuda:2", 2),
        ("cuda", 1, "cuda:1", 1),
    ],
)
def test_devices(backend: str, device: str | int, name: str, number: int) -> None:
    assert opened(backend, device).device == name
    assert Instance.opened_on == number


def test_the_command_line_chooses_the_card() -> None:
    config.configure(device="cuda:3")
    assert opened("cuda").device == "cuda:3"
    assert opened("cuda", "cuda:1").device == "cuda:1"
    with pytest.raises(DeviceUnavailableError, match=r"'cuda:3'.*backend='cuda'"):
        opened("cpu")


@pytest.mark.parametrize(
    ("backend", "device", "said"),
    [
        ("cpu", "cuda:1", r"built for the CPU.*backend='cuda'.*--device cuda:1"),
        ("cuda", "cpu", r"built for CUDA.*backend='cpu'.*--device cpu"),
    ],
)
def test_a_model_of_the_other_backend(backend: str, device: str, said: str) -> None:
    with pytest.raises(DeviceUnavailableError, match=said) as caught:
        choose_device(Model(backend), device)  # type: ignore[arg-type]
    assert caught.value.fields == {"device": device}


def test_a_card_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = failed(5, ILLEGAL.replace("IllegalAddress", "InvalidDevice"))
    monkeypatch.setattr(Instance, "problem", problem)
    with pytest.raises(DeviceUnavailableError, match=r"cuda:7.*InvalidDevice.*gpurun devices"):
        opened("cuda", 7)


def test_other_errors_of_opening_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "problem", failed(5, ILLEGAL))
    with pytest.raises(DeviceError, match="IllegalAddress"):
        opened("cuda")
    monkeypatch.setattr(Instance, "problem", failed(6, FULL))
    with pytest.raises(DeviceMemoryError):
        opened("cuda")


def test_a_lost_card_is_named_in_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened("cuda")
    assert one.t == 1.0
    monkeypatch.setattr(Instance, "problem", failed(5, ILLEGAL))
    with pytest.raises(DeviceError):
        _ = one.t
    monkeypatch.setattr(Instance, "problem", None)
    for _ in range(2):
        with pytest.raises(SessionError, match=r"lost its device 'cuda:0'.*IllegalAddress"):
            _ = one.t
    one.close()
    with pytest.raises(SessionClosedError):
        _ = one.t


def test_an_error_that_is_not_sticky_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened("cuda")
    for problem in (failed(5, ILLEGAL.replace("IllegalAddress", "InvalidValue")), failed(6, FULL)):
        monkeypatch.setattr(Instance, "problem", problem)
        with pytest.raises(type(problem)):
            _ = one.t
    monkeypatch.setattr(Instance, "problem", None)
    assert one.t == 1.0


def test_a_card_does_not_survive_a_fork() -> None:
    one, other = opened("cuda"), opened("cpu")
    one._pid = other._pid = -1  # as a child sees its parent's sessions
    with pytest.raises(SessionError, match=r"'cuda:0'.*fork.*'spawn'"):
        _ = one.t
    one.close()
    assert other.t == 1.0


def test_set_up_needs_no_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gpurun import instance as module

    opened_on: list[int] = []

    class Opened(Exception):  # noqa: N818 (a signal)
        pass

    def library(path: Path, names: list[str], directory: str, device: int) -> None:
        opened_on.append(device)
        raise Opened

    monkeypatch.setattr(module, "Library", library)
    model = Model("cuda")
    model.library = tmp_path  # type: ignore[attr-defined]
    with pytest.raises(Opened):
        module.Instance.draw(model, {}, 1)  # type: ignore[arg-type]
    assert opened_on == [HOST_ONLY]
