"""Preferences of brian2cuda: those without effect are mentioned, the others have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import brian2cuda  # noqa: F401  (registers them)
import numpy as np
import pytest
from brian2 import prefs

from gpurun.brian import cuda_preferences
from gpurun.brian.cuda_preferences import WITHOUT_EFFECT, chosen_card, nvcc_flags

GROUP = "devices.cuda_standalone"
#: What has an effect, or says only how hardware is looked for.
OTHERS = {
    "default_functions_integral_convertion",
    "cuda_backend.extra_compile_args_nvcc",
    "cuda_backend.gpu_id",
    "cuda_backend.cuda_runtime_version",
    "cuda_backend.detect_gpus",
    "cuda_backend.detect_cuda",
    "cuda_backend.device_query_path",
}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    names = [name for name in prefs if name.startswith(GROUP)]
    before = {name: prefs[name] for name in names}
    yield
    for name, value in before.items():
        prefs[name] = value


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Logger:
        def warn(self, text: str, **_: Any) -> None:
            said.append(text)

    monkeypatch.setattr(cuda_preferences, "_logger", Logger())
    return said


def test_every_preference_is_thought_of() -> None:
    names = {n.removeprefix(f"{GROUP}.") for n in prefs if n.startswith(GROUP)}
    assert names == WITHOUT_EFFECT.keys() | OTHERS


def test_defaults_are_not_worth_a_word(warnings: list[str]) -> None:
    assert cuda_preferences.explain_preferences() == []
    assert not warnings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parallel_blocks", 7),
        ("random_number_generator_type", "CURAND_RNG_PSEUDO_XORWOW"),
        ("use_atomics", False),
        ("cuda_backend.gpu_heap_size", 512),
        ("cuda_backend.compute_capability", 8.0),
    ],
)
def test_what_has_no_effect_is_said_with_the_reason(
    name: str, value: Any, warnings: list[str]
) -> None:
    prefs[f"{GROUP}.{name}"] = value
    assert f"{GROUP}.{name}" in cuda_preferences.explain_preferences()
    assert any(f"'{GROUP}.{name}' has no effect" in text and ": " in text for text in warnings)


def test_flags_for_nvcc() -> None:
    assert nvcc_flags() == ()
    prefs[f"{GROUP}.cuda_backend.extra_compile_args_nvcc"] = [
        "-w", "-std=c++11", "--maxrregcount=64", "-use_fast_math",
    ]  # fmt: skip
    assert nvcc_flags() == ("--maxrregcount=64", "-use_fast_math")


def test_the_card_of_a_script() -> None:
    assert chosen_card() is None
    prefs[f"{GROUP}.cuda_backend.gpu_id"] = 2
    assert chosen_card() == 2


def test_the_version_of_the_runtime_is_the_toolkits(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{GROUP}.cuda_backend.cuda_runtime_version"
    monkeypatch.setattr(cuda_preferences.toolchain, "find_cuda", lambda: None)
    with cuda_preferences.runtime_version_known():
        version: Any = prefs[name]
        assert version >= 12
    assert prefs[name] is None
    prefs[name] = 12.4
    with cuda_preferences.runtime_version_known():
        assert prefs[name] == np.float64(12.4)
