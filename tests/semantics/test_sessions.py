"""What a session promises to whoever holds it: results, views, threads, processes."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import gpurun
from gpurun import events
from gpurun.errors import SessionBusyError, SessionClosedError, SessionError, UnknownVariableError
from tests import backend, models, stimuli
from tests.states import assert_same, differing, digest, state

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.everything)


# -- results ---------------------------------------------------------------------


def test_results_belong_to_the_caller(script: models.Script) -> None:
    o = script.objects
    record = [o.exc.v, "stdp.w", o.counts, o.spikes, o.trace, "stim"]
    with script.model.session() as session:
        first = session.run(record=record, seed=1)
        kept = [
            (first[o.exc.v], first[o.exc.v].copy()),
            (first["stdp.w"], first["stdp.w"].copy()),
            (first[o.counts].count, first[o.counts].count.copy()),
            (first[o.spikes].t, first[o.spikes].t.copy()),
            (first[o.trace].v, first[o.trace].v.copy()),
            (first[o.stim], first[o.stim].copy()),
        ]
        session.run({o.stim: np.zeros(10) * models.volt, o.exc.v: 0 * models.volt}, seed=2)
        session.advance(0.01)
        for array, before in kept:
            assert np.array_equal(array, before)
        expected = state(session)
        for array, _ in kept:
            # The other way round: the session does not see what is done to a result
            assert array.flags.writeable
            array[...] = 77
        assert_same(state(session), expected)
    assert (first[o.exc.v] == 77).all()


def test_results_are_found_by_every_key(script: models.Script) -> None:
    o = script.objects
    with script.model.session() as session:
        result = session.run(
            record=[o.exc.v, o.early.theta, o.stdp.w, o.stdp.post.delay, o.grid, o.spikes, "rate"]
        )
        assert np.array_equal(result[o.exc.v], result["exc.v"])
        assert np.array_equal(result[o.exc.v_], session.read("exc.v"))
        assert np.array_equal(result[o.early.theta], session.read("exc.theta")[:10])
        assert np.array_equal(result[o.stdp.w], session.read(o.stdp.w))
        assert np.array_equal(result[o.stdp.post.delay], result["stdp_post.delay"])
        assert result[o.grid].shape == (5, 20)
        assert result["spikes"] is result[o.spikes]
        assert set(result["rate"]) == {"rate", "t", "N"}
        counts = session.run(record=[o.counts.count, o.spikes.count], seed=1)
        assert counts[o.counts.count].tolist() == counts[o.spikes.count][5:15].tolist()
        assert o.exc.v in result
        assert "exc.tau" not in result
        with pytest.raises(UnknownVariableError, match=r"exc\.tau.*not recorded.*exc\.v"):
            result[o.exc.tau]
        with pytest.raises(AttributeError, match=r"'rate'.*not 'count'"):
            result["rate"].count  # noqa: B018


def test_a_matrix_has_the_shape_that_brian_gives_it(script: models.Script) -> None:
    with script.model.session() as session:
        result = session.run(record=["trace"], duration=0.004)
        assert result["trace"].v.shape == (3, 40)
        assert session.read("trace.v").shape == (3, 40)
        assert session.run(record=["trace"], duration=0)["trace"].v.shape[1] == 0


def test_what_a_result_says_about_its_run(script: models.Script) -> None:
    with script.model.session(device=backend.BACKEND) as session:
        result = session.run({"exc.v": 0.001}, carry=["stdp.w"], record=["spikes"], seed=7)
        assert result.seed == 7
        assert result.duration == pytest.approx(0.02)
        assert result.t == pytest.approx(0.02)
        assert result.completed == 1
        assert result.device == {"cpu": "cpu", "cuda": "cuda:0"}[backend.BACKEND]
        assert result.peak_memory is not None
        assert result.peak_memory > 2**20
        times = (result.upload_time, result.reset_time, result.loop_time, result.read_time)
        assert all(time > 0 for time in times)
        assert sum(times) <= result.wall_time
        if backend.BACKEND == "cpu":
            assert result.device_time is None
        else:
            assert result.device_time is not None
            # By another clock than the loop's
            assert 0 < result.device_time < result.loop_time + 1e-3
            assert (session.advance(0.004).device_time or 0) > 0


def test_a_run_of_no_duration_gives_the_baseline(script: models.Script) -> None:
    with script.model.session() as session:
        baseline = state(session)
        session.run(seed=1)
        result = session.run({"exc.untouched": 3}, duration=0)
        assert result.steps == 0
        assert (session.read("exc.untouched") == 3).all()
        moved = {name for name in differing(baseline, state(session)) if "stream" not in name}
        assert moved == {"exc.untouched"}


# -- views -------------------------------------------------------------------------


def test_a_view_shows_later_runs_and_outlives_its_session(script: models.Script) -> None:
    session = script.model.session()
    result = session.run(record=["exc.v", "stdp.w", "spikes"], view=True, seed=1)
    view, spikes = result["exc.v"], result["spikes"].t
    part = view[::2]
    before, spikes_before = view.copy(), spikes.copy()
    session.run(seed=2)
    assert np.array_equal(view, session.read("exc.v"))
    assert not np.array_equal(view, before)
    # Its memory moves between runs, so it was copied
    assert np.array_equal(spikes, spikes_before)
    last = view.copy()
    session.close()
    del session, result, view
    gc.collect()
    # Whoever reads freed memory would now read somebody else's
    for seed in range(3):
        with script.model.session() as other:
            other.run({"exc.v": 1e-3}, seed=seed)
    assert np.array_equal(part, last[::2])


def libraries() -> int:
    """How many copies of model libraries are mapped into this process."""
    maps = Path("/proc/self/maps").read_text()
    return len({line.split()[4] for line in maps.splitlines() if "/gpurun-" in line})


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_given_back(script: models.Script) -> None:
    gc.collect()
    before = libraries()
    session = script.model.session()
    session.run()
    assert libraries() == before + 1
    session.close()
    gc.collect()
    assert libraries() == before
    session = script.model.session()
    view = session.run(record=["exc.v"], view=True)["exc.v"]
    session.close()
    del session
    gc.collect()
    assert libraries() == before + 1, "the view needs it"
    del view
    gc.collect()
    assert libraries() == before


def test_memory_is_flat_over_sessions_and_runs(script: models.Script) -> None:
    process = psutil.Process()
    overrides = [
        stimuli.draw(stimuli.OVERRIDES, script.objects, stimuli.sizes(script.model), seed)
        for seed in range(min(10, backend.amount(100)))
    ]

    length = 0.005 if backend.EMULATED else None

    def work() -> None:
        with script.model.session() as session:
            for number in range(backend.amount(100)):
                given = overrides[number % len(overrides)]
                session.run(given, record=["spikes", "trace"], duration=length)

    for _ in range(3):
        work()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(10):
        work()
    gc.collect()
    # A leak of only 2 kB per run would be 2 MB
    assert process.memory_info().rss - before < 2 * 2**20


# -- closing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.run(),
        lambda session: session.advance(0.001),
        lambda session: session.read("exc.v"),
        lambda session: session.t,
    ],
    ids=["run", "advance", "read", "t"],
)
def test_use_after_close(script: models.Script, use: Callable[[Any], Any]) -> None:
    session = script.model.session()
    session.run()
    session.close()
    session.close()
    assert session.closed
    with pytest.raises(SessionClosedError, match="closed"):
        use(session)


def test_the_context_manager_closes_after_an_error(script: models.Script) -> None:
    with pytest.raises(ZeroDivisionError), script.model.session() as session:
        raise ZeroDivisionError
    assert session.closed


def test_brian_objects_say_so_when_their_session_is_closed(script: models.Script) -> None:
    script.activate()
    with script.model.session() as session:
        session.run()
        script.objects.exc.v[:]
    with pytest.raises(SessionError, match=r"exc\.v.*closed"):
        script.objects.exc.v[:]


# -- threads -----------------------------------------------------------------------


def test_sessions_side_by_side_in_threads(script: models.Script) -> None:
    """Each thread has its own values, delays and spikes; none sees another's."""
    sizes = stimuli.sizes(script.model)
    names = sorted(set(stimuli.OVERRIDES) - {"exc.v[5:15]", "exc.theta[:10]", "exc.tau[10:]"})
    overrides = [stimuli.draw(names, script.objects, sizes, seed) for seed in range(4)]
    start = threading.Barrier(4)
    length = 0.005 if backend.EMULATED else 0.03

    def presented(number: int, *, together: bool) -> list[dict[str, np.ndarray]]:
        states = []
        with script.model.session() as session:
            if together:
                start.wait(60)
            for run in range(min(10, backend.amount(100))):
                session.run(overrides[(number + run) % 4], seed=run, duration=length)
                session.advance(0.0101)
                states.append(state(session))
        return states

    alone = [presented(number, together=False) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: presented(number, together=True), range(4)))
    for one, other in zip(alone, together, strict=True):
        for expected, got in zip(one, other, strict=True):
            assert_same(got, expected)


