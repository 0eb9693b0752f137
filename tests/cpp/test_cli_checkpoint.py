"""``gpurun SCRIPT --checkpoint FILE``: killed anywhere, a script prints what it would have."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpurun.checkpoint import read_header

COMMAND = str(Path(sys.executable).parent / "gpurun")
FLAGS = "codegen.cpp.extra_compile_args_gcc = ['-w', '-O{}', '-ffp-contract=off']\n"

#: Spikes travel for up to 200 ms, and code behind the run draws once more.
NETWORK = """
import hashlib, sys
from brian2 import *
set_device("cpp_standalone", build_on_run=False)
if sys.argv[1] != "none":
    seed(int(sys.argv[1]))
cells = NeuronGroup(40, "dv/dt = (drive - v)/(10*ms) + 0.3*xi/sqrt(10*ms) : 1\\ndrive : 1",
                    threshold="v > 1", reset="v = 0", method="euler")
cells.v = "rand()"
cells.drive = 1.2
links = Synapses(cells, cells, "w : 1", on_pre="v_post += w; w *= 0.9999")
links.connect(p=0.2)
links.w = "0.1*rand()"
links.delay = "200*ms * rand()"
spikes = SpikeMonitor(cells)
run(60*second)
cells.v = "v + 10 + rand()"
device.build(run=False)
device.run(run_args={cells.drive: float(sys.argv[2])})
state = hashlib.sha256()
for values in (spikes.t, spikes.i, cells.v, links.w, links.i):
    state.update(asarray(values[:]).tobytes())
print(spikes.num_spikes, cells.v[:3], state.hexdigest())
"""
TINY = """
from brian2 import *
set_device("cpp_standalone", build_on_run=False)
cells = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="exact")
cells.v = 1
"""

Start = Callable[..., subprocess.Popen[str]]
End = Callable[..., tuple[str, str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start ``gpurun train.py SEED DRIVE OPTIONS``."""
    (tmp_path / "train.py").write_text(NETWORK)
    (tmp_path / "brian_preferences").write_text(FLAGS.format(1))

    def begin(*options: str, seed: str = "3", drive: str = "1.4") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, "--device", "cpu", "train.py", seed, drive, *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture
def finish(start: Start) -> End:
    """Run it to the end; returns what it printed and what it said on stderr."""

    def to_the_end(*options: str, expected: int = 0, **arguments: str) -> tuple[str, str]:
        process = start(*options, **arguments)
        printed, said = process.communicate(timeout=300)
        assert process.returncode == expected, said
        return printed, said

    return to_the_end


