"""A model that can kill its process, and what tests of workers have to wait for."""

from __future__ import annotations

import functools
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brian2 as b2
import psutil
from brian2 import NeuronGroup, SpikeMonitor, Synapses, ms

import gpurun
from tests import models

ROOT = Path(__file__).parents[1]
#: Elements of the large variable of `deadly`: too many for a message without shared memory.
LARGE = 20_000

#: What the function of `deadly` does for each value of `mode`, and how the process ends:
#: exit code, signal, and something from the message.
DEATHS: dict[int, tuple[str, int | None, str | None, str]] = {
    1: ("*(volatile int*)8 = 1;", None, "SIGSEGV", "Segmentation fault"),
    2: ("raise(SIGABRT);", None, "SIGABRT", "Aborted"),
    3: ("raise(SIGKILL);", None, "SIGKILL", "lack of memory"),
    4: ("syscall(SYS_exit_group, 3);", 3, None, "exit code 3"),
    5: ("syscall(SYS_exit_group, 0);", 0, None, "exit code 0"),
    6: (
        'fprintf(stderr, "the last words\\n"); fflush(stderr); raise(SIGTERM);',
        None,
        "SIGTERM",
        "on stderr:\nthe last words",
    ),
}
#: Never ends, and cannot be stopped between two steps.
SPIN = 7
#: Prints, and goes on.
TALK = 8
#: An error that the session survives.
THROW = 9


def deadly() -> None:
    """Record a noisy script whose C++ function kills the process as `mode` says."""
    models.new_script()
    actions = {
        **{mode: death[0] for mode, death in DEATHS.items()},
        SPIN: "for (volatile double x = 1; x > 0;) {}",
        TALK: 'printf("said on stdout\\n"); fprintf(stderr, "said on stderr\\n");',
        THROW: 'throw std::runtime_error("out of luck");',
    }
    cases = "\n".join(f"case {mode}: {{ {text} }} break;" for mode, text in actions.items())
    code = f"""
    double fate(const int mode, const double t, const double after)
    {{
        if (t > after)
            switch (mode) {{ {cases} default: break; }}
        return 0.001;
    }}
    """
    headers = ["<csignal>", "<cstdio>", "<unistd.h>", "<sys/syscall.h>", "<stdexcept>"]
    fate = models.cpp_function("", "fate", 1, 1, 1)
    fate.implementations.add_implementation(
        "cpp", code, name="fate", compiler_kwds={"headers": headers}
    )
    cells = NeuronGroup(
        4,
        "dv/dt = -v/(5*ms) + 0.1*xi/sqrt(ms) : 1\nmode : integer\nafter : 1",
        threshold="v > 0.2",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.namespace["fate"] = fate
    cells.run_regularly("v += fate(mode, t/ms, after)", dt=models.DT * b2.second)
    store = NeuronGroup(LARGE, "w : 1\nv : volt", name="store")
    links = Synapses(cells, cells, on_pre="v_post += 0.1", delay=1 * ms, name="links")
    links.connect()
    fired = SpikeMonitor(cells, name="fired")
    b2.Network(cells, store, links, fired).run(5 * ms)


@functools.cache
def model() -> gpurun.Model:
    """The model of `deadly`."""
    deadly()
    made = gpurun.build()
    assert not made.manifest.static_state
    return made


def gone(pid: int) -> None:
    """Wait for the end of a process; a time limit of the test's own ends that."""
    until(lambda: not psutil.pid_exists(pid) or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    # Not waited for here: whoever started it is to do that
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def same(one: Any, other: Any) -> None:
    """Fail unless two results are equal to the last bit."""
    assert list(one) == list(other)
    for name in one:
        mine, theirs = one[name], other[name]
        if name in one.monitors:
            assert list(mine) == list(theirs)
            pairs = [(mine[v], theirs[v]) for v in mine]
        else:
            pairs = [(mine, theirs)]
        for a, b in pairs:
            assert a.dtype == b.dtype, name
            assert a.shape == b.shape, name
            assert a.tobytes() == b.tobytes(), name
    for fact in ("t", "steps", "completed", "duration", "seed", "device"):
        assert getattr(one, fact) == getattr(other, fact), fact


def children() -> set[int]:
    """Numbers of the processes that this one has started."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start `call`, and return the thread and the list that gets its result or exception."""
    made: list[Any] = []

    def work() -> None:
        try:
            made.append(call())
        except Exception as error:
            made.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, made


def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so; the test's own time limit ends it."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)


def raised(call: Callable[[], Any]) -> Exception:
    """What a call raises."""
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


BEGIN = """
import os, pickle, signal, subprocess, sys, threading, time
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
from gpurun.worker import RemoteSession
from gpurun.errors import *
session = RemoteSession(model)
SPIN = 7

def say(*words):
    print(*words, flush=True)

say(session.pid)
"""


class Parent:
    """A process with a worker, in a process group and with a temporary folder of its own."""

    def __init__(self, model: gpurun.Model, folder: Path, script: str) -> None:
        path = folder / "model.pickle"
        path.write_bytes(pickle.dumps(model))
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.popen = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", BEGIN + script, str(path)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.worker = int(self.line())

    def line(self) -> str:
        """The next line that it prints."""
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.popen.communicate()
        return line.rstrip("\n")

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        """Wait for its end, perhaps after a signal; return code, output, and what it complained."""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=120)
        return self.popen.returncode, out, err


def shared_memory() -> set[str]:
    """Names of shared memory that Python or gpurun could have left."""
    return {name for name in os.listdir("/dev/shm") if re.match("psm_|gpurun|memfd", name)}


def named_memory(pid: int) -> list[str]:
    """What a process has open or mapped that lies in /dev/shm."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return [text for text in [*lines, *links] if "/dev/shm" in text]
