"""Whatever ends the process of a session is an error of one call, and nothing more."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest
from brian2 import ms

import gpurun
from gpurun import worker_call, worker_link
from gpurun.errors import (
    DeviceError,
    SessionBusyError,
    SessionClosedError,
    WorkerError,
    WorkerTimeoutError,
)
from gpurun.worker import RemoteSession
from tests import workers
from tests.workers import (
    DEATHS,
    LARGE,
    SPIN,
    TALK,
    THROW,
    children,
    gone,
    in_thread,
    same,
    until,
)


@pytest.fixture(scope="module")
def model() -> gpurun.Model:
    return workers.model()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not stop is killed soon."""
    monkeypatch.setattr(worker_call, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(worker_link, "STOP_SECONDS", 0.2)


@pytest.fixture
def worker(model: gpurun.Model) -> Generator[RemoteSession]:
    with RemoteSession(model) as session:
        yield session
    gone(session.pid)


@pytest.mark.parametrize("mode", DEATHS, ids=lambda mode: DEATHS[mode][0])
@pytest.mark.parametrize("after", [-1.0, 2.05], ids=["at once", "in the middle"])
def test_deaths(model: gpurun.Model, mode: int, after: float) -> None:
    _, exitcode, name, said = DEATHS[mode]
    with RemoteSession(model) as session:
        session.run(seed=1)
        assert session.alive
        with pytest.raises(WorkerError) as caught:
            session.run({"cells.mode": mode, "cells.after": after})
        assert caught.value.fields == {"exitcode": exitcode, "signal": name}
        assert said in str(caught.value)
        assert "run()" in str(caught.value)
        assert str(session.pid) in str(caught.value)
        assert not session.alive
        gone(session.pid)
        calls: list[Callable[[], Any]] = [
            session.run,
            session.advance,
            lambda: session.read("cells.v"),
            lambda: session.t,
        ]
        for call in calls:
            with pytest.raises(WorkerError) as again:
                call()
            assert str(again.value) == str(caught.value)
            assert again.value.fields == caught.value.fields
        session.stop()
    session.close()
    with pytest.raises(SessionClosedError):
        session.run()


def test_a_death_in_one_worker_leaves_another_alone(model: gpurun.Model) -> None:
    options: Any = {"seed": 5, "record": ["cells.v", "fired"]}
    with RemoteSession(model) as one, RemoteSession(model) as other, model.session() as here:
        assert one.pid != other.pid
        other.run(duration=0.002, seed=5)
        with pytest.raises(WorkerError):
            one.run({"cells.mode": 1})
        here.run(duration=0.002, seed=5)
        same(here.advance(0.003, record=options["record"]),
             other.advance(0.003, record=options["record"]))  # fmt: skip
        with RemoteSession(model) as new:
            same(here.run(**options), new.run(**options))


def test_a_worker_killed_between_two_calls(worker: RemoteSession) -> None:
    worker.run()
    os.kill(worker.pid, signal.SIGKILL)
    # A little later than its first thread
    until(lambda: not worker.alive)
    with pytest.raises(WorkerError, match="SIGKILL") as caught:
        worker.run()
    assert caught.value.fields == {"exitcode": None, "signal": "SIGKILL"}


def test_a_worker_killed_while_it_reads_a_large_message(worker: RemoteSession) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    killer = threading.Timer(0.05, os.kill, (worker.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(WorkerError, match="SIGKILL"):
        worker.run({"store.w": list(range(LARGE))})
    killer.join()


def test_a_lost_card(worker: RemoteSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """After such an error the process is of no use, although it is there."""
    lost = DeviceError("an address", error="cudaErrorIllegalAddress", sticky=True)
    monkeypatch.setattr(worker_link, "unpack_error", lambda packed, model: lost)
    with pytest.raises(WorkerError, match=r"lost its card.*an address") as caught:
        worker.run({"cells.mode": THROW})
    assert caught.value.__cause__ is lost
    assert not worker.alive
    gone(worker.pid)
    with pytest.raises(WorkerError, match="lost its card"):
        worker.run()


def test_output_is_passed_on(model: gpurun.Model, capfd: pytest.CaptureFixture[str]) -> None:
    with RemoteSession(model) as worker:
        worker.run({"cells.mode": TALK, "cells.after": -1}, duration=0.0001)
    # What went to stderr is read by a thread, until the end of the process
    out, err = capfd.readouterr()
    # Once for each of the neurons
    assert out == "said on stdout\n" * 4
    assert err == "said on stderr\n" * 4


# -- time limits -----------------------------------------------------------------------


def test_a_run_that_takes_too_long_is_stopped(model: gpurun.Model, worker: RemoteSession) -> None:
    with pytest.raises(WorkerTimeoutError, match="can still be used") as caught:
        worker.run(duration=1e6, timeout=0.1)
    assert caught.value.fields == {"exitcode": None, "signal": None, "seconds": 0.1}
    assert isinstance(caught.value, TimeoutError)
    assert worker.alive
    with pytest.raises(WorkerTimeoutError):
        worker.advance(1e6, timeout=100 * ms)
    assert worker.t > 0
    options: Any = {"seed": 5, "record": ["cells.v", "fired"]}
    with model.session() as here:
        same(here.run(**options), worker.run(**options, timeout=60))


@pytest.mark.usefixtures("impatient")
def test_a_run_that_hangs_is_killed(worker: RemoteSession) -> None:
    with pytest.raises(WorkerTimeoutError, match=r"killed") as caught:
        worker.run({"cells.mode": SPIN}, timeout=0.1)
    assert caught.value.fields == {"exitcode": None, "signal": "SIGKILL", "seconds": 0.1}
    assert not worker.alive
    gone(worker.pid)
    with pytest.raises(WorkerTimeoutError):
        worker.run()


def test_an_error_before_the_time_is_over(worker: RemoteSession) -> None:
    with pytest.raises(gpurun.GpurunError, match="out of luck"):
        worker.run({"cells.mode": THROW}, timeout=60)


def test_a_start_that_takes_too_long(model: gpurun.Model) -> None:
    before = children()
    with pytest.raises(WorkerTimeoutError, match="open"):
        RemoteSession(model, start_timeout=1e-3)
    assert children() == before


@pytest.mark.parametrize(
    ("program", "message", "exitcode"),
    [
        ("#!/bin/sh\necho 'no luck today' >&2\nexit 3\n", "no luck today", 3),
        ("#!/bin/nowhere\n", "No process could be started", None),
    ],
    ids=["it fails", "there is none"],
)
def test_a_process_that_does_not_start(
    model: gpurun.Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    message: str,
    exitcode: int | None,
) -> None:
    path = tmp_path / "python"
    path.write_text(program)
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))
    before = psutil.Process().num_fds()
    with pytest.raises(WorkerError, match=message) as caught:
        RemoteSession(model)
    assert caught.value.fields["exitcode"] == exitcode
    assert psutil.Process().num_fds() == before


def test_ctrl_c_while_a_process_starts(
    model: gpurun.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nexec sleep 1000\n")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))
    before, fds = children(), psutil.Process().num_fds()
    # A shell that has started the tests in the background lets them ignore Ctrl-C
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    ring = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    ring.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            RemoteSession(model)
        ring.join()
    finally:
        signal.signal(signal.SIGINT, old)
    gc.collect()
    assert children() == before
    assert psutil.Process().num_fds() <= fds


# -- threads ---------------------------------------------------------------------------


def test_stop_from_another_thread(worker: RemoteSession) -> None:
    worker.stop()
    assert worker.run().completed == 1
    for _ in range(10):
        thread, made = in_thread(lambda: worker.run(duration=1e6, timeout=60))
        until(worker._lock.locked)
        # From this moment on one request is enough, wherever the run is
        worker.stop()
        thread.join()
        assert 0 <= made[0].completed < 1
        # Not the next one
        assert worker.run().completed == 1


def test_one_call_at_a_time(worker: RemoteSession) -> None:
    thread, made = in_thread(lambda: worker.run(duration=1e6, timeout=60))
    until(worker._lock.locked)
    with pytest.raises(SessionBusyError):
        worker.run()
    with pytest.raises(SessionBusyError):
        worker.read("cells.v")
    worker.stop()
    thread.join()
    assert made[0].completed < 1


def test_close_while_another_thread_runs(model: gpurun.Model) -> None:
    session = RemoteSession(model)
    thread, made = in_thread(lambda: session.run(duration=1e6, timeout=60))
    until(session._lock.locked)
    session.close()
    thread.join()
    assert made[0].completed < 1
    gone(session.pid)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["spinning", "not running at all"])
def test_close_of_a_worker_that_hangs(model: gpurun.Model, how: str) -> None:
    session = RemoteSession(model)
    if how == "spinning":
        thread, made = in_thread(lambda: session.run({"cells.mode": SPIN}))
        until(lambda: psutil.Process(session.pid).cpu_times().user > 0.5)
    else:
        os.kill(session.pid, signal.SIGSTOP)
        thread, made = in_thread(lambda: session.read("cells.v"))
        until(session._lock.locked)
    session.close()
    session.close()
    thread.join()
    assert isinstance(made[0], SessionClosedError)
    assert session.closed
    assert not session.alive
    gone(session.pid)


def test_an_exception_of_a_signal_handler_ends_the_process(worker: RemoteSession) -> None:
    """The reply that comes later must not be taken for that of another call."""

    class AlarmError(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise AlarmError

    old = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(AlarmError):
            worker.run(duration=1e6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    with pytest.raises(WorkerError, match="interrupted by AlarmError"):
        worker.run()
    gone(worker.pid)
