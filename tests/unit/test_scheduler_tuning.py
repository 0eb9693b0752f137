"""How many sessions are used: the search, the memory, the policy; and the seeds of stimuli."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.errors import ConfigError
from gpurun.meter import MemorySample
from gpurun.scheduler import admission, policy
from gpurun.scheduler.admission import Admission, Expected
from gpurun.scheduler.jobs import seed_of
from gpurun.scheduler.policy import Policy, make_policy
from gpurun.scheduler.tuning import Tuner


class Machine:
    """Presents stimuli at a rate that depends on the number of sessions, in a time of its own."""

    def __init__(self, rate: Callable[[int], float], noise: float = 0.0, seed: int = 0) -> None:
        self.now = 0.0
        self.most_seen = 1
        self._rate, self._noise = rate, noise
        self._rng = np.random.default_rng(seed)

    def clock(self) -> float:
        return self.now

    def work(self, tuner: Tuner) -> None:
        """Until it is settled. Sessions are opened one after the other, and closed at once."""
        working = 1
        for _ in range(100_000):
            if tuner.settled:
                break
            self.now += (1 + self._noise * self._rng.standard_normal()) / self._rate(working)
            tuner.finished(working)
            working = min(working + 1, tuner.wanted)
            self.most_seen = max(self.most_seen, working)


def tuned(
    rate: Callable[[int], float], most: int, noise: float = 0.0, seed: int = 0
) -> tuple[Tuner, Machine]:
    machine = Machine(rate, noise, seed)
    tuner = Tuner(most, machine.clock)
    machine.work(tuner)
    return tuner, machine


@given(st.integers(1, 32), st.floats(0.5, 1000))
def test_more_sessions_as_long_as_they_help(most: int, speed: float) -> None:
    tuner, machine = tuned(lambda n: speed * n, most)
    assert tuner.settled
    assert tuner.wanted == machine.most_seen == most
    for number, rate in tuner.rates.items():
        assert rate == pytest.approx(speed * number)


@given(st.integers(0, 5), st.integers(1, 40), st.integers(0, 100))
def test_a_peak(exponent: int, most: int, seed: int) -> None:
    """Throughput that rises up to some number and falls then, with a noise of 3 %."""
    peak = 2**exponent
    tuner, machine = tuned(
        lambda n: 100.0 * min(n, peak) * (0.9 if n > peak else 1), most, 0.03, seed
    )
    assert tuner.settled
    assert tuner.wanted == min(peak, most)
    assert machine.most_seen <= most
    # One step too far, and back
    assert machine.most_seen <= 2 * peak


@given(st.integers(1, 40), st.integers(0, 100))
def test_sessions_that_do_not_help_are_given_back(most: int, seed: int) -> None:
    tuner, machine = tuned(lambda n: 100.0, most, 0.03, seed)
    assert (tuner.settled, tuner.wanted) == (True, 1)
    assert machine.most_seen <= 2


@given(st.floats(0, 1), st.integers(2, 64))
def test_never_much_worse_than_the_best_that_was_tried(serial: float, most: int) -> None:
    """Amdahl's law."""
    tuner, machine = tuned(lambda n: 100 / (serial + (1 - serial) / n), most)
    assert tuner.settled
    assert tuner.rates[tuner.wanted] * 1.05 >= max(tuner.rates.values())
    assert machine.most_seen <= most
    assert len(tuner.rates) <= math.ceil(math.log2(most)) + 1


def test_nothing_is_told_while_sessions_are_opened() -> None:
    clock = SimpleNamespace(now=0.0)
    tuner = Tuner(2, lambda: clock.now)
    for _ in range(10):
        clock.now += 0.1
        tuner.finished(1)
    assert tuner.wanted == 2
    for _ in range(100):
        clock.now += 10.0
        tuner.finished(1)
    assert not tuner.settled and list(tuner.rates) == [1]


def test_a_limit_on_the_way() -> None:
    tuner, _ = tuned(lambda n: 100.0 * n, 4)
    assert tuner.wanted == 4
    tuner.limit(3)
    assert (tuner.wanted, tuner.settled) == (3, True)
    tuner.limit(0)
    assert tuner.wanted == tuner.most == 1
    # Before the search is over: it goes on below the limit
    machine = Machine(lambda n: 100.0 * n)
    tuner = Tuner(32, machine.clock)
    tuner.limit(3)
    machine.work(tuner)
    assert (tuner.wanted, machine.most_seen, tuner.settled) == (3, 3, True)


# -- memory --------------------------------------------------------------------------------------


class FakeMeter:
    device = "cpu"

    def __init__(self) -> None:
        self.total: int | None = 1000
        self.used: int | None = 100
        self.own: int | None = 50
        self.closed = False

    def sample(self) -> MemorySample:
        return MemorySample(0.0, self.total, self.used, None, self.own)

    def take(self, amount: int) -> None:
        assert self.used is not None
        self.used += amount
        if self.own is not None:
            self.own += amount

    def close(self) -> None:
        self.closed = True


def made(**changes: Any) -> Policy:
    model: Any = SimpleNamespace(manifest=SimpleNamespace(static_state=(), threads=0))
    options: dict[str, Any] = {
        "devices": ("cpu",), "replicas": "auto", "memory": 0.8, "isolation": "thread",
        "on_error": "raise", "retries": 2, "when_full": "shrink", "timeout": None, "seed": 0,
    }  # fmt: skip
    return make_policy(changes.pop("model", model), **{**options, **changes})


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> FakeMeter:
    fake = FakeMeter()
    monkeypatch.setattr(admission, "meter_for", lambda device: fake)
    monkeypatch.setattr(admission, "_SECONDS", 0.0)
    return fake


