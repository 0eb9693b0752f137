"""Loading and running a model must not change the process it lives in."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import brian2 as b2
import pytest
from brian2.units import ms

from tests import models

HUGE_PAGE = 1 << 21
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


def big_arrays() -> SimpleNamespace:
    """One array of two and a half huge pages and one of a few bytes."""
    models.new_script()
    count = 5 * HUGE_PAGE // 2 // 8
    big = b2.NeuronGroup(count, "dv/dt = -v/(10*ms) : 1", method="exact", name="big")
    small = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact", name="small")
    big.v = "i"
    b2.run(0.2 * ms)
    return SimpleNamespace(big=big, small=small)


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are asked for on Linux only")
def test_big_arrays_can_lie_on_huge_pages() -> None:
    model = models.build(big_arrays).model
    with model.session() as session:
        big = session.read("big.v", view=True)
        small = session.read("small.v", view=True)
    assert big.ctypes.data % HUGE_PAGE == 0
    assert small.ctypes.data % HUGE_PAGE != 0
    # Which the kernel was told of the whole pages in it, and of no others
    advised = _advised_ranges()
    assert any(start <= big.ctypes.data < stop for start, stop in advised)
    assert not any(start <= big.ctypes.data + 2 * HUGE_PAGE < stop for start, stop in advised)


def _advised_ranges() -> list[tuple[int, int]]:
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
