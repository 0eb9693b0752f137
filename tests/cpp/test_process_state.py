"""Loading and running a model must not change the process it lives in."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import numpy as np
from brian2 import *
import gpurun

# Brian's default flags hold -ffast-math, whose start-up code would flush denormals
assert "-ffast-math" in prefs["codegen.cpp.extra_compile_args_gcc"]
set_device("gpurun", build_on_run=False)
group = NeuronGroup(3, "dv/dt = -v / (1*ms) : 1", method="exact")
group.v = 1
run(900*ms)  # exp(-900) is smaller than any double

def denormals():
    return float((np.array([1e-310]) * 0.5)[0]) > 0

assert denormals()
model = gpurun.build()
assert denormals(), "building changed the floating point mode"
with model.session() as session:
    assert denormals(), "loading changed the floating point mode"
    result = session.run(record=[group.v])
    assert denormals(), "running changed the floating point mode"
    assert (result[group.v] == 0).all()
print("unchanged")
"""


def test_floating_point_mode_stays_as_it_was() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stdout
