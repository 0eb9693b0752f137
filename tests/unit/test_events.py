"""Observers of builds and runs."""

from __future__ import annotations

import pytest

from gpurun import events
from gpurun.events import BuildStarted, RunFinished, RunStarted


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
