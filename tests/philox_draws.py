"""Draws from `cuda_templates/philox.h`: the text that both backends' tests compile."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

#: Folders of the headers.
HEADERS = Path(__file__).parents[1] / "cuda_templates"
HOST_HEADERS = Path(__file__).parents[1] / "cpp_templates"

#: `draw` makes one number of a kind; the kinds are numbered in this order.
KINDS = ("uniform", "uniform_float", "normal", "normal_float", "bits", "poisson", "binomial")
DRAW = """
GPURUN_DEVICE inline double draw(gpurun::Stream& stream, int kind, double a, double b) {
    switch (kind) {
        case 0: return stream.uniform();
        case 1: return stream.uniform_float();
        case 2: return stream.normal();
        case 3: return stream.normal_float();
        case 4: return stream.bits();
        case 5: return stream.poisson(a);
        default: return (double)stream.binomial((int64_t)a, b);
    }
}
"""

#: What the tests of both backends draw, to be the same: (kind, parameters).
CASES = (
    *((kind, 0.0, 0.0) for kind in range(5)),
    *((5, mean, 0.0) for mean in (0.0, 0.3, 9.9, 10.0, 37.0, 1e4, 3e9)),
    *((6, n, p) for n in (0, 1, 7, 40, 1000, 10**6) for p in (0.0, 0.02, 0.3, 0.5, 0.9, 1.0)),
)


def compared(values: np.ndarray, other: np.ndarray) -> None:
    """Assert that two results of CASES agree: kinds of whole numbers and uniform ones exactly."""
    assert values.shape == other.shape == (len(CASES), *values.shape[1:])
    for (kind, a, b), one, two in zip(CASES, values, other, strict=True):
        name = KINDS[kind]
        if name == "normal":
            np.testing.assert_allclose(one, two, rtol=1e-14, atol=0)
        elif name == "normal_float":
            np.testing.assert_allclose(one, two, rtol=1e-6, atol=0)
        else:
            assert np.array_equal(one, two), (name, a, b)


@functools.cache
def cases_table() -> str:
    """CASES as C++ text."""
    rows = ", ".join(f"{{{kind}, {a!r}, {b!r}}}" for kind, a, b in CASES)
    return f"struct Case {{ int kind; double a, b; }};\nconstexpr int n_cases = {len(CASES)};\n" + (
        f"#define CASES {{ {rows} }}\n"
    )
