"""Makes rate and weight of a PoissonInput variables instead of compiled constants.

brian2 writes both into the generated code as literals. Here the code reads them
from two small arrays, with the same values and the same order of operations, so
that a run can override them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.input.binomial import BinomialFunction
from brian2.input.poissoninput import PoissonInput
from brian2.units.fundamentalunits import get_dimensions

from gpurun.brian.codeobject import GpurunCPPCodeObject
from gpurun.brian.random_functions import add_poisson_input
from gpurun.model import PoissonInputInfo
from gpurun.poisson import PARAMETERS, binomial_parameters

WEIGHT = "weight"


def _code(function: str, at: dict[str, str]) -> str:
    return f"""
    static inline double {function}(const int vectorisation_idx)
    {{
        if ({at["normal"]} != 0.0)
            // brian2 draws the normal approximation in single precision
            return (float)(_randn(vectorisation_idx) * {at["scale"]} + {at["location"]});
        const long trials = (long){at["n"]};
        const double p = {at["p"]}, q = {at["q"]};
        long events = 0;
        double chance = {at["q_power_n"]};
        double left = _rand(vectorisation_idx);
        while (left > chance)
        {{
            if (++events > {at["bound"]})
            {{
                events = 0;
                chance = {at["q_power_n"]};
                left = _rand(vectorisation_idx);
                continue;
            }}
            left -= chance;
            chance = ((trials - events + 1) * p * chance) / (events * q);
        }}
        return {at["reverse"]} != 0.0 ? trials - events : events;
    }}
    """


def adapt(source: PoissonInput) -> None:
    """Let the code generated for `source` read its parameters from arrays. Idempotent."""
    function: Any = next(v for v in source.variables.values() if isinstance(v, BinomialFunction))
    if GpurunCPPCodeObject in function.implementations._implementations:
        return
    array = f"{source.name}_parameters"
    dt = float(source._stored_dt)
    values = binomial_parameters(int(source._N), float(source._rate) * dt)
    at = {name: f"_namespace{array}[{number}]" for number, name in enumerate(PARAMETERS)}
    function.implementations.add_implementation(
        GpurunCPPCodeObject,
        code=_code(function.name, at),
        namespace={array: values},
        dependencies={"_rand": DEFAULT_FUNCTIONS["rand"], "_randn": DEFAULT_FUNCTIONS["randn"]},
        name=function.name,
    )
    add_poisson_input(function, array, at, values)
    if isinstance(source._weight, str):
        return
    literal = repr(source._weight)
    expected = f"{source._target_var} += {function.name}()*{literal}"
    if source.abstract_code != expected:
        return  # another version of brian2, or changed by the user: leave it alone
    variable = f"_{source.name}_{WEIGHT}"
    source.variables.add_array(
        variable,
        size=1,
        scalar=True,
        constant=True,
        dimensions=get_dimensions(source._weight),
        values=float(np.asarray(source._weight)),
    )
    source.abstract_code = f"{source._target_var} += {function.name}()*{variable}"


def describe(source: PoissonInput) -> tuple[PoissonInputInfo, Any]:
    """Manifest entry of `source`, and its weight variable (or None).

    The names in the entry are filled in by the manifest.
    """
    weight = source.variables.get(f"_{source.name}_{WEIGHT}")
    info = PoissonInputInfo(
        n=int(source._N),
        dt=float(source._stored_dt),
        rate=float(source._rate),
        parameters=f"{source.name}_parameters",
        weight=None,
    )
    return info, weight
