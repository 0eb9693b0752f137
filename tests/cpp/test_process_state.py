"""Loading and running a model must not change the process it lives in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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


HUGE_PAGES = """
from brian2 import *
import gpurun

HUGE_PAGE = 1 << 21

def advised_ranges():
    ranges, found = (0, 0), []
    with open("/proc/self/smaps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            first, _, rest = line.partition(" ")
            if not first.endswith(":"):
                start, stop = first.split("-")
                ranges = (int(start, 16), int(stop, 16))
            elif first == "VmFlags:" and "hg" in rest.split():
                found.append(ranges)
    return found

set_device("gpurun", build_on_run=False)
# One array of two and a half huge pages and one of a few bytes
big = NeuronGroup(5 * HUGE_PAGE // 2 // 8, "dv/dt = -v/(10*ms) : 1", method="exact", name="big")
small = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact", name="small")
big.v = "i"
run(0.2*ms)
with gpurun.build().session() as session:
    first = session.read("big.v", view=True).ctypes.data
    assert first % HUGE_PAGE == 0
    assert session.read("small.v", view=True).ctypes.data % HUGE_PAGE != 0
    # The kernel was told of the whole pages in it, and of no others
    advised = advised_ranges()
    past = first + 2 * HUGE_PAGE
    assert [start <= first < stop for start, stop in advised].count(True) == 1
    assert [start <= past < stop for start, stop in advised].count(True) == 0
print("advised")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are asked for on Linux only")
def test_big_arrays_can_lie_on_huge_pages() -> None:
    # In a process of its own, and without what NumPy has advised and memory that is used again
    # (advice stays with it)
    environment = {"NUMPY_MADVISE_HUGEPAGE": "0", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    done = subprocess.run(
        [sys.executable, "-c", HUGE_PAGES],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    assert "advised" in done.stdout
