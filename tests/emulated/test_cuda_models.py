"""gpurun's CUDA backend equals cpp_standalone, in every order of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from . import isolated, own, scripts
from .run_script import Script, on_reference
from .values import Values, assert_same, collect

# The first test of a script waits for others that are built at the same time.
pytestmark = pytest.mark.timeout(1200)

ORDERS = ("order=forward", "order=reverse strict=on", "order=random:7 sm=3")
SCRIPTS: dict[str, Script] = {
    one.__name__: one
    for one in (
        scripts.neurons,
        scripts.delays,
        scripts.plasticity,
        scripts.cable,
        scripts.two_runs,
    )
}
#: Instrumented code: an access outside of memory or a race ends the run.
CHECKED = "order=forward check=on"


def _on_own(script: Script, settings: str) -> tuple[Values, list[str]]:
    """What the script's objects hold after a run, and what the toolkit found fault with."""
    backend = own.backend(settings.replace(" check=on", "") + " leaks=fatal")
    backend.start()
    objects = script()
    backend.build("check=on" if "check=on" in settings else "")
    lines = backend.run().splitlines()
    values = collect(objects)
    backend.close()
    return values, [line for line in lines if line.startswith("cuda_emulator:")]


Runs = dict[tuple[str, str], Future[tuple[Values, list[str]]]]
References = dict[str, Future[Values]]


@pytest.fixture(scope="module")
def submitted(
    wanted: Callable[[str], list[str]], workers: ThreadPoolExecutor
) -> tuple[Runs, References]:
    runs: Runs = {}
    references: References = {}
    for name in wanted("script"):
        script = SCRIPTS[name]
        references[name] = workers.submit(isolated.run, on_reference, script)
        for settings in wanted("settings"):
            runs[name, settings] = workers.submit(isolated.run, _on_own, script, settings)
    return runs, references


@pytest.mark.parametrize("settings", [*ORDERS, CHECKED])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_deterministic_script_equals_cpp_standalone(
    script: str, settings: str, submitted: tuple[Runs, References]
) -> None:
    observed, complaints = submitted[0][script, settings].result()
    expected = submitted[1][script].result()
    assert any(name.endswith(".count") and values.any() for name, values in expected.items())
    # Numbers of spikes and the indices of their neurons are whole numbers, and so exact
    assert_same(observed, expected)
    assert not complaints