def test_sessions_in_turns(script: models.Script) -> None:
    with script.model.session() as a, script.model.session() as b, script.model.session() as c:
        a.run({"exc.v": 1e-3, "spread.delay": 8e-3}, seed=1, duration=0.01)
        b.run({"stim": np.zeros(10), "gen": ([0], [1e-3])}, seed=2)
        a.advance(0.01)
        b.run(seed=3)
        a.advance(0.005)
        c.run({"exc.v": 1e-3, "spread.delay": 8e-3}, seed=1, duration=0.025)
        assert_same(state(a), state(c))
        c.run(seed=3)
        assert_same(state(b), state(c))


class LongRun:
    """A run in a thread that goes on until it is released."""

    def __init__(self, session: gpurun.Session, **options: Any) -> None:
        self.under_way = threading.Event()
        self.released = False
        self.result: Any = None
        self._thread = threading.Thread(target=self._run, args=(session,), kwargs=options)

    def _run(self, session: gpurun.Session, **options: Any) -> None:
        self.result = session.run(**options, progress=self._progress)

    def _progress(self, completed: float, elapsed: float) -> bool:
        self.under_way.set()
        return self.released

    def __enter__(self) -> LongRun:
        self._thread.start()
        assert self.under_way.wait(60)
        return self

    def __exit__(self, *error: object) -> None:
        self.released = True
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def endless() -> models.Script:
    """A model that records little, so that a run may take hours."""
    return models.built(models.noisy)