def script(text: str, folder: Path, *options: str) -> tuple[int, str, str]:
    """Status and output of another script with ``--checkpoint run.h5``."""
    (folder / "other.py").write_text(text)
    (folder / "brian_preferences").write_text(FLAGS.format(0))
    done = subprocess.run(
        [COMMAND, "--device", "cpu", "--checkpoint", "run.h5", *options, "other.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def stop_at_next_checkpoint(process: subprocess.Popen[str], path: Path, number: int) -> str:
    """Send a signal when the next checkpoint is there; returns what the process said."""

    def version() -> int | None:
        return path.stat().st_ino if path.exists() else None

    before = version()
    while version() in (before, None):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    assert printed == "", said
    return said


def test_killed_interrupted_and_resumed(start: Start, finish: End, tmp_path: Path) -> None:
    expected, _ = finish()
    path = tmp_path / "run.h5"
    options = ("--checkpoint", "run.h5", "--every=0.1s", "--resume")

    process = start(*options)
    said = stop_at_next_checkpoint(process, path, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert "going on from" not in said
    reached = read_header(path).t
    assert 0 < reached < 60

    process = start(*options)
    said = stop_at_next_checkpoint(process, path, signal.SIGINT)
    assert process.returncode == 130
    assert f"gpurun: going on from {path}, at t = {reached:.12g} s of 60 s" in said
    header = read_header(path)
    assert reached < header.t < 60
    assert f"gpurun: saved {path}, at t = {header.t:.12g} s of 60 s" in said
    assert "Traceback" not in said

    printed, said = finish(*options)
    assert printed == expected
    assert "gpurun: 1 run, " in said
    # Nothing is left to do, but everything to print
    printed, said = finish(*options)
    assert printed == expected
    assert "at t = 60 s of 60 s" in said
    assert "gpurun: 1 run, 0 s of model time" in said


def test_without_a_seed_the_network_is_that_of_the_file(
    start: Start, finish: End, tmp_path: Path
) -> None:
    path = tmp_path / "run.h5"
    options = ("--checkpoint", "run.h5", "--every", "0.1s", "--resume")
    stop_at_next_checkpoint(start(*options, seed="none"), path, signal.SIGKILL)
    shutil.copy(path, tmp_path / "copy.h5")
    stop_at_next_checkpoint(start(*options, seed="none"), path, signal.SIGKILL)
    expected, _ = finish("--checkpoint", "copy.h5", "--resume", seed="none")
    assert finish(*options, seed="none")[0] == expected


def test_a_file_is_not_overwritten(start: Start, finish: End, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    options = ("--checkpoint", "run.h5", "--every", "0.1s")
    stop_at_next_checkpoint(start(*options), path, signal.SIGKILL)
    kept = path.read_bytes()
    _, said = finish(*options, expected=2)
    assert "is there already: a checkpoint of a run that is not finished, at t = " in said
    assert "Use --resume" in said
    assert "building" not in said
    # A run that it does not belong to
    _, said = finish(*options, "--resume", expected=1, drive="1.5", seed="4")
    assert "belongs to a run with another choice of run_args and seed" in said
    status, _, said = script(TINY + "run(1*ms)\ndevice.build()", tmp_path, "--resume")
    assert status == 1
    assert "was saved by another model" in said
    assert path.read_bytes() == kept

    path.write_bytes(kept[:-1])
    _, said = finish(*options, "--resume", expected=2)
    assert "gpurun: error: " in said
    assert "building" not in said
    path.write_text("the draft of my thesis")
    for more in ((), ("--resume",)):
        _, said = finish(*options, *more, expected=2)
        assert str(path) in said
    assert path.read_text() == "the draft of my thesis"
    _, said = finish("--checkpoint", "missing/run.h5", expected=2)
    assert "there is no directory" in said


TWO_RUNS = TINY + "run(1*ms)\ncells.v = 2\nrun(1*ms)\ndevice.build()\nprint('ran')\n"
SECOND_RUN = TINY + "run(1*ms)\ndevice.build()\nprint('ran')\ndevice.run()\nprint('twice')\n"
IN_A_POOL = (
    TINY
    + """
run(1*ms)
device.build(run=False)
if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.apply(device.run)
    print("ran")
"""
)
STATIC = TINY.replace("cells.v = 1", "") + (
    "@implementation('cpp', 'double calls(double x) { static double n = 0; return n += x; }')\n"
    "@check_units(x=1, result=1)\n"
    "def calls(x):\n    return x\n"
    "cells.run_regularly('v = calls(1)', dt=1*ms)\n"
    "run(3*ms)\ndevice.build()\nprint('ran')\n"
)


@pytest.mark.parametrize(
    ("text", "message", "printed"),
    [
        (TWO_RUNS, "The script has 2 run() calls", ""),
        (SECOND_RUN, "This is the second device.run of the script", "ran\n"),
        (IN_A_POOL, "This process was started by the script's own", ""),
        (STATIC, "(calls) may hold static state", ""),
    ],
    ids=["two runs", "second run", "pool", "static state"],
)
def test_scripts_that_cannot_be_saved(
    text: str, message: str, printed: str, tmp_path: Path
) -> None:
    status, output, said = script(text, tmp_path)
    assert status == 1, said
    assert message in said
    assert output == printed
    assert (tmp_path / "run.h5").exists() == bool(printed)


def test_a_script_with_sessions_is_told(tmp_path: Path) -> None:
    text = TINY.replace("cpp_standalone", "gpurun") + (
        "import gpurun\nrun(1*ms)\nwith gpurun.build().session() as session:\n    session.run()\n"
    )
    status, _, said = script(text, tmp_path)
    assert status == 0, said
    assert "warning: nothing was saved" in said
    assert "session.run_for" in said


def test_a_run_that_cannot_be_saved_any_more_goes_on(tmp_path: Path) -> None:
    """It is worth more than its checkpoint. The folder vanishes after the first one."""
    text = (
        TINY
        + """
import shutil, threading, time
from pathlib import Path
folder = Path("run.h5").resolve().parent / "disk"
def unplug():
    while not (folder / "run.h5").exists():
        time.sleep(0.01)
    shutil.rmtree(folder)
run(200*second)
device.build(run=False)
threading.Thread(target=unplug, daemon=True).start()
device.run()
print("done", cells.t)
"""
    )
    (tmp_path / "disk").mkdir()
    status, printed, said = script(
        text, tmp_path, "--quiet", "--every", "0.1s", "--checkpoint", "disk/run.h5"
    )
    assert status == 0, said
    assert printed.startswith("done")
    assert "gpurun: warning: The checkpoint" in said
    assert "The run is not saved at t = 200 s of 200 s." in said


def test_build_on_run(tmp_path: Path) -> None:
    text = TINY.replace(", build_on_run=False", "") + "run(5*ms)\nprint(cells.v[0])\n"
    status, printed, said = script(text, tmp_path)
    assert status == 0, said
    # A longer run of the same model goes on where that one ended
    status, longer, said = script(text.replace("run(5*ms)", "run(8*ms)"), tmp_path, "--resume")
    assert status == 0, said
    assert "at t = 0.005 s of 0.008 s" in said
    assert 0 < float(longer) < float(printed)
    status, _, said = script(text, tmp_path, "--resume")
    assert status == 1
    assert "is at t = 0.008 s, behind the script's end at 0.005 s" in said


def test_a_run_that_begins_with_a_restored_file(tmp_path: Path) -> None:
    """It does not begin at t = 0."""
    first = TINY + "run(3*ms)\ndevice.build()\nstore(filename='before.h5')\n"
    status, _, said = script(first, tmp_path, "--checkpoint", "other.h5")
    assert status == 0, said
    text = TINY + "restore(filename='before.h5')\nrun(5*ms)\ndevice.build()\nprint(cells.v[0])\n"
    status, printed, said = script(text, tmp_path)
    assert status == 0, said
    assert float(printed) == pytest.approx(np.exp(-0.8))
    status, again, said = script(text, tmp_path, "--resume")
    assert (status, again) == (0, printed), said
    assert "at t = 0.008 s of 0.008 s" in said


def test_a_script_that_saves_its_session_itself(tmp_path: Path) -> None:
    text = TINY.replace("cpp_standalone", "gpurun") + (
        "import gpurun\nfrom gpurun.config import settings\nrun(1*ms)\n"
        "with gpurun.build().session() as session:\n"
        "    session.run()\n    session.save(settings().checkpoint)\n"
    )
    status, _, said = script(text, tmp_path)
    assert status == 0, said
    assert (tmp_path / "run.h5").exists()
    assert "nothing was saved" not in said
