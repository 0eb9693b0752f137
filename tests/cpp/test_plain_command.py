"""``gpurun SCRIPT``, ``gpurun check`` and ``gpurun build`` with scripts without ``set_device``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "gpurun")
Run = Callable[..., subprocess.CompletedProcess[str]]

TWO_RUNS = """
from brian2 import *
prefs.codegen.target = 'numpy'
def simulate(tau):
    group = NeuronGroup(3, 'dv/dt = (1 - v)/tau : 1', method='euler')
    recorded = StateMonitor(group, 'v', record=True)
    run(2*ms)
    return array(recorded.v)
values = [simulate(tau) for tau in [5*ms, 10*ms]]
for one in values:
    print(one.shape[1], one[0, -1] > 0)
"""
REFUSED = """
from brian2 import *
group = NeuronGroup(3, 'dv/dt = -v/(10*ms) : 1', method='euler')
net = Network(group)
net.run(1*ms)
@network_operation
def control():
    group.v = 1
net.add(control)
net.run(1*ms)
"""


@pytest.fixture
def gpurun(tmp_path: Path) -> Run:
    def call(text: str, *words: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "figure.py").write_text(text)
        return subprocess.run(
            [COMMAND, *words, "figure.py", "--device", "cpu"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


def test_check_says_what_would_be_run(gpurun: Run) -> None:
    done = gpurun(TWO_RUNS, "check")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "figure.py on cpu: 2 runs, 0.004 s of model time, 1 model to build"
    assert [line.strip() for line in rest if line.startswith("  run")] == [
        "run (figure.py, line 7): 0.002 s from 0 s, model 1",
    ] * 2
    assert "neurongroup (NeuronGroup, 3), statemonitor (StateMonitor)" in done.stdout
    assert "memory: " in done.stdout
    # Monitors are empty where nothing was simulated
    assert "followed up to line 11: IndexError" in done.stdout


def test_a_refusal_is_not_for_brians_developers(gpurun: Run) -> None:
    done = gpurun(REFUSED)
    assert done.returncode == 1
    assert "network operation 'control'" in done.stderr
    assert "unexpected error" not in done.stderr
    # What the script itself does wrong is shown as ever
    own = gpurun("from brian2 import *\nrun(1*ms)\nraise ValueError('mine')\n")
    assert own.returncode == 1
    assert "ValueError: mine" in own.stderr
    assert "unexpected error" in own.stderr


def test_check_finds_what_is_not_supported(gpurun: Run) -> None:
    done = gpurun(REFUSED, "check")
    assert done.returncode == 1, done.stderr
    assert "run (figure.py, line 10): not supported" in done.stdout
    assert "network operation 'control'" in done.stdout
    assert "(figure.py, line 6)" in done.stdout
    assert "followed up to" not in done.stdout


def test_check_leaves_other_scripts_to_themselves(gpurun: Run) -> None:
    for text, said in (
        ("import brian2\nbrian2.set_device('cpp_standalone')\n1/0", "standalone mode"),
        ("from brian2 import *\nset_device('runtime')\nrun(1*ms)", "leaves it to Brian2"),
        ("print('no brian')", "makes no run"),
    ):
        done = gpurun(text, "check")
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


def test_build_builds_the_first_model_and_a_run_takes_it_from_the_cache(gpurun: Run) -> None:
    done = gpurun(TWO_RUNS, "build")
    assert done.returncode == 0, done.stderr
    assert "is in the cache, built for cpu" in done.stderr
    assert done.stdout == ""
    done = gpurun(TWO_RUNS)
    assert (done.returncode, done.stdout) == (0, "20 True\n20 True\n"), done.stderr
    assert "gpurun: 2 runs, 0.004 s of model time" in done.stderr
    assert "(from the cache)" in done.stderr


def test_a_refusal_is_one_traceback_that_ends_in_the_script(gpurun: Run) -> None:
    done = gpurun(REFUSED)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    frames = [line for line in done.stderr.splitlines() if line.lstrip().startswith("File ")]
    assert [line for line in frames if "figure.py" not in line] == []
    assert "--device runtime" in done.stderr