def test_two_threads_in_one_session(endless: models.Script) -> None:
    with endless.model.session() as session:
        with LongRun(session, duration=1e6):
            for use in (
                lambda: session.run(),
                lambda: session.advance(0.001),
                lambda: session.read("cells.v"),
                lambda: session.t,
                session.close,
            ):
                with pytest.raises(SessionBusyError, match="one session per thread"):
                    use()
            assert not session.closed
        session.run(seed=1)
        with endless.model.session() as other:
            other.run(seed=1)
            assert_same(state(session), state(other))


def test_stop_from_another_thread(endless: models.Script) -> None:
    with endless.model.session() as session:
        with LongRun(session, duration=1e6) as run:
            session.stop()
            run._thread.join(60)
            assert run.result is not None
        assert 0 < run.result.completed < 1
        assert run.result.steps == round(run.result.t / models.DT)
        result = session.run(duration=0.05)
        assert result.completed == 1


def test_stop_outside_a_run_stops_nothing(endless: models.Script) -> None:
    with endless.model.session() as session:
        session.stop()
        assert session.run().completed == 1
        session.stop()
        assert session.advance().completed == 1


def test_a_stop_that_comes_too_late_stops_nothing(endless: models.Script) -> None:
    """Between the end of the time loop and the end of run()."""
    with endless.model.session() as session:

        def stop(event: events.Event) -> None:
            if isinstance(event, events.RunFinished):
                session.stop()

        unsubscribe = events.subscribe(stop)
        try:
            session.run()
        finally:
            unsubscribe()
        assert session.run().completed == 1


def test_a_stop_that_comes_before_the_first_step(endless: models.Script) -> None:
    """Between the call of run() and its time loop: it is not lost."""
    with endless.model.session() as session:

        def stop(event: events.Event) -> None:
            if isinstance(event, events.RunStarted):
                session.stop()

        unsubscribe = events.subscribe(stop)
        try:
            result = session.run(duration=1e4)
        finally:
            unsubscribe()
        assert result.steps == 1
        assert session.run().completed == 1


# -- progress and events -----------------------------------------------------------


