"""Which code Brian's random functions have, and what is done to code that draws."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import pytest
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.input.binomial import BinomialFunction

from gpurun.brian.codeobject import GpurunCPPCodeObject
from gpurun.brian.philox_codeobject import (
    GpurunPhiloxCPPCodeObject,
    loop_numbers,
    with_elements,
)
from gpurun.brian.random_functions import adopt_binomials, draws_from_streams, noise_in_order
from gpurun.errors import BuildError


def code_of(function: Any, codeobj_class: type) -> str:
    code = function.implementations[codeobj_class].get_code(None)
    return code if isinstance(code, str) else "".join(code.values())


@pytest.mark.parametrize("name", ["rand", "randn", "poisson"])
def test_other_code_objects_keep_brians_functions(name: str) -> None:
    function = DEFAULT_FUNCTIONS[name]
    assert "own_stream()" in code_of(function, GpurunPhiloxCPPCodeObject)
    assert "own_stream()" not in code_of(function, GpurunCPPCodeObject)
    assert draws_from_streams(GpurunPhiloxCPPCodeObject)
    assert not draws_from_streams(GpurunCPPCodeObject)
    assert not draws_from_streams(None)


def test_the_precision_is_that_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    rand = DEFAULT_FUNCTIONS["rand"]
    assert "double _rand(" in code_of(rand, GpurunPhiloxCPPCodeObject)
    monkeypatch.setitem(b2.prefs, "core.default_float_dtype", b2.float32)
    assert "float _rand(" in code_of(rand, GpurunPhiloxCPPCodeObject)
    assert ".uniform_float()" in code_of(rand, GpurunPhiloxCPPCodeObject)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((12, 0.3), ".binomial(12, 0.3)"),
        ((1000, 0.25), ".normal() * 13.693063937629153 + 250.0"),
        ((1000, 0.25, False), ".binomial(1000, 0.25)"),
        ((1000, 0.004), ".binomial(1000, 0.004)"),
    ],
)
def test_binomial_functions(options: tuple[float, ...], expected: str) -> None:
    function: Any = BinomialFunction(*options)
    assert expected in code_of(function, GpurunPhiloxCPPCodeObject)
    # One that was made before gpurun was imported
    del function.implementations._implementations[GpurunPhiloxCPPCodeObject]
    assert "own_stream()" not in code_of(function, GpurunPhiloxCPPCodeObject)
    adopt_binomials({"other": 3, "draw": function})
    assert expected in code_of(function, GpurunPhiloxCPPCodeObject)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "xi_b = dt**.5 * randn()\nxi_a = dt**.5 * randn()\nv = xi_a\n",
            "xi_a = dt**.5 * randn()\nxi_b = dt**.5 * randn()\nv = xi_a\n",
        ),
        (
            "xi_b = dt**.5 * randn()\nxi_a = dt**.5 * randn()",
            "xi_a = dt**.5 * randn()\nxi_b = dt**.5 * randn()",
        ),
        ("b = rand()\na = rand()\n", "b = rand()\na = rand()\n"),
        ("xi = dt**.5 * randn()\na = 1\n", "xi = dt**.5 * randn()\na = 1\n"),
        (None, None),
    ],
)
def test_noise_is_drawn_in_one_order(before: object, after: object) -> None:
    assert noise_in_order(before) == after
    assert noise_in_order({None: before}) == {None: after}


def test_code_objects_are_numbered_by_name() -> None:
    class Inherited(GpurunPhiloxCPPCodeObject):
        pass

    def made(codeobj_class: type) -> object:
        return object.__new__(codeobj_class)

    assert loop_numbers(
        {
            "b": made(Inherited),
            "setup": made(GpurunCPPCodeObject),
            "a": made(GpurunPhiloxCPPCodeObject),
        }
    ) == {"a": 0, "b": 1}


LOOP = """
    const size_t _vectorisation_idx = -1;
    for (int _idx=0; _idx<N; _idx++)
    {
        const size_t _vectorisation_idx = _idx;
        x = ::gpurun::own_stream().uniform();
    }
"""


def test_code_says_at_which_element_it_is() -> None:
    text = with_elements(LOOP, "draws", {"draws": 3})
    assert "= -1; ::gpurun::begin_element(3u, 0xffffffffu);" in text
    assert "= _idx; ::gpurun::begin_element(3u, (uint32_t)_idx);" in text
    assert with_elements(LOOP, "other", {"draws": 3}) == LOOP
    quiet = LOOP.replace("own_stream()", "nothing()")
    assert with_elements(quiet, "draws", {"draws": 3}) == quiet


def test_code_without_elements_is_refused() -> None:
    with pytest.raises(BuildError, match="'draws' draws random numbers"):
        with_elements("x = ::gpurun::own_stream().uniform();", "draws", {"draws": 0})
