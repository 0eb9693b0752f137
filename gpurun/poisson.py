"""The parameters of a PoissonInput, as its generated code reads them."""

from __future__ import annotations

import math

import numpy as np

#: Order of the parameters in the array.
PARAMETERS = ("normal", "location", "scale", "reverse", "q", "p", "q_power_n", "bound", "n")


def binomial_parameters(n: int, p: float) -> np.ndarray:
    """Constants for drawing from a binomial distribution B(n, p).

    With ``n p > 5`` and ``n (1 - p) > 5`` a normal distribution is used, otherwise
    inversion (Kachitvichyanukul & Schmeiser, 1988). Both the rule and the rounding of the
    constants to 15 decimals are brian2's (`BinomialFunction`), so that results are equal.

    Parameters
    ----------
    n : int
        Number of inputs.
    p : float
        Probability of an event per input and time step, in [0, 1].

    Returns
    -------
    ndarray of float64, shape (9,)
        See `PARAMETERS`.
    """

    def rounded(value: float) -> float:
        return float(f"{value:.15f}")

    values = dict.fromkeys(PARAMETERS, 0.0)
    values["n"] = float(n)
    if n * p > 5 and n * (1 - p) > 5:
        values["normal"] = 1.0
        values["location"] = rounded(n * p)
        values["scale"] = rounded(math.sqrt(n * p * (1 - p)))
        return np.array([values[name] for name in PARAMETERS])
    small = 1.0 - p if p > 0.5 else p
    q = 1.0 - small
    values["reverse"] = float(p > 0.5)
    values["p"] = rounded(small)
    values["q"] = rounded(q)
    values["q_power_n"] = rounded(math.exp(n * math.log(q))) if q > 0 else 0.0
    values["bound"] = rounded(min(n, n * small + 10.0 * math.sqrt(n * small * q + 1)))
    return np.array([values[name] for name in PARAMETERS])