def test_progress(endless: models.Script) -> None:
    calls: list[tuple[float, float]] = []

    def progress(completed: float, elapsed: float) -> bool:
        calls.append((completed, elapsed))
        return len(calls) == 4

    with endless.model.session() as session:
        result = session.run(duration=1e5, progress=progress)
    assert len(calls) == 4
    fractions, seconds = zip(*calls, strict=True)
    assert list(fractions) == sorted(fractions)
    assert list(seconds) == sorted(seconds)
    assert 0 < fractions[0] < fractions[-1] <= result.completed < 1


def test_an_exception_in_progress_ends_the_run(endless: models.Script) -> None:
    def progress(completed: float, elapsed: float) -> bool:
        raise LookupError("the caller's own")

    with endless.model.session() as session:
        with pytest.raises(LookupError, match="the caller's own"):
            session.run(duration=1e6, progress=progress)
        session.run(seed=1)
        with endless.model.session() as other:
            other.run(seed=1)
            assert_same(state(session), state(other))


def test_an_exception_in_an_observer_is_not_swallowed(endless: models.Script) -> None:
    def observe(event: events.Event) -> None:
        if isinstance(event, events.RunProgress):
            raise LookupError("the observer's own")

    unsubscribe = events.subscribe(observe)
    try:
        with (
            endless.model.session() as session,
            pytest.raises(LookupError, match="the observer's own"),
        ):
            session.run(duration=1e6)
    finally:
        unsubscribe()


def test_events_of_a_run(endless: models.Script) -> None:
    seen: list[events.Event] = []
    length = 0.1 if backend.EMULATED else 5.0
    unsubscribe = events.subscribe(seen.append)
    try:
        with endless.model.session() as session:
            session.run(duration=length)
            stopped = session.run(duration=1e6, progress=lambda completed, elapsed: True)
            session.advance(0.01)
    finally:
        unsubscribe()
    starts = [event.duration for event in seen if isinstance(event, events.RunStarted)]
    ends = [event for event in seen if isinstance(event, events.RunFinished)]
    assert starts == [length, 1e6, 0.01]
    assert [end.completed for end in ends] == [1.0, stopped.completed, 1.0]
    assert ends[1].duration == pytest.approx(stopped.t)
    seen.clear()
    with endless.model.session() as session:
        session.run()
    assert not seen


# -- processes ---------------------------------------------------------------------


cpu_only = pytest.mark.skipif(backend.BACKEND != "cpu", reason="CUDA does not survive a fork")


def _in_child(work: Callable[[], Any], answers: Any) -> None:
    try:
        answers.put(work())
    except BaseException as error:
        answers.put(error)


def forked(*works: Callable[[], Any]) -> list[Any]:
    """Results of functions called at the same time in forked children."""
    context = multiprocessing.get_context("fork")
    queues = [context.SimpleQueue() for _ in works]
    children = [
        context.Process(target=_in_child, args=(work, queue))
        for work, queue in zip(works, queues, strict=True)
    ]
    with warnings.catch_warnings():
        # NumPy's threads do nothing here
        warnings.simplefilter("ignore", DeprecationWarning)
        for child in children:
            child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    return [queue.get() for queue in queues]


@cpu_only
def test_a_forked_child_has_a_session_of_its_own(script: models.Script) -> None:
    with script.model.session() as session, script.model.session() as other:
        session.run({"exc.v": 1e-3}, seed=1)
        other.run({"exc.v": 1e-3}, seed=1)

        def child(value: float) -> str:
            session.run({"exc.tau": value, "spread.delay": value}, seed=5)
            session.advance(0.003)
            return digest(state(session))

        got = forked(lambda: child(0.008), lambda: child(0.012))
        # The parent goes on where it was
        for one in (session, other):
            one.advance(0.007)
        assert_same(state(session), state(other))
        for value, answer in zip((0.008, 0.012), got, strict=True):
            other.run({"exc.tau": value, "spread.delay": value}, seed=5)
            other.advance(0.003)
            assert answer == digest(state(other))


@cpu_only
def test_a_fork_while_another_thread_runs(endless: models.Script) -> None:
    with endless.model.session() as session:

        def child() -> str:
            session.run(seed=3)
            return digest(state(session))

        with LongRun(session, duration=1e6):
            [answer] = forked(child)
        session.run(seed=3)
        assert answer == digest(state(session))


