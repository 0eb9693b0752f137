"""Whatever fails while stimuli are presented: each result once, and right, or reported."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import gpurun
from gpurun import Scheduler, open_results, worker_call
from gpurun.errors import DeviceMemoryError, ScheduleError, ShapeMismatchError, UnknownVariableError
from gpurun.runlog import read_log
from gpurun.scheduler import admission, engine
from tests import scheduler_faults as faults
from tests import workers

pytestmark = pytest.mark.filterwarnings("ignore:gpurun:RuntimeWarning")
ROOT = Path(__file__).parents[2]
SLOW = {"hangs between steps, process", "hangs within a step, process"}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process, no shared memory, no thread of a scheduler."""
    before, memory = workers.children(), workers.shared_memory()
    yield
    workers.until(lambda: workers.children() <= before)
    assert workers.shared_memory() == memory
    assert not [t.name for t in threading.enumerate() if t.name.startswith("gpurun-")]


def params() -> Iterator[Any]:
    for fault in faults.FAULTS:
        for how in fault.how:
            yield pytest.param(fault, how, id=f"{fault.name}-{how}".replace(" ", "_"))


@pytest.mark.parametrize(("fault", "how"), list(params()))
def test_faults_at_random(fault: faults.Fault, how: str) -> None:
    crashes = fault.name == "stimulus crashes its process"
    for seed in range(1 if fault.name in SLOW or crashes else 3):
        trial = fault.trial(60 if fault.name in SLOW else 150, seed, how)
        assert trial.results + trial.reported == trial.count
        assert trial.reported == len(trial.hit)
        if "SIGKILL" in fault.name:
            assert trial.lost >= 1
        if crashes:
            assert trial.lost == 3 * len(trial.hit)


def test_a_wrong_result_would_be_noticed() -> None:
    trial = faults.Trial(3, faults.np.random.default_rng(0))
    right = [
        {name: faults.np.frombuffer(data) for name, data in zip(faults.RECORD, one, strict=True)}
        for one in faults.fault_free(3)
    ]
    trial.check(list(enumerate(right)))
    for wrong in (right[:2], [right[1], right[0], right[2]], [*right, right[0]]):
        with pytest.raises(AssertionError):
            faults.Trial(3, trial.rng).check(list(enumerate(wrong)))


# -- memory --------------------------------------------------------------------------------------


class Gauge:
    """A device of which others take as much as a test says."""

    device = "cpu"

    def __init__(self, used: int) -> None:
        self.used = used

    def sample(self) -> Any:
        return faults.MemorySample(time.time(), 100, self.used, None, 10)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("policy", ["shrink", "wait", "go_on"])
