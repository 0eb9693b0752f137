"""The templates of gpurun's CUDA backend, run on the CPU: bit by bit what the CPU backend gives."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from . import isolated
from .template_scripts import SCRIPTS, observe
from .values import Values

# The first test of a script waits for others that are built at the same time.
pytestmark = pytest.mark.timeout(900)

ORDERS = ("order=forward", "order=reverse", "order=random:7 sm=3")
CHECKS = "strict=on leaks=fatal"

Observed = list[Values]
Runs = dict[tuple[str, str], Future[Observed]]


@pytest.fixture(scope="module")
def submitted(
    wanted: Callable[[str], list[str]],
    workers: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Run all scripts that the selected tests need on the CPU backend and in all orders."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def emulated(script: str, order: str) -> Observed:
        return isolated.run(observe, script, "cuda", cache, f"{order} {CHECKS}")

    runs: Runs = {}
    for script in wanted("script"):
        runs[script, "cpu"] = workers.submit(isolated.run, observe, script, "cpu", cache)
        for order in ORDERS:
            runs[script, order] = workers.submit(emulated, script, order)
    return runs


def assert_equal(observed: Values, expected: Values) -> None:
    """Compare bit by bit, but for the sign of zero and nan."""
    assert observed.keys() == expected.keys()
    for name, wanted in expected.items():
        got = observed[name]
        assert got.dtype == wanted.dtype, name
        floating = wanted.dtype.kind == "f"
        assert np.array_equal(got, wanted, equal_nan=floating), name


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_variables_are_those_of_the_cpu_backend(script: str, order: str, submitted: Runs) -> None:
    expected = submitted[script, "cpu"].result()
    observed = submitted[script, order].result()
    for number, (got, wanted) in enumerate(zip(observed, expected, strict=True)):
        try:
            assert_equal(got, wanted)
        except AssertionError as error:
            raise AssertionError(f"run {number}: {error}") from error


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_do_not_depend_on_earlier_ones(script: str, submitted: Runs) -> None:
    first, overridden, *same = submitted[script, ORDERS[0]].result()
    for values in same:
        assert_equal(values, first)
    assert any(not np.array_equal(first[name], overridden[name]) for name in first)


@pytest.mark.parametrize("script", ["recorded"])
def test_something_is_recorded(script: str, submitted: Runs) -> None:
    for run in submitted[script, ORDERS[0]].result():
        sizes = {name: values for name, values in run.items() if name.endswith(".N")}
        assert sizes
        assert all(values.all() for values in sizes.values()), sizes
        for name in ("spikes", "spikes_of_part", "generated", "events_of_part"):
            assert len(run[f"{name}.i"]) == len(run[f"{name}.t"]) == run[f"{name}.N"][0]
            assert np.array_equal(run[f"{name}.count"].sum(), run[f"{name}.N"][0])
        assert run["all_states.v"].shape == (300, 40)