@pytest.mark.skipif(backend.BACKEND == "cpu", reason="on the CPU a child has its own session")
def test_a_session_on_a_card_is_lost_in_a_forked_child(endless: models.Script) -> None:
    """An error says what to do; the parent goes on where it was."""
    with endless.model.session() as session, endless.model.session() as other:
        for one in (session, other):
            one.run(duration=0.005, seed=1)
        [answer] = forked(lambda: session.run(seed=1))
        assert isinstance(answer, SessionError)
        assert "spawn" in str(answer)
        for one in (session, other):
            one.advance(0.005)
        assert_same(state(session), state(other))


def test_a_closed_session_stays_closed_in_a_child(endless: models.Script) -> None:
    session = endless.model.session()
    session.close()
    [answer] = forked(lambda: session.run())
    assert isinstance(answer, SessionClosedError)


@cpu_only
def test_openmp_threads_do_not_survive_a_fork() -> None:
    """Their runtime would wait for ever; an error says what to do."""
    model = models.built(models.noisy, threads=2, random_setup=False).model
    with model.session() as session:
        answers = forked(lambda: session.run(seed=1), lambda: model.session().run())
        for answer in answers:
            assert isinstance(answer, SessionError)
            assert "spawn" in str(answer)
        session.run(seed=1)


def test_an_unpickled_model_runs_the_same(script: models.Script) -> None:
    copy = pickle.loads(pickle.dumps(script.model))
    assert copy.digest == script.model.digest
    assert copy.manifest == script.model.manifest
    overrides = {"exc.v": 1e-3, "stim": np.full(10, 2e-3), "gen": ([1, 2], [0.0, 3e-3])}
    with copy.session() as session, script.model.session() as other:
        result = session.run(overrides, record=["spikes", "exc.v"], seed=2)
        other.run(overrides, seed=2)
        assert_same(state(session), state(other))
        with pytest.raises(UnknownVariableError, match="unpickled"):
            session.run([(script.objects.exc.v, 1e-3)])
        again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again["spikes"].t, result["spikes"].t)
    assert np.array_equal(again["exc.v"], result["exc.v"])
    with pytest.raises(UnknownVariableError):
        again["exc.tau"]


WITHOUT_BRIAN = """
import pickle, sys
sys.modules["brian2"] = sys.modules["brian2cuda"] = None
import gpurun
from gpurun import events
sys.path.insert(0, sys.argv[1])
from tests.states import digest, state
finished = []
events.subscribe(finished.append)
model = pickle.load(open(sys.argv[2], "rb"))
with model.session() as session:
    session.run({"cells.drive": 1.7}, seed=4)
    session.advance(0.003)
    print(digest(state(session)), model.digest)
assert not any("brian2" in name and module for name, module in sys.modules.items())
"""


@pytest.mark.parametrize("cache", ["same", "empty"])
def test_a_model_needs_no_brian2(
    endless: models.Script, tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an empty cache it is compiled again from the sources that it carries."""
    if cache == "empty":
        monkeypatch.setenv("GPURUN_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model"
    path.write_bytes(pickle.dumps(endless.model))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BRIAN, str(ROOT), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with endless.model.session() as session:
        session.run({"cells.drive": 1.7}, seed=4)
        session.advance(0.003)
        assert done.stdout.split() == [digest(state(session)), endless.model.digest]


# -- several models ----------------------------------------------------------------


def test_a_session_of_an_earlier_script_leaves_the_present_one_alone() -> None:
    """Two scripts in one process: the first one's session runs while the second is recorded."""
    first = models.built(models.everything)
    with first.model.session() as session:
        session.run(seed=1)
        expected = state(session)
        models.new_script(build_on_run=True)
        cells = models.NeuronGroup(
            10, "dv/dt = -v/(10*ms) : 1\ndrive : 1", method="exact", name="exc"
        )
        cells.v = 1
        cells.drive = "i*0.5"
        session.run({"exc.tau": 9e-3}, seed=1)
        models.run(5 * models.ms)
        assert cells.v[:] == pytest.approx(np.exp(-0.5))
        assert np.array_equal(cells.drive[:], np.arange(10) * 0.5)
        # ... and after it has run
        session.run(seed=1)
        assert_same(state(session), expected)
        assert cells.v[:] == pytest.approx(np.exp(-0.5))