@pytest.mark.parametrize("own", [True, False])
def test_what_a_session_takes_is_measured(meter: FakeMeter, own: bool) -> None:
    if not own:
        meter.own = None
    allowed = Admission(made(), {"cpu": Expected(400, 500)})
    assert allowed.expected("cpu") == 500
    assert allowed.fits("cpu") and not allowed.fits("cpu", 1)
    allowed.opening("cpu")
    meter.take(300)
    allowed.opened("cpu")
    # Monitors are yet to be filled
    assert allowed.expected("cpu") == 400
    assert allowed.corrections == {"cpu": 0.75}
    # The first has paid for what all share
    allowed.opening("cpu")
    meter.take(200)
    allowed.opened("cpu")
    assert allowed.expected("cpu") == 300
    assert not allowed.fits("cpu")
    meter.take(-100)
    assert allowed.fits("cpu")
    assert not allowed.fits("cpu", 1)
    meter.take(1)
    assert not allowed.fits("cpu")
    assert not allowed.exceeded("cpu")
    meter.take(300)
    assert allowed.exceeded("cpu")
    # What others give back meanwhile does not make a session small
    allowed.opening("cpu")
    meter.take(-500)
    allowed.opened("cpu")
    assert allowed.expected("cpu") == 300
    allowed.close()
    assert meter.closed


def test_bytes_instead_of_a_fraction(meter: FakeMeter) -> None:
    allowed = Admission(made(memory=99), {})
    assert allowed.exceeded("cpu")
    assert not Admission(made(memory=100), {}).exceeded("cpu")
    meter.total = None
    assert not Admission(made(memory=0.01), {}).exceeded("cpu")


def test_where_nothing_can_be_measured(meter: FakeMeter) -> None:
    meter.used = meter.own = None
    allowed = Admission(made(), {})
    allowed.opening("cpu")
    allowed.opened("cpu")
    assert allowed.fits("cpu", 100)
    assert not allowed.exceeded("cpu")


def test_memory_given_back_meanwhile_is_no_gain(meter: FakeMeter) -> None:
    allowed = Admission(made(), {})
    allowed.opening("cpu")
    meter.take(-20)
    allowed.opened("cpu")
    assert allowed.expected("cpu") == 0


# -- policy --------------------------------------------------------------------------------------


def test_how_many_at_most() -> None:
    assert made().most == policy.cores()
    assert made(devices=("cuda:0", "cuda:1")).most == 64
    assert made(replicas=5).most == 5
    assert made(replicas=np.int64(5)).most == 5


def test_static_state_and_threads() -> None:
    model: Any = SimpleNamespace(manifest=SimpleNamespace(static_state=("f",), threads=0))
    assert made(model=model).most == made(model=model, replicas=1).most == 1
    with pytest.raises(ConfigError, match=r"\(f\) may hold static state"):
        made(model=model, replicas=4)
    assert made(model=model, replicas=4, isolation="process").most == 4


def test_threads_of_a_session_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "cores", lambda: 8)
    for threads, most in ((0, 8), (1, 8), (3, 2), (16, 1)):
        model: Any = SimpleNamespace(manifest=SimpleNamespace(static_state=(), threads=threads))
        assert made(model=model).most == most


def test_nothing_to_do_is_not_slow() -> None:
    now = [0.0]
    tuner = Tuner(4, clock=lambda: now[0])
    while not tuner.settled:
        for _ in range(10):
            now[0] += 0.1 / tuner.wanted
            tuner.finished(tuner.wanted)
        now[0] += 100.0
        tuner.rest()
    assert tuner.wanted == 4


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"replicas": 0}, "replicas"), ({"replicas": True}, "replicas"),
        ({"replicas": 2.0}, "replicas"), ({"replicas": "many"}, "replicas"),
        ({"memory": 0}, "memory"), ({"memory": -1}, "memory"), ({"memory": math.nan}, "memory"),
        ({"memory": math.inf}, "memory"), ({"memory": True}, "memory"), ({"memory": "1"}, "memory"),
        ({"isolation": "none"}, "isolation"), ({"on_error": None}, "on_error"),
        ({"when_full": "kill"}, "when_full"), ({"retries": -1}, "retries"),
        ({"retries": 1.5}, "retries"), ({"timeout": -1}, "timeout"), ({"timeout": 0}, "timeout"),
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        made(**changes)
    assert caught.value.fields["name"] == name


# -- seeds ---------------------------------------------------------------------------------------


def test_seeds_are_distinct_and_fixed() -> None:
    seeds = [seed_of(5, n) for n in range(2000)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seeds == [seed_of(5, n) for n in range(2000)]
    points = {seed_of(5, point, repeat) for point in range(40) for repeat in range(40)}
    assert len(points) == 1600
    assert not points & set(seeds)
    assert not set(seeds) & {seed_of(6, n) for n in range(2000)}
    # Written down in results files: another version must not change them
    assert [seed_of(5, 0), seed_of(5, 1), seed_of(5, 0, 0)] == [803261128, 3767054407, 327738099]
