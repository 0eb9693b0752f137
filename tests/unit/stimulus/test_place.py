"""Where stimuli are prepared: a card if CuPy can use one, else the CPU."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpurun.errors import ConfigError, DeviceUnavailableError
from gpurun.stimulus import place
from gpurun.stimulus.place import Place
from gpurun.stimulus.stream import StimulusStream


def cupy(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    """A CuPy that finds this many cards, or none at all: None."""

    def count() -> int:
        if isinstance(found, Exception):
            raise found
        return found

    module = None if found is None else SimpleNamespace(
        cuda=SimpleNamespace(
            runtime=SimpleNamespace(getDeviceCount=count),
            Device=lambda number: _Context(),
            Stream=lambda non_blocking: object(),
        )
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(place, "_told", set())


class _Context:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def test_without_cupy_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy(monkeypatch, None)
    assert Place.choose("auto").name == "cpu"
    assert Place.choose("cpu").name == "cpu"
    for device in ("cuda", "cuda:1", 0):
        with pytest.raises(DeviceUnavailableError, match=r"CuPy cannot be imported.*cupy-cuda13x"):
            Place.choose(device)
    with pytest.raises(ConfigError):
        Place.choose("tpu")


@pytest.mark.parametrize("found", [0, RuntimeError("cudaErrorInsufficientDriver")])
def test_cupy_without_a_card_says_so_once(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    cupy(monkeypatch, found)
    with pytest.warns(RuntimeWarning, match="CuPy is installed but cannot use a card") as told:
        assert Place.choose("auto").name == "cpu"
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Place.choose("auto").name == "cpu"
        stream = StimulusStream(np.zeros((3, 2)))
        assert stream.batches().device == "cpu"
        assert len(list(stream)) == 3
    with pytest.raises(DeviceUnavailableError, match=r"on 'cuda:0'.*Use device='cpu'"):
        Place.choose("cuda:0")


def test_cupy_with_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy(monkeypatch, 2)
    assert Place.choose("auto").name == "cuda:0"
    assert Place.choose("cuda:1").name == "cuda:1"
    assert Place.choose("cpu").name == "cpu"
    # What the command line says comes before what there is
    monkeypatch.setattr(place, "settings", lambda: SimpleNamespace(device="cpu"))
    assert Place.choose("auto").name == "cpu"


def test_near_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy(monkeypatch, 1)
    stream = StimulusStream(np.zeros((3, 2)))
    assert stream.near(SimpleNamespace(device="cpu")).device == "cpu"
    assert stream.near(SimpleNamespace(device="cuda:0")).device == "cuda:0"
    # Who asked for a place gets it
    asked = StimulusStream(np.zeros((3, 2)), device="cpu")
    assert asked.near(SimpleNamespace(device="cuda:0")).device == "cpu"
    cupy(monkeypatch, None)
    with pytest.warns(RuntimeWarning, match=r"cannot be prepared on 'cuda:0'.*This is done now"):
        assert stream.near(SimpleNamespace(device="cuda:0")).device == "cpu"


def test_what_lies_on_a_card_comes_to_the_cpu() -> None:
    class There:
        __cuda_array_interface__: Any = None

        def get(self) -> np.ndarray:
            return np.arange(4.0)[::2]

    held = Place().hold(There())
    assert held.tolist() == [0, 2] and held.flags.c_contiguous
