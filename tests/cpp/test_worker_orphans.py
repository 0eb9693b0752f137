"""Nothing is left of a session's process, however it, its parent or a call ends."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import psutil
import pytest

import gpurun
from gpurun.errors import CheckpointError, WorkerError
from gpurun.worker import RemoteSession
from tests import workers
from tests.workers import LARGE, Parent, children, gone, named_memory, shared_memory


@pytest.fixture(scope="module")
def model() -> gpurun.Model:
    return workers.model()


@pytest.fixture
def worker(model: gpurun.Model) -> Generator[RemoteSession]:
    with RemoteSession(model) as session:
        yield session
    gone(session.pid)


def test_a_session_that_is_forgotten(model: gpurun.Model) -> None:
    session = RemoteSession(model)
    pid = session.pid
    session.run()
    del session
    gc.collect()
    gone(pid)


def test_many_runs_leave_nothing(model: gpurun.Model, worker: RemoteSession) -> None:
    w = np.arange(float(LARGE))
    mine, other = psutil.Process(), psutil.Process(worker.pid)

    def present() -> None:
        worker.run({"store.w": w}, record=["store.w", "fired"])
        worker.read("store.v")

    def taken() -> list[tuple[int, int]]:
        gc.collect()
        return [(p.memory_info().rss, p.num_fds()) for p in (mine, other)]

    for _ in range(50):
        present()
    before = taken()
    for _ in range(200):
        present()
    for (rss, fds), (old_rss, old_fds) in zip(taken(), before, strict=True):
        assert fds == old_fds
        # One array more for each run would be 64 MB
        assert rss - old_rss < 8 * 2**20


def test_many_workers_leave_nothing(model: gpurun.Model) -> None:
    with RemoteSession(model) as session:
        session.run()
    before, processes = psutil.Process().num_fds(), children()
    threads = threading.active_count()
    for mode in (0, 1):
        session = RemoteSession(model)
        if mode:
            with pytest.raises(WorkerError):
                session.run({"cells.mode": mode})
            # Not only when it is closed
            assert psutil.Process().num_fds() == before
        session.close()
    assert psutil.Process().num_fds() == before
    assert children() == processes
    assert threading.active_count() == threads


#: What a parent does when it is killed. It says so before, and which other processes it has.
OCCUPATIONS = {
    "idle": "say('ready'); time.sleep(1000)",
    "running": """
threading.Thread(target=session.run, kwargs={"duration": 1e7}).start()
while not session._process.in_flight: pass
say('ready')
""",
    "spinning": """
threading.Thread(target=session.run, args=({"cells.mode": SPIN},)).start()
while not session._process.in_flight: pass
say('ready')
""",
    "forked": """
import warnings
warnings.simplefilter("ignore")
pid = os.fork()
if not pid:
    # Holds all that was open, and outlives its parent
    time.sleep(1000)
say(pid, 'ready')
session.run(duration=1e7)
""",
    "stopped worker": "os.kill(session.pid, signal.SIGSTOP); say('ready'); time.sleep(1000)",
    "opened in a thread that ended": """
session.close()
made = []
thread = threading.Thread(target=lambda: made.append(RemoteSession(model)))
thread.start()
thread.join()
pid = os.fork()
if not pid:
    time.sleep(1000)
