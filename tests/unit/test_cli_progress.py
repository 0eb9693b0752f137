"""Progress in plain lines."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gpurun import events
from gpurun.cli import progress, tally
from gpurun.cli.progress import PlainLines, Silence, choose_display, describe, time_left
from gpurun.cli.tally import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(tally, "time", clock)
    return clock


def test_plain_lines_are_occasional(clock: Clock) -> None:
    counts = Tally()
    lines: list[str] = []
    plain = PlainLines(counts, interval=10.0, write=lines.append)

    def emit(event: events.Event) -> None:
        counts(event)
        plain(event)

    emit(events.BuildStarted())
    clock.now += 14
    emit(events.BuildFinished("key", 14.0, 13.0, cached=False))
    assert lines == ["building the model", "model compiled in 14.0 s"]
    for _ in range(3500):
        emit(events.RunStarted(0.35))
        clock.now += 1 / 128  # exact in binary
        emit(events.RunFinished(0.35, 1 / 128, 1.0))
    assert lines[2:] == ["1280 runs done, 128 stimuli/s", "2560 runs done, 128 stimuli/s"]
    emit(events.RunStarted(100.0))
    for step in range(1, 21):
        clock.now += 1
        emit(events.RunProgress(step / 100, float(step)))
    assert lines[-1].endswith(", this run 13 %, 1 min 27 s left")


def test_cached_build_is_not_called_compiled() -> None:
    lines: list[str] = []
    plain = PlainLines(Tally(), write=lines.append)
    plain(events.BuildFinished("key", 0.1, 0.0, cached=True))
    assert lines == ["model taken from the cache in 0.100 s"]


def test_time_left() -> None:
    assert time_left(0.0, 5.0) is None
    assert time_left(0.25, 5.0) == pytest.approx(15)
    assert time_left(1.0, 5.0) is None


def test_runs_side_by_side_are_counted(clock: Clock) -> None:
    counts = Tally()
    counts._active = {1: tally.ActiveRun(clock.now - 9), 2: tally.ActiveRun(clock.now - 9)}
    assert describe(counts) == ["0 runs done", "2 running"]


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_display(Tally(), quiet=True), Silence)
    assert isinstance(choose_display(Tally(), quiet=False), PlainLines)  # pytest has no terminal
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(choose_display(Tally(), quiet=False), PlainLines)


def test_events_cost_microseconds() -> None:
    """A run of a small model takes a millisecond; watching it must not show."""
    counts = Tally()
    display: Any = choose_display(counts, quiet=False)
    started = time.perf_counter()
    for _ in range(10_000):
        for event in (events.RunStarted(0.1), events.RunFinished(0.1, 0.1, 1.0)):
            counts(event)
            display(event)
    assert (time.perf_counter() - started) / 10_000 < 200e-6