def test_memory_taken_by_others(
    policy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gauge = Gauge(10)
    monkeypatch.setattr(admission, "meter_for", lambda device: gauge)
    monkeypatch.setattr(admission, "_SECONDS", 0.0)
    monkeypatch.setattr(engine, "_SETTLE", 0.0)
    log = tmp_path / "run.log"
    with Scheduler(
        faults.model(), replicas=3, when_full=policy, seed=faults.SEED, log=log
    ) as scheduler:
        results = scheduler.map(faults.stimuli(300), record=faults.RECORD, seed=faults.SEED)
        found = [next(results) for _ in range(100)]
        assert sum(scheduler.sessions.values()) == 3
        gauge.used = 90
        found += [next(results) for _ in range(100)]
        if policy == "shrink":
            workers.until(lambda: sum(scheduler.sessions.values()) == 1)
        else:
            assert sum(scheduler.sessions.values()) == 3
        gauge.used = 10
        found += results
    faults.Trial(300, faults.np.random.default_rng(0)).check(list(enumerate(found)))
    run = read_log(log).runs[0]
    events = [event.what for event in run.events]
    what = {"shrink": "shrunk", "wait": "waiting for memory", "go_on": "memory exceeded"}[policy]
    # Said when it begins, not at every stimulus
    assert 1 <= events.count(what) <= 6


def test_no_session_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With others' memory above the limit from the beginning one session does the work."""
    monkeypatch.setattr(admission, "meter_for", lambda device: Gauge(95))
    with Scheduler(faults.model(), seed=faults.SEED) as scheduler:
        found = list(scheduler.map(faults.stimuli(30), record=faults.RECORD, seed=faults.SEED))
        assert scheduler.sessions == {"cpu": 1}
    faults.Trial(30, faults.np.random.default_rng(0)).check(list(enumerate(found)))


def test_the_last_session_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    faults.fault_free(40)
    run = gpurun.Session.run

    def without(self: gpurun.Session, overrides: Any = None, **options: Any) -> Any:
        if options["seed"] == faults.seed_of(faults.SEED, 7):
            raise DeviceMemoryError("No memory left.", needed=1, free=0)
        return run(self, overrides, **options)

    monkeypatch.setattr(gpurun.Session, "run", without)
    with Scheduler(faults.model(), replicas=3, on_error="skip", seed=faults.SEED) as scheduler:
        found = list(scheduler.map(faults.stimuli(40), record=faults.RECORD, seed=faults.SEED))
        assert scheduler.sessions == {"cpu": 1}
    trial = faults.Trial(40, faults.np.random.default_rng(0), hit={7})
    trial.check(list(enumerate(found)))
    assert isinstance(found[7].error, DeviceMemoryError)


def test_no_session_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: gpurun.Session, *arguments: Any, **options: Any) -> None:
        raise DeviceMemoryError("No memory left.", needed=1, free=0)

    monkeypatch.setattr(gpurun.Session, "__init__", broken)
    for replicas in (1, 3):
        with Scheduler(faults.model(), replicas=replicas) as scheduler:
            with pytest.raises(ScheduleError, match=r"Stimulus 0 cannot be run: No memory left"):
                list(scheduler.map(faults.stimuli(20)))
            with pytest.raises(ScheduleError, match="cannot be run"):
                scheduler.submit({}).result()


def test_a_start_that_no_session_takes() -> None:
    """It is refused at once; one that gets by ends the stimulus, not the seat."""
    with Scheduler(faults.model(), replicas=2, seed=faults.SEED) as scheduler:
        assert len(list(scheduler.map(faults.stimuli(4)))) == 4
        with pytest.raises(ShapeMismatchError, match=r"cells\.v"):
            scheduler.restart({"cells.v": faults.np.zeros(3)})
        assert len(list(scheduler.map(faults.stimuli(4)))) == 4
        scheduler._open_engine().restart({"cells.v": faults.np.zeros(3)})
        with pytest.raises(ScheduleError, match=r"Stimulus 0 failed.*cells\.v"):
            list(scheduler.map(faults.stimuli(4)))
        scheduler.restart({"cells.after": 1.0})
        found = list(scheduler.map(faults.stimuli(30), record=faults.RECORD, seed=faults.SEED))
    faults.Trial(30, faults.np.random.default_rng(0)).check(list(enumerate(found)))


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("how", ["map", "run"])
def test_another_start_leaves_nothing_of_the_one_before(how: str, isolation: str) -> None:
    """What an earlier start has changed is the model's own again."""
    given = [{"cells.after": 0.0} for _ in range(6)]
    with faults.model().session() as session:
        expected = [
            faults._values(
                session.run(one, record=faults.RECORD, seed=faults.seed_of(faults.SEED, n))
            )
            for n, one in enumerate(given)
        ]
    with Scheduler(
        faults.model(), replicas=2, isolation=isolation, start={"cells.v": 0.15}, seed=faults.SEED,
    ) as scheduler:  # fmt: skip
        call = getattr(scheduler, how)

        def found() -> list[Any]:
            results = call(given, record=faults.RECORD, seed=faults.SEED)
            return [faults._values(one) for one in results]

        first = found()
        assert first != expected
        scheduler.restart({"cells.after": 3.0})
        assert found() == expected
        scheduler.restart({"cells.v": 0.15})
        assert found() == first
        scheduler.restart(None)
        assert found() == expected


