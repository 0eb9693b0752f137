"""The thread that measures: what it keeps, what it survives, and how it ends."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import numpy as np
import pytest

from gpurun.errors import ConfigError
from gpurun.meter import MemorySample, Peak, Sampler

PATIENCE = 60


class Played:
    """A meter of which a test can say what comes, and wait for it."""

    device = "cuda:0"

    def __init__(self, *used: int | Exception | None) -> None:
        self.used = list(used)
        self.taken = 0
        self.changed = threading.Condition()

    def sample(self) -> MemorySample:
        with self.changed:
            self.taken += 1
            self.changed.notify_all()
            used = self.used[min(self.taken, len(self.used)) - 1]
        if isinstance(used, Exception):
            raise used
        own = None if used is None else used // 2
        return MemorySample(float(self.taken), 100, used, None if used is None else 100 - used, own)

    def close(self) -> None: ...

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.taken >= count, PATIENCE)


def sampled(sampler: Sampler, *, times: int) -> Sampler:
    for _ in range(times):
        sampler.sample()
    return sampler


def test_peak_and_time_line() -> None:
    sampler = sampled(Sampler(Played(10, 30, None, 20)), times=4)
    assert sampler.peak == Peak(30, 15)
    assert sampler.latest == MemorySample(4.0, 100, 20, 80, 10)
    line = sampler.timeline()
    assert len(line) == 4
    assert line.time.tolist() == [1, 2, 3, 4]
    assert line.total.tolist() == [100] * 4
    assert np.array_equal(line.used, [10, 30, np.nan, 20], equal_nan=True)
    assert np.array_equal(line.free, [90, 70, np.nan, 80], equal_nan=True)
    assert np.array_equal(line.own, [5, 15, np.nan, 10], equal_nan=True)
    assert line.peak == Peak(30, 15)


def test_time_line_of_one_run() -> None:
    sampler = sampled(Sampler(Played(10, 30, 20, 5)), times=4)
    assert sampler.timeline(since=3).peak == Peak(20, 10)
    assert sampler.timeline(until=1).peak == Peak(10, 5)
    assert sampler.timeline(since=2, until=3).time.tolist() == [2, 3]
    assert sampler.timeline(since=2.5, until=2.6).peak == Peak()


@pytest.mark.parametrize(("keep", "times"), [(1, 1), (3, 2), (3, 3), (3, 4), (3, 7), (1, 5)])
def test_the_newest_samples_are_kept(keep: int, times: int) -> None:
    sampler = sampled(Sampler(Played(99, 1), keep=keep), times=times)
    assert sampler.timeline().time.tolist() == list(range(max(1, times - keep + 1), times + 1))
    assert sampler.peak.used == 99  # of all


def test_reset_begins_a_new_peak() -> None:
    sampler = sampled(Sampler(Played(30, 20, 10)), times=2)
    sampler.reset()
    assert sampler.peak == Peak()
    sampler.sample()
    assert sampler.peak == Peak(10, 5)
    assert len(sampler.timeline()) == 3


def test_nothing_measured_yet() -> None:
    sampler = Sampler(Played(1))
    assert (sampler.peak, sampler.latest, sampler.error) == (Peak(), None, None)
    assert len(sampler.timeline()) == 0
    assert sampler.timeline().peak == Peak()
    assert not sampler.running


def test_whole_bytes() -> None:
    sampler = sampled(Sampler(Played(2**47 + 1)), times=1)
    assert int(sampler.timeline().used[0]) == 2**47 + 1
    assert sampler.timeline().peak.used == 2**47 + 1


# -- The thread ----------------------------------------------------------------------


def test_it_measures_in_the_background_until_it_is_closed() -> None:
    meter = Played(10, 50, 20)
    with Sampler(meter, period=0.001) as sampler:
        thread = sampler._thread
        assert sampler.running and thread is not None and thread.daemon
        meter.wait_for(4)
    assert not thread.is_alive() and not sampler.running
    taken = meter.taken
    assert len(sampler.timeline()) == taken >= 4
    assert sampler.peak.used == 50
    sampler.close()
    assert sampler.start().running is False
    assert meter.taken == taken


def test_the_end_is_measured() -> None:
    meter = Played(10, 70)
    with Sampler(meter, period=1000):
        meter.wait_for(1)
    assert meter.taken == 2  # without waiting for the period


def test_starting_twice_is_one_thread() -> None:
    meter = Played(1)
    with Sampler(meter, period=1000) as sampler:
        thread = sampler._thread
        assert sampler.start()._thread is thread


def test_errors_do_not_end_it() -> None:
    lost = RuntimeError("the card is lost")
    meter = Played(10, lost, lost, 20)
    with Sampler(meter, period=0.001) as sampler:
        meter.wait_for(5)
        assert sampler.running
        assert sampler.error is lost
    assert sampler.peak == Peak(20, 10)
    assert np.isfinite(sampler.timeline().used).all()


def test_sample_that_fails_is_none() -> None:
    sampler = Sampler(Played(OSError("gone"), 3))
    assert sampler.sample() is None
    assert isinstance(sampler.error, OSError)
    found = sampler.sample()
    assert found is not None and found.used == 3


def test_sampler_that_is_forgotten_ends() -> None:
    meter = Played(1)
    sampler = Sampler(meter, period=1000).start()
    thread, kept = sampler._thread, weakref.ref(sampler)
    assert thread is not None
    meter.wait_for(1)
    del sampler
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive() and kept() is None


class Crowded(Played):
    """Lets others go first between reading the time and giving the sample."""

    def __init__(self) -> None:
        super().__init__(1)
        self.inside = 0
        self.most = 0

    def sample(self) -> MemorySample:
        self.inside += 1
        self.most = max(self.most, self.inside)
        found = super().sample()
        os.sched_yield()
        self.inside -= 1
        return found


def test_samples_of_several_threads_are_in_order() -> None:
    meter = Crowded()
    with Sampler(meter, period=0.0001, keep=10_000) as sampler:
        others = [
            threading.Thread(target=sampled, args=(sampler,), kwargs={"times": 200})
            for _ in range(4)
        ]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()
    times = sampler.timeline().time
    assert len(times) == meter.taken >= 800
    assert (np.diff(times) == 1).all()
    assert meter.most == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_measures_nothing_by_itself() -> None:
    meter = Played(10)
    with Sampler(meter, period=1000) as sampler:
        meter.wait_for(1)
        with sampler._lock, sampler._measuring:  # as if the thread were in the middle of it
            child = os.fork()
            if child == 0:
                good = not sampler.running and not sampler.start().running
                good &= sampler.peak == Peak() and len(sampler.timeline()) == 0
                found = sampler.sample()  # by hand
                good &= found is not None and sampler.peak == Peak(10, 5)
                sampler.close()
                # A sampler of its own works.
                with Sampler(Played(7), period=1000) as own:
                    good &= own.running
                good &= own.peak == Peak(7, 3)
                os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sampler.running


@pytest.mark.parametrize("period", [0, -1, float("nan"), "soon"])
def test_periods_that_are_none(period: float) -> None:
    with pytest.raises(ConfigError, match="period"):
        Sampler(Played(1), period)


@pytest.mark.parametrize("keep", [0, -3, 2.5, True, None])
def test_numbers_of_samples_that_are_none(keep: int) -> None:
    with pytest.raises(ConfigError, match="keep"):
        Sampler(Played(1), keep=keep)
