"""Observers of builds and runs."""

from __future__ import annotations

import threading

import pytest

from gpurun import events
from gpurun.events import BuildStarted, RunFinished, RunProgress, RunStarted


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_observers", [])


def test_every_observer_hears_every_event_in_order() -> None:
    one: list[events.Event] = []
    two: list[events.Event] = []
    assert not events.observed()
    stop = events.subscribe(one.append)
    assert events.observed()
    events.emit(BuildStarted("key"))
    events.subscribe(two.append)
    events.emit(RunStarted(0.5))
    stop()
    stop()
    events.emit(RunFinished(0.5, 0.1, 1.0))
    assert one == [BuildStarted("key"), RunStarted(0.5)]
    assert two == [RunStarted(0.5), RunFinished(0.5, 0.1, 1.0)]


def test_an_observer_may_leave_while_it_is_called() -> None:
    seen: list[str] = []

    def once(event: events.Event) -> None:
        seen.append("once")
        leave()

    leave = events.subscribe(once)
    events.subscribe(lambda event: seen.append("always"))
    events.emit(BuildStarted())
    events.emit(BuildStarted())
    assert seen == ["once", "always", "always"]


def test_the_same_observer_twice_leaves_one_at_a_time() -> None:
    seen: list[events.Event] = []
    first = events.subscribe(seen.append)
    second = events.subscribe(seen.append)
    events.emit(BuildStarted())
    assert len(seen) == 2
    first()
    events.emit(BuildStarted())
    assert len(seen) == 3
    second()
    assert not events.observed()


def test_exceptions_are_not_swallowed() -> None:
    def broken(event: events.Event) -> None:
        raise ZeroDivisionError

    events.subscribe(broken)
    with pytest.raises(ZeroDivisionError):
        events.emit(BuildStarted())


def runs_of(pieces: list[tuple[float, float]], total: float) -> list[events.Event]:
    """What is seen of pieces, each of a duration and of how much of it was done."""
    seen: list[events.Event] = []
    events.subscribe(seen.append)
    with events.joined() as whole:
        events.emit(RunStarted(0.0))
        events.emit(RunFinished(0.0, 0.0, 1.0))
        whole.begin(total)
        for duration, completed in pieces:
            events.emit(RunStarted(duration))
            events.emit(RunProgress(completed / 2, 0.1))
            events.emit(RunFinished(duration * completed, 0.2, completed))
    return seen


def test_pieces_are_seen_as_one_run() -> None:
    started, *progress, finished = runs_of([(4.0, 0.25), (3.0, 0.5), (1.5, 1.0)], 4.0)
    assert started == RunStarted(4.0)
    assert all(isinstance(event, RunProgress) for event in progress)
    done = [event.completed for event in progress if isinstance(event, RunProgress)]
    assert done == pytest.approx([0.125, 0.4375, 0.8125])
    assert isinstance(finished, RunFinished)
    assert (finished.duration, finished.completed) == (4.0, 1.0)
    assert finished.wall_time >= 0


def test_pieces_that_round_to_the_whole_are_the_whole() -> None:
    *_, finished = runs_of([(0.1, 1.0)] * 3, 0.3)
    assert isinstance(finished, RunFinished)
    assert finished.completed == 1.0


def test_pieces_that_end_early() -> None:
    *_, finished = runs_of([(4.0, 0.25), (3.0, 0.5)], 4.0)
    assert isinstance(finished, RunFinished)
    assert (finished.duration, finished.completed) == (2.5, 0.625)
    *_, only = runs_of([], 4.0)
    assert only == RunStarted(4.0), "no piece was finished"


def test_joined_is_for_one_thread_and_ends() -> None:
    seen: list[events.Event] = []
    events.subscribe(seen.append)
    with events.joined():
        other = threading.Thread(target=events.emit, args=[RunStarted(1.0)])
        other.start()
        other.join()
        events.emit(RunStarted(2.0))
        events.emit(BuildStarted("key"))
    events.emit(RunStarted(3.0))
    assert seen == [RunStarted(1.0), BuildStarted("key"), RunStarted(3.0)]