# -- the caller ----------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("how", ["map", "run"])
@pytest.mark.parametrize("at", [0, 1, 13])
def test_the_iterable_raises(how: str, isolation: str, at: int) -> None:
    given = faults.stimuli(20)

    def coming() -> Iterator[dict[str, Any]]:
        yield from given[:at]
        raise OSError("the disk is gone")

    with Scheduler(faults.model(), replicas=2, isolation=isolation, seed=faults.SEED) as scheduler:
        found = []
        with pytest.raises(OSError, match="the disk is gone"):
            found.extend(getattr(scheduler, how)(coming(), record=faults.RECORD, seed=faults.SEED))
        # What was taken before is all there
        faults.Trial(at, faults.np.random.default_rng(0)).check(list(enumerate(found)))
        again = list(getattr(scheduler, how)(given, record=faults.RECORD, seed=faults.SEED))
        faults.Trial(20, faults.np.random.default_rng(0)).check(list(enumerate(again)))
        with pytest.raises(UnknownVariableError):
            list(getattr(scheduler, how)([given[0], {"cells.u": 1}]))


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("how", ["map", "run"])
def test_the_consumer_stops_early(how: str, isolation: str) -> None:
    given = faults.stimuli(20)
    with Scheduler(faults.model(), replicas=2, isolation=isolation, seed=faults.SEED) as scheduler:
        for taken in (0, 1, 7):
            results = getattr(scheduler, how)(given, record=faults.RECORD, seed=faults.SEED)
            for _ in range(taken):
                next(results)
            results.close()
        again = list(getattr(scheduler, how)(given, record=faults.RECORD, seed=faults.SEED))
    faults.Trial(20, faults.np.random.default_rng(0)).check(list(enumerate(again)))


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_stimulus_at_work_is_stopped(isolation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consumer does not wait for the end of stimuli that nobody wants."""
    monkeypatch.setattr(worker_call, "STOP_SECONDS", 0.2)
    slow = {"cells.mode": faults.SLOW, "cells.after": 0.0, "cells.v": 0.1}
    with Scheduler(faults.model(), replicas=2, isolation=isolation, seed=faults.SEED) as scheduler:
        results = scheduler.map(
            [faults.stimuli(1)[0], *[slow] * 5], record=faults.RECORD, seed=faults.SEED
        )
        next(results)
        results.close()
        future = scheduler.submit(slow)
        again = list(scheduler.map(faults.stimuli(5), record=faults.RECORD, seed=faults.SEED))
        faults.Trial(5, faults.np.random.default_rng(0)).check(list(enumerate(again)))
    # A part of a run is no result
    assert future.cancelled() or future.exception() is not None or future.result().completed == 1


def test_closing_while_others_wait() -> None:
    """Futures of a scheduler that is closed end, whatever they were at."""
    for _ in range(20):
        with Scheduler(faults.model(), replicas=2, seed=faults.SEED) as scheduler:
            futures = [scheduler.submit(one) for one in faults.stimuli(20)]
            futures[7].cancel()
            results = scheduler.map(faults.stimuli(20))
            next(results)
        assert all(future.done() for future in futures)
        for future in futures:
            if not future.cancelled() and future.exception() is None:
                assert future.result().completed == 1
        with pytest.raises(ScheduleError, match="closed"):
            list(results)


def test_warnings_that_are_errors() -> None:
    """They do not end the thread of a session."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = faults.stimuli(6)
        given[2] = {"cells.mode": 22, "cells.after": 1.0}
        with Scheduler(
            faults.model(), replicas=1, isolation="process", on_error="skip", seed=faults.SEED
        ) as scheduler:
            found = list(scheduler.map(given, record=faults.RECORD, seed=faults.SEED))
    faults.Trial(6, faults.np.random.default_rng(0), hit={2}).check(list(enumerate(found)))


# -- Ctrl-C --------------------------------------------------------------------------------------

SCRIPT = """
import pickle, sys
from gpurun import Scheduler
how, isolation, folder = sys.argv[1:]
if __name__ == "__main__":
    with open(folder + "/model.pickle", "rb") as file:
        model = pickle.load(file)
    values = {"cells.v": [0.001*n for n in range(150)]}
    slow = {"cells.mode": 32, "cells.after": 4.85}
    options = {"replicas": 2, "isolation": isolation, "seed": 5, "log": folder + "/log"}
    with Scheduler(model, **options) as scheduler:
        if how == "sweep":
            print("ready", flush=True)
            scheduler.sweep(values, folder + "/sweep", overrides=slow, record=["cells.v"])
        else:
            given = [{"cells.v": v, **slow} for v in values["cells.v"]]
            for result in getattr(scheduler, how)(given, record=["cells.v"]):
                result.save(folder + "/results")
                print("ready", flush=True)
"""


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("how", ["map", "run", "sweep"])
def test_ctrl_c(how: str, isolation: str, tmp_path: Path) -> None:
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(faults.model()))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    process = subprocess.Popen(
        [sys.executable, str(script), how, isolation, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(runtime)},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    place = tmp_path / ("sweep" if how == "sweep" else "results")
    workers.until(lambda: faults.finished(place) >= 3)
    below = psutil.Process(process.pid).children(recursive=True)
    assert bool(below) == (isolation == "process")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, err
    assert err.rstrip().endswith("KeyboardInterrupt"), err
    assert not any(child.is_running() for child in below)
    assert not [*temporary.iterdir(), *(p for p in runtime.rglob("*") if p.is_file())]
    finished = [run for run in open_results(place) if run.finished]
    assert len(finished) >= (3 if how == "sweep" else out.count("ready") + 1)
    assert all(run["cells.v"].shape == (4,) for run in finished)
    # The log was closed, and has what was done
    run = read_log(tmp_path / "log").runs[0]
    assert run.end is not None
    assert sum(entry.ok for entry in run.stimuli) >= len(finished)


# -- consecutive stimuli -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["map", "run"])
def test_a_process_that_is_killed_while_it_is_idle(how: str) -> None:
    """It is no stimulus's doing, however often it happens."""
    given = faults.stimuli(8) if how == "map" else faults.consecutive(8)
    expected = faults.fault_free(8) if how == "map" else faults.in_line(8, set())
    options = {"record": faults.RECORD, "seed": faults.SEED}
    if how == "run":
        options["carry"] = [faults.CARRIED]
    with Scheduler(faults.model(), replicas=1, isolation="process", seed=faults.SEED) as scheduler:
        for _ in range(4):
            if how == "run":
                scheduler.restart(None)
            found = [faults._values(one) for one in getattr(scheduler, how)(given, **options)]
            assert found == expected
            (pid,) = faults._pids(scheduler)
            os.kill(pid, signal.SIGKILL)
            workers.until(lambda: not faults._pids(scheduler))
        assert scheduler.record.failed == 0


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("on_error", ["skip", "retry"])
def test_the_first_of_the_line_fails(
    on_error: str, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has done to what is carried is taken back, though nothing was given before."""
    expected = faults.in_line(6, {0} if on_error == "skip" else set())
    kind = gpurun.Session if isolation == "thread" else gpurun.worker.RemoteSession
    run, tried = kind.run, []

    def spoiled(self: Any, overrides: Any = None, **options: Any) -> Any:
        result = run(self, overrides, **options)
        if options["seed"] == faults.seed_of(faults.SEED, 0) and not tried:
            tried.append(result)
            raise OSError("too late")
        return result

    monkeypatch.setattr(kind, "run", spoiled)
    with Scheduler(
        faults.model(), isolation=isolation, on_error=on_error, seed=faults.SEED
    ) as scheduler:
        results = list(
            scheduler.run(
                faults.consecutive(6),
                carry=[faults.CARRIED],
                record=faults.RECORD,
                seed=faults.SEED,
            )
        )
    assert [faults._values(one) if one else None for one in results] == expected
