from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from gpurun import events
from gpurun.cli import tally as tally_module
from gpurun.cli.tally import ChildTally, Tally
from gpurun.cli.wording import closing_line, number, seconds, size


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tally_module, "time", clock)
    return clock


def run(tally: Tally, duration: float = 0.35, wall: float = 0.01, completed: float = 1.0) -> None:
    tally(events.RunStarted(duration))
    tally(events.RunFinished(duration * completed, wall, completed))


def test_sums() -> None:
    tally = Tally()
    tally(events.BuildStarted())
    assert tally.building is not None
    tally(events.BuildFinished("a", 4.0, 3.0, cached=False))
    tally(events.BuildStarted())
    tally(events.BuildFinished("a", 0.5, 0.0, cached=True))
    assert tally.building is None
    run(tally)
    run(tally, duration=2.0, wall=1.0, completed=0.25)
    assert (tally.runs, tally.stopped) == (2, 1)
    assert tally.model_time == pytest.approx(0.85)
    assert tally.run_time == pytest.approx(1.01)
    assert (tally.builds, tally.cached, tally.build_time) == (2, 1, 4.5)


def test_rate_is_that_of_the_last_seconds(clock: Clock) -> None:
    tally = Tally()
    assert tally.rate() is None
    for _ in range(100):
        tally(events.RunStarted(1.0))
        clock.now += 1.0
        tally(events.RunFinished(1.0, 1.0, 1.0))
    assert tally.rate() == pytest.approx(1.0)
    for _ in range(4000):
        clock.now += 0.01
        run(tally)
    assert tally.rate() == pytest.approx(100, rel=0.1)
    clock.now += 90
    assert tally.rate() == pytest.approx(10, rel=0.1)


def test_memory_does_not_grow(clock: Clock) -> None:
    tally = Tally()
    for _ in range(50_000):
        clock.now += 0.001
        run(tally)
    assert len(tally._history) < 50
    assert tally.active() == []


def test_threads_have_their_own_runs() -> None:
    tally = Tally()
    both = threading.Barrier(2)

    def work() -> None:
        tally(events.RunStarted(1.0))
        tally(events.RunProgress(0.25, 1.0))
        both.wait()
        both.wait()
        tally(events.RunFinished(1.0, 2.0, 1.0))

    thread = threading.Thread(target=work)
    thread.start()
    tally(events.RunStarted(1.0))
    tally(events.RunProgress(0.75, 1.0))
    both.wait()
    assert sorted(active.completed for active in tally.active()) == [0.25, 0.75]
    both.wait()
    thread.join()
    tally(events.RunFinished(1.0, 2.0, 1.0))
    assert tally.active() == []
    assert tally.runs == 2


def test_a_failed_build_is_over_when_a_run_starts() -> None:
    tally = Tally()
    tally(events.BuildStarted())
    run(tally)
    assert tally.building is None


def test_children_report_through_the_file(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "relay")
    child = ChildTally(tmp_path / "relay")
    tally.collect()
    child(events.BuildStarted())
    child(events.BuildFinished("key", np.float64(1.5), 0.0, cached=True))  # pyright: ignore[reportArgumentType]
    child(events.RunStarted(1.0))
    child(events.RunProgress(0.5, 1.0))
    child(events.RunFinished(np.float64(0.1), np.float64(1e-7), np.float64(0.1)))  # pyright: ignore[reportArgumentType]
    tally.collect()
    tally.collect()
    assert (tally.builds, tally.cached, tally.build_time) == (1, 1, 1.5)
    assert (tally.runs, tally.stopped, tally.model_time, tally.run_time) == (1, 1, 0.1, 1e-7)
    with (tmp_path / "relay").open("a") as file:
        file.write("run 0.5 0.25")  # the child is in the middle of it
    tally.collect()
    assert tally.runs == 1
    with (tmp_path / "relay").open("a") as file:
        file.write(" 1.0\n")
    tally.close()
    assert (tally.runs, tally.model_time) == (2, pytest.approx(0.6))
    assert not (tmp_path / "relay").exists()


def test_a_child_does_not_follow_a_link_and_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "relay").symlink_to(tmp_path / "elsewhere")
    ChildTally(tmp_path / "relay")(events.RunFinished(1.0, 1.0, 1.0))
    assert not (tmp_path / "elsewhere").exists()
    ChildTally(tmp_path / "missing" / "relay")(events.RunFinished(1.0, 1.0, 1.0))


def test_the_file_is_private_and_appears_only_when_needed() -> None:
    first, second = Tally(), Tally()
    run(first)
    assert not first.relay.exists()
    assert first.relay != second.relay
    ChildTally(first.relay)(events.RunFinished(1.0, 1.0, 1.0))
    assert os.stat(first.relay).st_mode & 0o777 == 0o600
    first.close()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 s"),
        (0.0344, "0.034 s"),
        (0.9994, "0.999 s"),
        (1.0, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (12_000.0, "3 h 20 min"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 42, "12288.0 GiB"),
    ],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_number() -> None:
    assert [number(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


def test_closing_line() -> None:
    tally = Tally()
    assert closing_line(tally, 3.0) == "no run was finished, 3.0 s of wall time"
    tally.builds, tally.build_time = 1, 14.6
    assert closing_line(tally, 16.0).endswith("16.0 s of wall time, build 14.6 s")
    run(tally, duration=90.0, wall=0.5)
    assert closing_line(tally, 20.0) == (
        "1 run, 1 min 30 s of model time, 20.0 s of wall time (0.500 s in runs), build 14.6 s"
    )
    tally.cached = 1
    assert closing_line(tally, 20.0).endswith("build 14.6 s (from the cache)")
    tally.builds = 3
    assert closing_line(tally, 20.0).endswith("build 14.6 s (3 builds, 1 from the cache)")
    tally.stopped = 1
    text = closing_line(tally, 20.0, interrupted=True)
    assert text.startswith("interrupted; 1 run (1 ended early), ")
