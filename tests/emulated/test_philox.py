"""Random numbers on the card are those of the CPU's Philox streams."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.philox_draws import CASES, DRAW, HEADERS, cases_table, compared

from . import isolated
from .programs import compile_and_run
from .values import Values

pytestmark = pytest.mark.timeout(900)

ORDERS = ("order=forward", "order=reverse", "order=random:7 sm=3")
# Threads of several blocks in two dimensions; each draws for its element
BLOCKS, BLOCK, EACH = 3, (16, 4), 20
ELEMENTS = BLOCKS * BLOCK[0] * BLOCK[1]

PROGRAM = (
    """
#include <cstdio>
#include <vector>
#define GPURUN_BLOCK_SIZE 64
#include "own_stream.h"
"""
    + DRAW
    + cases_table()
    + f"""
constexpr int elements = {ELEMENTS}, each = {EACH};
__device__ double draw_here(int kind, double a, double b) {{
    return draw(gpurun::own_stream(), kind, a, b);
}}
__global__ void draw_all(Case one, uint64_t step, double* out) {{
    const int thread = threadIdx.x + blockDim.x * threadIdx.y;
    const int element = blockIdx.x * blockDim.x * blockDim.y + thread;
    gpurun::own_stream() = gpurun::Stream(42, 7, step, element);
    for (int i = 0; i < each; i++) out[element * each + i] = draw_here(one.kind, one.a, one.b);
}}
"""
)
MAIN = f"""
int main() {{
    const Case cases[] = CASES;
    double* out;
    if (cudaMalloc(&out, elements * each * sizeof(double)) != cudaSuccess) return 1;
    std::vector<double> got(elements * each);
    for (int c = 0; c < n_cases; c++) {{
        draw_all<<<{BLOCKS}, dim3({BLOCK[0]}, {BLOCK[1]})>>>(cases[c], 1ull << 33 | c, out);
        if (cudaMemcpy(got.data(), out, got.size() * sizeof(double), cudaMemcpyDeviceToHost)
            != cudaSuccess) return 1;
        for (double value : got) std::printf("%a\\n", value);
    }}
    cudaFree(out);
}}
"""
ON_HOST = """
int main() {
    const Case cases[] = CASES;
    for (int c = 0; c < n_cases; c++)
        for (int element = 0; element < elements; element++) {
            gpurun::Stream stream(42, 7, 1ull << 33 | c, element);
            for (int i = 0; i < each; i++)
                std::printf("%a\\n", draw(stream, cases[c].kind, cases[c].a, cases[c].b));
        }
}
"""


def numbers(text: str) -> np.ndarray:
    values = np.array([float.fromhex(line) for line in text.split()])
    return values.reshape(len(CASES), ELEMENTS, EACH)


@pytest.fixture(scope="module")
def on_host() -> np.ndarray:
    done = compile_and_run(PROGRAM + ON_HOST, options=[f"-I{HEADERS}"])
    assert done.returncode == 0, done.stderr
    return numbers(done.stdout)


@pytest.mark.parametrize("order", ORDERS)
def test_threads_draw_what_the_host_draws(order: str, on_host: np.ndarray) -> None:
    done = compile_and_run(PROGRAM + MAIN, options=[f"-I{HEADERS}"], settings=order, check=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    compared(numbers(done.stdout), on_host)


# -- models ----------------------------------------------------------------------------


def observe(backend: str, cache: str, settings: str = "", single: bool = False) -> list[Values]:
    """All variables of `tests.philox_script` after several runs.

    After a run; one with a seed; the same in pieces; one that goes on with the stream.
    """
    toolkit = str(Path(__file__).resolve().parents[1] / "cuda_emulator")
    os.environ.update(
        GPURUN_CACHE_DIR=cache, CUDA_PATH=toolkit, CUDA_HOME=toolkit, CUDA_EMULATOR=settings
    )
    import gpurun
    from tests import philox_script

    philox_script.draws(backend=backend, single=single)
    model = gpurun.build()
    names = [variable.name for variable in model.manifest.variables if variable.kind != "static"]
    with model.session(device="cpu" if backend == "cpu" else "cuda:0") as session:

        def values(result: Any) -> Values:
            return {name: np.array(result.values[name]) for name in names}

        found = [values(session.run(record=names)), values(session.run(record=names, seed=9))]
        session.run(duration=0.0007, seed=9)
        session.advance(0.0001)
        found.append(values(session.advance(0.0012, record=names)))
        return [*found, values(session.run(record=names))]


Runs = dict[tuple[str, bool], Future[list[Values]]]


@pytest.fixture(scope="module")
def submitted(
    wanted: Callable[[str], list[Any]],
    workers: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    cache = str(tmp_path_factory.mktemp("cache"))
    return {
        (order, single): workers.submit(
            isolated.run, observe, "cuda" if order else "cpu", cache, order, single
        )
        for single in wanted("single")
        for order in ("", *wanted("order"))
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("single", [False, True])
def test_noisy_models_agree(single: bool, order: str, submitted: Runs) -> None:
    expected = submitted["", single].result()
    observed = submitted[order, single].result()
    for number, (one, other) in enumerate(zip(observed, expected, strict=True)):
        assert one.keys() == other.keys()
        wrong = [n for n in other if not np.array_equal(one[n], other[n], equal_nan=True)]
        assert not wrong, (number, {n: (one[n], other[n]) for n in wrong})


@pytest.mark.parametrize("order", ORDERS[:1])
@pytest.mark.parametrize("single", [False])
def test_pieces_and_seeds_on_the_card(single: bool, order: str, submitted: Runs) -> None:
    first, seeded, pieces, later = submitted[order, single].result()
    for name, values in seeded.items():
        assert np.array_equal(pieces[name], values, equal_nan=True), name
    for other in (first, later):
        assert not np.array_equal(other["cells.u"], seeded["cells.u"])
