"""brian2cuda's CUDA code, run on the CPU: equal to cpp_standalone, or to theory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from . import noise, scripts, upstream
from .compare import Change, Compared, Script, on_both
from .values import assert_same

# The first test of a project waits for others that are built at the same time.
pytestmark = pytest.mark.timeout(1200)

FORWARD = "order=forward"
REVERSE = "order=reverse"
RANDOM = "order=random:1"
STRICT = "order=random:7 strict=on sm=3"
ALL = (FORWARD, REVERSE, RANDOM, STRICT)
#: brian2cuda's queue of spikes with different delays lacks this barrier, see
#: `scenarios.queue_of_many_delays`. With it every order of the threads is right.
BARRIER = Change(
    "brianlib/spikequeue.h",
    "bool initialize_semaphores = (!semaphore);\n",
    "bool initialize_semaphores = (!semaphore);\n        __syncthreads();\n",
)
_CUDA = "devices.cuda_standalone."
#: Several blocks, and whatever else generates different code.
OTHER = {
    _CUDA + "parallel_blocks": 3,
    _CUDA + "push_synapse_bundles": False,
    _CUDA + "launch_bounds": True,
}
#: As many blocks as the card has multiprocessors, and no atomic operations.
SERIAL = {
    _CUDA + "parallel_blocks": None,
    _CUDA + "use_atomics": False,
    _CUDA + "threads_per_synapse_bundle": "{mean}",
    _CUDA + "bundle_threads_warp_multiple": "up",
}


@dataclass(frozen=True)
class Project:
    """A script with what it is built and run with."""

    script: Script
    preferences: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    settings: tuple[str, ...] = ALL

    def compare(self) -> Compared:
        return on_both(self.script, self.settings, self.preferences, self.changes)


PROJECTS = {
    "neurons": Project(scripts.neurons),
    "delays": Project(scripts.delays, settings=(REVERSE,)),
    "delays, other preferences": Project(scripts.delays, OTHER, (BARRIER,)),
    "plasticity": Project(scripts.plasticity, {}, (BARRIER,)),
    "plasticity, serial": Project(scripts.plasticity, SERIAL, (BARRIER,)),
    "cable": Project(scripts.cable),
    "two runs": Project(scripts.two_runs),
    "noise": Project(noise.noise),
}
DETERMINISTIC = [
    (name, one) for name, project in PROJECTS.items() if name != "noise" for one in project.settings
]
#: Templates that no code object comes from: what others extend, and the project's own
#: files, with the reason why they are known to have run.
NO_CODE_OBJECT = {
    "common_group": "the other templates extend it",
    "common_synapses": "the template of synapses extends it",
    "main": "the program's entry",
    "network": "the time loop",
    "objects": "all arrays; main creates them and writes them to the results",
    "rand": "called in each time step",
    "run": "set-up and end of the program",
    "synapses_classes": "the pathways that the queues belong to",
}

Futures = dict[str, Future[Compared]]


@pytest.fixture(scope="module")
def projects(ahead: Callable[[str, Callable[[str], Compared]], Futures]) -> Futures:
    return ahead("project", lambda name: PROJECTS[name].compare())


@pytest.mark.parametrize(("project", "settings"), DETERMINISTIC)
def test_a_deterministic_script_equals_cpp_standalone(
    project: str, settings: str, projects: Futures
) -> None:
    found = projects[project].result()
    assert any(name.endswith(".count") and values.any() for name, values in found.expected.items())
    assert_same(found.observed[settings], found.expected)


@pytest.mark.parametrize("project", ["noise"])
def test_random_numbers_are_distributed_as_in_theory(project: str, projects: Futures) -> None:
    found = projects[project].result()
    for values in (found.expected, found.observed[FORWARD]):
        for name, (drawn, theory) in noise.draws(values).items():
            # Six standard errors: for a right program one in 500 million is farther off
            mean_error = np.sqrt(theory.variance / len(drawn))
            assert abs(drawn.mean() - theory.mean) < 6 * mean_error, name
            variance_error = np.sqrt((theory.fourth - theory.variance**2) / len(drawn))
            assert abs(drawn.var(ddof=1) - theory.variance) < 6 * variance_error, name


@pytest.mark.parametrize("project", ["noise"])
def test_random_numbers_are_independent(project: str, projects: Futures) -> None:
    found = projects[project].result().observed[FORWARD]
    trace = found["uniform.uniform"] - 0.5
    for shifted in (trace[1:] * trace[:-1], trace[:, 1:] * trace[:, :-1]):
        assert abs(shifted.mean()) < 6 / 12 / np.sqrt(shifted.size)
    assert len(np.unique(found["uniform.uniform"])) == trace.size
    normal, other = found["cells.normal"], found["cells.v"]
    assert abs(np.corrcoef(normal, other)[0, 1]) < 6 / np.sqrt(len(normal))


@pytest.mark.parametrize("project", ["noise"])
def test_sampled_targets_are_as_many_as_asked_for_and_distinct(
    project: str, projects: Futures
) -> None:
    found = projects[project].result().observed[FORWARD]
    sources, targets = found["picked.i"], found["picked.j"]
    assert np.array_equal(np.bincount(sources), np.full(200, 5))
    assert len(set(zip(sources, targets, strict=True))) == len(sources)


@pytest.mark.parametrize("settings", [REVERSE, RANDOM, STRICT])
@pytest.mark.parametrize("project", ["noise"])
def test_the_order_of_threads_does_not_change_random_numbers(
    project: str, settings: str, projects: Futures
) -> None:
    found = projects[project].result().observed
    assert_same(found[settings], found[FORWARD], rtol=0)


def test_every_template_of_brian2cuda_runs(projects: Futures) -> None:
    found = [
        projects[name].result() if name in projects else project.compare()
        for name, project in PROJECTS.items()
    ]
    ran = set().union(*(one.templates for one in found))
    assert upstream.all_templates() - ran == set(NO_CODE_OBJECT)
    extended = {"common_group", "common_synapses"}
    assert set(NO_CODE_OBJECT) - extended <= set.intersection(*(one.files for one in found))
