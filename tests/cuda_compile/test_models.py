"""Models of every kind compile with a real nvcc, and their libraries load without a card."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import (
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    run,
)
from brian2.units import Hz, ms

import gpurun
from gpurun.brian.codeobject import LOOP_TEMPLATES
from gpurun.errors import DeviceUnavailableError
from gpurun.instance import Instance
from gpurun.library import HOST_ONLY, Library
from tests import models
from tests.emulated import scripts

# The libraries are compiled one after another, a minute each on a slow machine.
pytestmark = pytest.mark.timeout(900)


def two_runs() -> None:
    """Changes between runs, in what upstream's tests use, too."""
    models.new_script(backend="cuda")
    objects = scripts.two_runs()
    # Brian refers to groups weakly
    two_runs.objects = objects  # type: ignore[attr-defined]


def single_precision() -> Any:
    """Numbers of every distribution, and synapses from arrays and a generator, in float32."""
    with _floats(np.float32):
        models.new_script(backend="cuda")
        stim = TimedArray(np.linspace(0, 1, 10), dt=1 * ms)  # Brian names it "_timedarray"
        grid = TimedArray(np.ones((5, 20)), dt=1 * ms, name="grid")
        few = b2.BinomialFunction(10, 0.3, approximate=False, name="few")
        many = b2.BinomialFunction(200, 0.5, name="many")
        cells = NeuronGroup(
            20,
            "dv/dt = (stim(t) + grid(t, i) - v)/(5*ms) + 0.1*xi/sqrt(ms) : 1\nn : 1\nk : integer",
            threshold="v > 1",
            reset="v = 0",
            refractory=1 * ms,
            method="heun",
            name="cells",
            namespace={"stim": stim, "grid": grid, "few": few, "many": many},
        )
        cells.run_regularly(
            "n = few() + many() + rand() + randn()\nk = poisson(3.5)\nn = poisson(n)"
        )
        source = PoissonGroup(10, rates=100 * Hz, name="source")
        drawn = Synapses(source, cells, "w : 1", on_pre="v_post += w*rand()", name="drawn")
        drawn.connect(i=np.arange(10), j=np.arange(10) * 2)
        made = Synapses(cells, cells, "w : 1", on_pre="v_post += 0.1", on_post="w += 1",
                        name="made")  # fmt: skip
        made.connect(j="k for k in range(i, N_post, 3)")
        made.pre.delay = "0.1*ms*(j % 5)"
        made.post.delay = 0.3 * ms
        spikes = SpikeMonitor(cells, variables="v", name="spikes")
        trace = StateMonitor(cells, ["v", "k"], record=[0, 3], name="trace")
        rate = PopulationRateMonitor(cells, name="rate")
        run(5 * ms)
        return stim, grid, few, many, cells, source, drawn, made, spikes, trace, rate


@contextmanager
def _floats(dtype: type[np.floating]) -> Generator[None]:
    before = b2.prefs.core.default_float_dtype
    b2.prefs.core.default_float_dtype = dtype
    try:
        yield
    finally:
        b2.prefs.core.default_float_dtype = before


SCRIPTS: dict[str, Callable[[], Any]] = {
    one.__name__: one for one in (models.everything, models.rare, two_runs, single_precision)
}


class Built:
    """A model, and the templates that its time loop was generated from."""

    def __init__(self, script: Callable[[], Any]) -> None:
        objects = script()
        self.model = gpurun.build()
        self.templates = {
            str(codeobj.template_name) for codeobj in models.device().code_objects.values()
        }
        del objects


@pytest.fixture(scope="module")
def built(toolkit: object) -> Generator[Callable[[str], Built]]:
    """Builds a script once."""
    found: dict[str, Built] = {}

    def build(name: str) -> Built:
        if name not in found:
            found[name] = Built(SCRIPTS[name])
        return found[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "BACKEND", "cuda")
        yield build
    models.new_script()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_library_is_of_this_abi_and_model(built: Callable[[str], Built], name: str) -> None:
    model = built(name).model
    assert model.manifest.backend == "cuda"
    names = [info.name for info in model.manifest.variables]
    # Loading checks the ABI's version and the names
    Library(model.library, names, device=HOST_ONLY)
    # Set-up code runs on the host
    again = Instance.draw(model, model.data.static, seed=3)
    assert again.frozen.keys() == model.data.frozen.keys()
    assert again.frozen["defaultclock.dt"] == pytest.approx([models.DT])


def test_set_up_code_has_run(built: Callable[[str], Built]) -> None:
    frozen = built("everything").model.data.frozen
    assert np.array_equal(frozen["exc.kind"], np.arange(20) % 3)
    assert 0 < len(frozen["direct.w"]) < 100
    assert built("single_precision").model.data.frozen["cells.v"].dtype == np.float32


def test_without_a_card_a_session_says_so(built: Callable[[str], Built]) -> None:
    from gpurun.toolchain_nvcc import cuda_problem

    if cuda_problem() is None:
        pytest.skip("a card is here")
    with pytest.raises(DeviceUnavailableError, match=r"cuda:0.*cannot be used"):
        built("two_runs").model.session()


def test_every_template_is_compiled(built: Callable[[str], Built]) -> None:
    assert set().union(*(built(name).templates for name in SCRIPTS)) >= LOOP_TEMPLATES
