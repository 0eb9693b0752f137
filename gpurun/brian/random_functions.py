"""Brian's random functions, drawing from the stream of the element at hand (Philox).

`register_random_functions` gives `rand`, `randn`, `poisson` and `BinomialFunction` an
implementation for a class of code objects; those of brian2 and brian2cuda stay as they are.
The generated functions ignore the index that they are called with: where a kernel or a loop
turns to an element, it says so (``gpurun::own_stream()`` in ``philox.h``).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.preferences import prefs
from brian2.input.binomial import BinomialFunction

from gpurun.errors import NotSupportedError

#: What stands before the functions, by class of code object.
_qualifiers: dict[type[Any], str] = {}

_STREAM = "::gpurun::own_stream()"


def _single() -> bool:
    return np.dtype(prefs.core.default_float_dtype) == np.float32


def _function(qualifier: str, result: str, name: str, parameters: str, value: str) -> str:
    return f"{qualifier} {result} {name}({parameters}) {{ return {value}; }}\n"


def _drawing(qualifier: str, name: str, method: str) -> Any:
    """Code for a function of an index; the precision is known when code is generated."""

    def code(owner: Any) -> str:
        result, suffix = ("float", "_float") if _single() else ("double", "")
        value = f"{_STREAM}.{method}{suffix}()"
        return _function(qualifier, result, name, "const int64_t", value)

    return code


def _poisson(qualifier: str) -> str:
    return _function(
        qualifier, "int32_t", "_poisson", "const double mean, const int64_t",
        f"{_STREAM}.poisson(mean)",
    )  # fmt: skip


def _normal_approximation(location: str, scale: str) -> str:
    # brian2 draws it in single precision
    method = "normal_float" if _single() else "normal"
    return f"(float)({_STREAM}.{method}() * {scale} + {location})"


def _normal_binomial(qualifier: str, name: str, location: float, scale: float) -> str:
    value = _normal_approximation(repr(float(location)), repr(float(scale)))
    return _function(qualifier, "float", name, "const int64_t", value)


def _exact_binomial(qualifier: str, name: str, n: float, p: float) -> str:
    value = f"{_STREAM}.binomial({int(n)}, {float(p)!r})"
    return _function(qualifier, "int64_t", name, "const int64_t", value)


def _binomial(qualifier: str, n: float, p: float, use_normal: bool, name: str) -> str:
    if use_normal:
        return _normal_binomial(qualifier, name, n * p, np.sqrt(n * p * (1 - p)))
    return _exact_binomial(qualifier, name, n, p)


def register_random_functions(codeobj_class: type[Any], qualifier: str) -> None:
    """Give Brian's random functions an implementation for `codeobj_class` and its subclasses.

    Parameters
    ----------
    codeobj_class : type
        A class of code objects whose units include ``philox.h`` and define ``own_stream()``.
    qualifier : str
        What stands before a function, such as ``"__device__ static inline"``.
    """
    _qualifiers[codeobj_class] = qualifier
    for function, name, method in (("rand", "_rand", "uniform"), ("randn", "_randn", "normal")):
        DEFAULT_FUNCTIONS[function].implementations.add_dynamic_implementation(
            codeobj_class,
            code=_drawing(qualifier, name, method),
            namespace=lambda owner: {},
            name=name,
        )
    DEFAULT_FUNCTIONS["poisson"].implementations.add_implementation(
        codeobj_class, code=_poisson(qualifier), name="_poisson"
    )
    # Functions that are made from now on get it from here, earlier ones in adopt_binomials
    generators: dict[Any, Any] = BinomialFunction.implementations
    generators[codeobj_class] = lambda n, p, use_normal, name: (
        _binomial(qualifier, n, p, use_normal, name),
        {},
    )


class _WithoutRefusal:
    """brian2cuda's code for binomial functions, which raises for names without ``_binomial``.

    Brian has it generated for every function, even if nobody wants it.
    """

    def __init__(self, generate: Callable[..., tuple[Any, dict[str, Any]]]) -> None:
        self.generate = generate

    def __call__(self, n: float, p: float, use_normal: bool, name: str) -> Any:
        try:
            return self.generate(n=n, p=p, use_normal=use_normal, name=name)
        except NameError as error:
            # For brian2cuda's own device, whose compiler then says what the matter is
            return {"support_code": f"#error {error}"}, {}


def allow_any_binomial_name() -> None:
    """Let scripts that run on gpurun's devices name binomial functions as they like.

    Does nothing unless brian2cuda was imported.
    """
    generators: dict[Any, Any] = BinomialFunction.implementations
    generate = generators.get("cuda")
    if generate is not None and not isinstance(generate, _WithoutRefusal):
        generators["cuda"] = _WithoutRefusal(generate)


def draws_from_streams(codeobj_class: type[Any] | None) -> bool:
    """Whether `register_random_functions` was called for this class or a parent of it."""
    return codeobj_class is not None and any(c in _qualifiers for c in codeobj_class.__mro__)


# Brian's state updaters begin with one such line for each xi of the equations
_NOISE = re.compile(r"(?:^[ \t]*\w+ = dt\*\*\.5 \* randn\(\)[ \t]*(?:\n|\Z)){2,}", re.MULTILINE)


def noise_in_order(abstract_code: Any) -> Any:
    """Sort the lines that draw the noise of equations with several ``xi``.

    Brian iterates over a set of them, and which draws first would depend on the process.

    Parameters
    ----------
    abstract_code : str or dict of str to str
    """
    if isinstance(abstract_code, Mapping):
        return {block: noise_in_order(code) for block, code in abstract_code.items()}
    if not isinstance(abstract_code, str):
        return abstract_code

    def in_order(match: re.Match[str]) -> str:
        lines = match[0].splitlines()
        return "\n".join(sorted(lines)) + "\n" * match[0].endswith("\n")

    return _NOISE.sub(in_order, abstract_code)


def _recovered(function: Any, qualifier: str) -> str:
    """Code for a finished function, whose parameters brian2 keeps in a closure only."""
    sample = function.implementations._implementations["numpy"].get_code(None)
    values = inspect.getclosurevars(sample).nonlocals
    if {"n", "p"} <= values.keys():
        return _exact_binomial(qualifier, function.name, values["n"], values["p"])
    if {"loc", "scale"} <= values.keys():
        return _normal_binomial(qualifier, function.name, values["loc"], values["scale"])
    raise NotSupportedError(
        f"The binomial function '{function.name}' was made before gpurun was imported. Import "
        "gpurun at the beginning of the script.",
        what=function.name,
    )


def adopt_binomials(variables: Mapping[str, Any]) -> None:
    """Complete binomial functions among `variables` that are older than the registration."""
    functions: list[Any] = [f for f in variables.values() if isinstance(f, BinomialFunction)]
    for function in functions:
        known = function.implementations._implementations
        for codeobj_class, qualifier in _qualifiers.items():
            if codeobj_class in known:
                continue
            function.implementations.add_implementation(
                codeobj_class, code=_recovered(function, qualifier), name=function.name
            )


def add_poisson_input(function: Any, array: str, at: Mapping[str, str], values: Any) -> None:
    """Let the binomial function of a PoissonInput read its parameters from `array`.

    Parameters
    ----------
    function : BinomialFunction
    array : str
        Name of the array in the function's namespace.
    at : mapping
        C++ expression of each parameter, by its name in `gpurun.poisson.PARAMETERS`.
    values : ndarray
        What the array holds.
    """

    def code(qualifier: str) -> str:
        return f"""
        {qualifier} double {function.name}(const int64_t)
        {{
            if ({at["normal"]} != 0.0)
                return {_normal_approximation(at["location"], at["scale"])};
            const int64_t trials = (int64_t){at["n"]};
            const int64_t events = {_STREAM}.binomial(trials, {at["p"]});
            return (double)({at["reverse"]} != 0.0 ? trials - events : events);
        }}
        """

    for codeobj_class, qualifier in _qualifiers.items():
        function.implementations.add_implementation(
            codeobj_class, code=code(qualifier), namespace={array: values}, name=function.name
        )
