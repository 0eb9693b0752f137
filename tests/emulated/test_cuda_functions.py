"""User functions on the CUDA backend: which implementation is needed where."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import NeuronGroup, StateMonitor, check_units, implementation, run

from . import isolated, own

pytestmark = pytest.mark.timeout(300)

CODE = {
    "cpp": "inline double twice(double x) { return 2*x; }",
    "cuda": "__host__ __device__ inline double twice(double x) { return 2*x; }",
}


def _values(target: str, in_set_up: bool) -> list[float] | str:
    """What a function with this implementation gives, or why it cannot be used."""
    backend = own.backend()
    backend.start()

    @implementation(target, CODE[target])
    @check_units(x=1, result=1)
    def twice(x):  # pyright: ignore[reportMissingParameterType]
        return 2 * x

    cells = NeuronGroup(4, "result = twice(v) : 1\nv : 1", name="cells", namespace={"twice": twice})
    monitor = StateMonitor(cells, "v" if in_set_up else "result", record=True, name="monitor")
    try:
        cells.v = "twice(i)" if in_set_up else "i"
        run(b2.defaultclock.dt)
    except (b2.BrianObjectException, NotImplementedError) as error:
        return "\n".join([str(error), str(error.__cause__), *getattr(error, "__notes__", [])])
    backend.build()
    backend.run()
    values = monitor.v[:] if in_set_up else monitor.result[:]
    backend.close()
    return np.ravel(values).tolist()


@pytest.mark.parametrize(("target", "in_set_up"), [("cuda", False), ("cpp", True)])
def test_the_implementation_of_the_place_is_enough(target: str, in_set_up: bool) -> None:
    assert isolated.run(_values, target, in_set_up) == [0, 2, 4, 6]


@pytest.mark.parametrize(("target", "in_set_up"), [("cpp", False), ("cuda", True)])
def test_another_one_is_refused_with_a_reason(target: str, in_set_up: bool) -> None:
    said = isolated.run(_values, target, in_set_up)
    wanted = "cpp" if in_set_up else "cuda"
    assert "Cannot use function 'twice'" in said
    assert f"there is no implementation for '{wanted}'" in said
    assert in_set_up or f"@implementation('{wanted}', '...')" in said