# It did not end with the thread
assert made[0].run().completed == 1
threading.Thread(target=made[0].run, args=({"cells.mode": SPIN},)).start()
while not made[0]._process.in_flight: pass
say(made[0].pid, pid, 'ready')
""",
}


@pytest.mark.parametrize(
    ("occupation", "number"),
    [
        *((occupation, signal.SIGKILL) for occupation in OCCUPATIONS),
        ("running", signal.SIGTERM),
        ("idle", signal.SIGHUP),
    ],
)
def test_a_parent_that_is_killed(
    model: gpurun.Model, tmp_path: Path, occupation: str, number: int
) -> None:
    before = shared_memory()
    parent = Parent(model, tmp_path, OCCUPATIONS[occupation])
    *more, ready = parent.line().split()
    assert ready == "ready"
    pids = [parent.worker, *map(int, more)]
    forked = [pids.pop()] if more else []
    try:
        for pid in (parent.popen.pid, pids[-1]):
            assert named_memory(pid) == []
        os.kill(parent.popen.pid, number)
        for pid in pids:
            gone(pid)
        # Nobody else had to end for it
        assert all(map(psutil.pid_exists, forked))
    finally:
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
        parent.end(signal.SIGKILL)
    assert parent.popen.returncode == -number
    assert shared_memory() - before == set()
    assert list(parent.temporary.iterdir()) == []


#: How a script can end without having closed its session.
ENDS = {
    "its end": ("assert session.run().completed == 1", 0, ""),
    "an error": ("session.run()\nraise SystemExit('that is it')", 1, "that is it\n"),
    "os._exit": ("session.run()\nos._exit(3)", 3, ""),
    "after a death": (
        "try: session.run({'cells.mode': 1})\nexcept WorkerError as error: kept = error",
        0,
        "",
    ),
    "while a thread runs": (
        "thread = threading.Thread(target=session.run, args=({'cells.mode': SPIN},))\n"
        "thread.daemon = True\n"
        "threading.excepthook = lambda hook: say(hook.exc_type.__name__)\n"
        "thread.start()\n"
        "while not session._process.in_flight: pass",
        0,
        "",
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_script_that_closes_nothing(model: gpurun.Model, tmp_path: Path, how: str) -> None:
    script, code, complaint = ENDS[how]
    before = shared_memory()
    parent = Parent(model, tmp_path, script)
    ended, out, err = parent.end()
    assert (ended, err) == (code, complaint)
    # If the thread still came to it
    assert out in ("", "SessionClosedError\n" if how == "while a thread runs" else "")
    gone(parent.worker)
    assert shared_memory() - before == set()
    assert list(parent.temporary.iterdir()) == []


FORK = """
import warnings
warnings.simplefilter("ignore")
first = session.run(seed=3, record=["cells.v"])["cells.v"]
pid = os.fork()
if not pid:
    try:
        session.run()
    except SessionError as error:
        say("forked" in str(error), session.alive)
    session.stop()
    session.close()
    with RemoteSession(model) as mine:
        say((mine.run(seed=3, record=["cells.v"])["cells.v"] == first).all())
    sys.exit(0)
os.waitpid(pid, 0)
say(session.alive, (session.run(seed=3, record=["cells.v"])["cells.v"] == first).all())
"""


def test_a_fork(model: gpurun.Model, tmp_path: Path) -> None:
    parent = Parent(model, tmp_path, FORK)
    assert parent.end() == (0, "True False\nTrue\nTrue True\n", "")


# -- Ctrl-C ----------------------------------------------------------------------------

INTERRUPTED = """
first = session.run(seed=3, record=["cells.v"])["cells.v"]
handler = signal.getsignal(signal.SIGINT)
def tell():
    while not session._process.in_flight: pass
    say("ready")
threading.Thread(target=tell).start()
try:
    session.run(%s)
    say("not interrupted")
except KeyboardInterrupt:
    say("interrupted", session.alive)
assert signal.getsignal(signal.SIGINT) is handler
"""

USABLE = """
say((session.run(seed=3, record=["cells.v"])["cells.v"] == first).all())
"""

LOST = """
try:
    session.run()
except WorkerError as error:
    say("Ctrl-C" in str(error))
"""


@pytest.mark.parametrize(
    ("arguments", "then", "said"),
    [
        ("duration=1e7", USABLE, ["interrupted True", "True"]),
        ("{'cells.mode': SPIN}", LOST, ["interrupted False", "True"]),
    ],
    ids=["running", "spinning"],
)
def test_ctrl_c(
    model: gpurun.Model, tmp_path: Path, arguments: str, then: str, said: list[str]
) -> None:
    soon = "import gpurun.worker_call\ngpurun.worker_call.STOP_SECONDS = 1.0\n"
    parent = Parent(model, tmp_path, soon + INTERRUPTED % arguments + then)
    assert parent.line() == "ready"
    # The run has begun when its process is at work
    (worker,) = psutil.Process(parent.popen.pid).children()
    at_first = worker.cpu_times().user
    workers.until(lambda: worker.cpu_times().user > at_first + 0.3)
    # As a terminal does: everybody in the group
    os.killpg(parent.popen.pid, signal.SIGINT)
    code, out, err = parent.end()
    assert (code, out.splitlines(), err) == (0, said, "")


def test_a_checkpoint_is_written_in_spite_of_ctrl_c(worker: RemoteSession, tmp_path: Path) -> None:
    """As with a session in this process: it is complete, or it is not there."""
    worker.run(seed=1)
    calls: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        os.kill(worker.pid, signal.SIGSTOP)
        ring = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        go_on = threading.Timer(0.3, os.kill, (worker.pid, signal.SIGCONT))
        ring.start()
        go_on.start()
        worker.save(tmp_path / "state.h5")
        ring.join()
        go_on.join()
    finally:
        signal.signal(signal.SIGINT, old)
    assert calls == [signal.SIGINT]
    worker.load(tmp_path / "state.h5")
    with pytest.raises(CheckpointError):
        worker.load(tmp_path / "other.h5")
