"""brian2cuda's CUDA code, run on the CPU: equal to cpp_standalone, or to theory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from . import isolated, noise, scripts, upstream
from .run_script import Change, Emulated, Script, on_reference, on_upstream
from .values import Values, assert_same

# The first test of a project waits for others that are built at the same time.
pytestmark = pytest.mark.timeout(1200)

FORWARD = "order=forward"
REVERSE = "order=reverse"
RANDOM = "order=random:1"
STRICT = "order=random:7 strict=on sm=3"
ALL = (FORWARD, REVERSE, RANDOM, STRICT)
#: What the queue of spikes with different delays lacks, see `scenarios`. With both, every
#: order of the threads is right and no race is left.
BARRIER = Change(
    "brianlib/spikequeue.h",
    "bool initialize_semaphores = (!semaphore);\n",
    "bool initialize_semaphores = (!semaphore);\n        __syncthreads();\n",
)
RELEASE = Change(
    "brianlib/spikequeue.h",
    "*lock = 0;\n        __threadfence();\n",
    "__threadfence();\n        atomicExch((int*)lock, 0);\n",
)
QUEUE = (BARRIER, RELEASE)
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
    """A script with what it is built and run with.

    All code is instrumented: an access outside of memory ends the program, and so does a
    race, unless `races` gives the reason why there is one.
    """

    script: Script
    preferences: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    settings: tuple[str, ...] = ALL
    races: str = ""

    def run(self) -> Emulated:
        return isolated.run(on_upstream, self.script, self.settings, self.preferences, self.changes)


PROJECTS = {
    "neurons": Project(scripts.neurons),
    "delays": Project(scripts.delays, settings=(REVERSE,), races="the queue of spikes, see QUEUE"),
    "delays, other preferences": Project(scripts.delays, OTHER, QUEUE),
    "plasticity": Project(scripts.plasticity, {}, QUEUE),
    "plasticity, serial": Project(
        scripts.plasticity, SERIAL, QUEUE, races="see scenarios.races_without_atomics"
    ),
    "cable": Project(
        scripts.cable,
        races="a section reads its predecessor's last row, and multiplies it with zero",
    ),
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

Projects = dict[str, Future[Emulated]]
References = dict[str, Future[Values]]


@pytest.fixture(scope="module")
def submitted(
    wanted: Callable[[str], list[str]], workers: ThreadPoolExecutor
) -> tuple[Projects, References]:
    """Start everything that the selected tests need, in their order."""
    projects: Projects = {}
    references: References = {}
    for name in wanted("project"):
        project = PROJECTS[name]
        projects[name] = workers.submit(project.run)
        script = project.script
        if script.__name__ not in references:
            references[script.__name__] = workers.submit(isolated.run, on_reference, script)
    return projects, references


@pytest.fixture
def emulated(project: str, submitted: tuple[Projects, References]) -> Emulated:
    return submitted[0][project].result()


@pytest.fixture
def expected(project: str, submitted: tuple[Projects, References]) -> Values:
    return submitted[1][PROJECTS[project].script.__name__].result()


@pytest.mark.parametrize(("project", "settings"), DETERMINISTIC)
def test_a_deterministic_script_equals_cpp_standalone(
    project: str, settings: str, emulated: Emulated, expected: Values
) -> None:
    assert any(name.endswith(".count") and values.any() for name, values in expected.items())
    assert_same(emulated.observed[settings], expected)
    assert emulated.complaints[settings] == []


@pytest.mark.parametrize("project", ["noise"])
def test_random_numbers_are_distributed_as_in_theory(
    project: str, emulated: Emulated, expected: Values
) -> None:
    for values in (expected, emulated.observed[FORWARD]):
        for name, (drawn, theory) in noise.draws(values).items():
            # Six standard errors: for a right program one in 500 million is farther off
            mean_error = np.sqrt(theory.variance / len(drawn))
            assert abs(drawn.mean() - theory.mean) < 6 * mean_error, name
            variance_error = np.sqrt((theory.fourth - theory.variance**2) / len(drawn))
            assert abs(drawn.var(ddof=1) - theory.variance) < 6 * variance_error, name


@pytest.mark.parametrize("project", ["noise"])
def test_random_numbers_are_independent(project: str, emulated: Emulated) -> None:
    found = emulated.observed[FORWARD]
    trace = found["uniform.uniform"] - 0.5
    for shifted in (trace[1:] * trace[:-1], trace[:, 1:] * trace[:, :-1]):
        assert abs(shifted.mean()) < 6 / 12 / np.sqrt(shifted.size)
    assert len(np.unique(found["uniform.uniform"])) == trace.size
    normal, other = found["cells.normal"], found["cells.v"]
    assert abs(np.corrcoef(normal, other)[0, 1]) < 6 / np.sqrt(len(normal))


@pytest.mark.parametrize("project", ["noise"])
def test_sampled_targets_are_as_many_as_asked_for_and_distinct(
    project: str, emulated: Emulated
) -> None:
    found = emulated.observed[FORWARD]
    sources, targets = found["picked.i"], found["picked.j"]
    assert np.array_equal(np.bincount(sources), np.full(200, 5))
    assert len(set(zip(sources, targets, strict=True))) == len(sources)


@pytest.mark.parametrize("settings", [REVERSE, RANDOM, STRICT])
@pytest.mark.parametrize("project", ["noise"])
def test_the_order_of_threads_does_not_change_random_numbers(
    project: str, settings: str, emulated: Emulated
) -> None:
    assert_same(emulated.observed[settings], emulated.observed[FORWARD], rtol=0)


def test_every_template_of_brian2cuda_runs(submitted: tuple[Projects, References]) -> None:
    found = [
        submitted[0][name].result() if name in submitted[0] else project.run()
        for name, project in PROJECTS.items()
    ]
    ran = set().union(*(one.templates for one in found))
    assert upstream.all_templates() - ran == set(NO_CODE_OBJECT)
    extended = {"common_group", "common_synapses"}
    assert set(NO_CODE_OBJECT) - extended <= set.intersection(*(one.files for one in found))
