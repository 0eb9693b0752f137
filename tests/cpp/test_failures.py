"""Nothing ends the process: C++ exceptions, exit(), broken set-up, Ctrl-C, static state."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import NeuronGroup, Synapses
from brian2.units import ms

import gpurun
from gpurun.errors import GpurunError, OverrideError, SessionError, SimulationError
from tests import models
from tests.states import assert_same, state

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tripping() -> models.Script:
    return models.built(models.tripping)


@pytest.fixture(scope="module")
def counting() -> models.Script:
    return models.built(models.counting)


# -- the user's C++ ----------------------------------------------------------------

MESSAGES: dict[int, tuple[type[Exception], str]] = {
    1: (SimulationError, "out of luck"),
    2: (SimulationError, "exit with status 1"),
    3: (SimulationError, "exit with status 4"),
    4: (SimulationError, "exception of unknown type"),
    5: (MemoryError, "memory"),
    6: (SimulationError, "range_check"),
    7: (SimulationError, "exit with status 134"),
    8: (SimulationError, "exit with status 7"),
    9: (SimulationError, "exit with status 5"),
}


@pytest.mark.parametrize("mode", sorted(models.TRIPS), ids=lambda mode: models.TRIPS[mode])
@pytest.mark.parametrize("after", [-1.0, 2.05], ids=["at once", "in the middle"])
def test_errors_in_cpp(tripping: models.Script, mode: int, after: float) -> None:
    error, message = MESSAGES[mode]
    with tripping.model.session() as session, tripping.model.session() as other:
        other.run(seed=1)
        expected = state(other)
        session.run(seed=1)
        assert_same(state(session), expected)
        with pytest.raises(error, match=message):
            session.run({"cells.mode": mode, "cells.after": after}, seed=9)
        # Where it came to: values stay readable
        assert session.read("defaultclock.t") == pytest.approx(max(0, np.ceil(after * 10) / 1e4))
        assert session.read("cells.mode").tolist() == [mode] * 4
        session.run(seed=1)
        assert_same(state(session), expected)
        with pytest.raises(error, match=message):
            session.run({"cells.mode": mode, "cells.after": after}, seed=9)
        # An advance goes on behind the step that failed, if the user wants that
        session.run({"cells.after": 2.0}, seed=1)
        other.run({"cells.after": 2.0}, seed=1)
        assert_same(state(session), state(other))


def test_an_error_in_one_session_leaves_another_alone(tripping: models.Script) -> None:
    with tripping.model.session() as session, tripping.model.session() as other:
        other.run(seed=1, duration=0.002)
        with pytest.raises(SimulationError):
            session.run({"cells.mode": 1})
        other.advance(0.003)
        session.run(seed=1)
        assert_same(state(session), state(other))


def test_an_error_in_an_advance(tripping: models.Script) -> None:
    with tripping.model.session() as session:
        session.run({"cells.mode": 1, "cells.after": 7.0})
        with pytest.raises(SimulationError, match="out of luck"):
            session.advance(0.005)
        with pytest.raises(SimulationError, match="out of luck"):
            session.advance(0.005)
        assert session.run().completed == 1


def test_simulation_errors_carry_their_facts(tripping: models.Script) -> None:
    with tripping.model.session() as session, pytest.raises(SimulationError) as caught:
        session.run({"cells.mode": 1})
    assert caught.value.call == "run"  # type: ignore[attr-defined]
    assert caught.value.status == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("connect", "message"),
    [
        ({"j": "i + 100"}, "outside range 0 to 4"),
        ({"j": "i - 100"}, "outside range 0 to 4"),
    ],
    ids=["beyond the end", "before the beginning"],
)
def test_synapses_to_nowhere(connect: dict[str, Any], message: str) -> None:
    """Brian's program prints such an error and exits."""
    models.new_script()
    cells = NeuronGroup(5, "v : 1", threshold="v > 1", name="cells")
    links = Synapses(cells, cells, on_pre="v_post += 1", name="links")
    links.connect(**connect)
    models.b2.Network(cells, links).run(1 * ms)
    with pytest.raises(SimulationError, match=message) as caught:
        gpurun.build()
    assert "100" in str(caught.value) or "-9" in str(caught.value)


# -- static state ------------------------------------------------------------------


def test_static_state_is_new_for_every_run(counting: models.Script) -> None:
    assert counting.model.manifest.static_state == ("calls",)
    with counting.model.session() as session:
        for duration in (0.005, 0.002, 0.005):
            result = session.run(duration=duration, record=["cells.n"])
            # 3 neurons, one call each per step: no call of an earlier run is counted
            assert result["cells.n"].max() == 3 * round(duration / models.DT)


def test_a_reloaded_session_keeps_the_rules(counting: models.Script) -> None:
    with counting.model.session() as session:
        results = [session.run(record=["cells.v"], seed=None)["cells.v"] for _ in range(3)]
        # The random stream goes on although the library was loaded again
        assert not np.array_equal(results[0], results[1])
        assert not np.array_equal(results[1], results[2])
        session.run({"cells.w": [1, 2, 3]}, seed=5)
        first = session.read("cells.v")
        assert session.read("cells.w").tolist() == [1, 2, 3]
        session.run(carry=["cells.w"], seed=5)
        assert session.read("cells.w").tolist() == [1, 2, 3]
        assert np.array_equal(session.read("cells.v"), first)
        session.run(seed=5)
        assert session.read("cells.w").tolist() == [0, 0, 0]
        result = session.run(record=["trace", "cells.v"], view=True)
        before = result["cells.v"].copy()
        session.run()
        assert np.array_equal(result["cells.v"], before)
        assert result["trace"].v.shape == (1, 50)
        assert not session.run(duration=0, record=["cells.n"])["cells.n"].any()
    with counting.model.session() as session, counting.model.session() as other:
        # The same order gives the same numbers here too
        for _ in range(3):
            a = session.run(record=["cells.v"])["cells.v"]
            b = other.run(record=["cells.v"])["cells.v"]
            assert np.array_equal(a, b)


def test_a_refused_run_of_a_reloaded_session(counting: models.Script) -> None:
    with counting.model.session() as session:
        session.run({"cells.w": 4}, seed=5)
        before = session.read("cells.v"), session.read("cells.w")
        with pytest.raises(OverrideError):
            session.run({"cells.w": [1, 2]})
        assert np.array_equal(session.read("cells.v"), before[0])
        session.run(carry=["cells.w"], seed=5)
        assert np.array_equal(session.read("cells.v"), before[0])
        assert np.array_equal(session.read("cells.w"), before[1])


def test_advance_needs_static_state_that_stays(counting: models.Script) -> None:
    with (
        counting.model.session() as session,
        pytest.raises(SessionError, match=r"calls.*keep_static_state=True"),
    ):
        session.advance(0.001)
    with counting.model.session(keep_static_state=True) as session:
        session.run(duration=0.002)
        session.advance(0.001)
        assert session.read("cells.n").max() == 3 * 30
        # The user asked for it: the count is not put back
        session.run(duration=0.001)
        assert session.read("cells.n").max() == 3 * 40


# -- Ctrl-C ------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys, time
sys.path.insert(0, sys.argv[1])
from tests import models
from tests.states import digest, state
model = models.built(models.noisy, random_setup=False).model
handler = signal.getsignal(signal.SIGINT)
session, other = model.session(), model.session()

def progress(completed, elapsed):
    print("running", flush=True)

how = sys.argv[2]
try:
    if how == "advance":
        session.run(duration=0.005)
        result = session.advance(1e7, progress=progress)
    else:
        result = session.run({"links.delay": 0.5}, duration=1e7, progress=progress)
    print("not interrupted", result.completed)
except KeyboardInterrupt:
    print("interrupted", session.t > 0)
assert signal.getsignal(signal.SIGINT) is handler
session.run(seed=3)
other.run(seed=3)
print(digest(state(session)) == digest(state(other)))
"""

IGNORED = INTERRUPTED.replace(
    "handler =", "signal.signal(signal.SIGINT, signal.SIG_IGN); handler ="
).replace("1e7", "1500.0")

THREAD = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from tests import models
from tests.states import digest, state
model = models.built(models.noisy, random_setup=False).model
session = model.session()
results = []

def work():
    results.append(session.run(duration=1e7, progress=lambda c, e: print("running", flush=True)))

thread = threading.Thread(target=work)
thread.start()
try:
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    print("interrupted", thread.is_alive())
session.stop()
thread.join()
print(0 < results[0].completed < 1)
"""


def interrupt(script: str, *arguments: str) -> list[str]:
    """Run a script, send it SIGINT when it says that it is running, return what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "running\n":
                break
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return [line for line in output.splitlines() if line != "running"]


@pytest.mark.parametrize("how", ["run", "advance"])
def test_interrupt(how: str) -> None:
    models.built(models.noisy, random_setup=False)  # so that the script need not compile it
    assert interrupt(INTERRUPTED, how) == ["interrupted True", "True"]


def test_interrupt_that_the_process_ignores() -> None:
    models.built(models.noisy, random_setup=False)
    assert interrupt(IGNORED, "run") == ["not interrupted 1.0", "True"]


def test_interrupt_while_another_thread_runs() -> None:
    models.built(models.noisy, random_setup=False)
    assert interrupt(THREAD) == ["interrupted True", "True"]


def test_a_handler_of_the_user_is_called_once_the_step_is_done(tripping: models.Script) -> None:
    calls: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with tripping.model.session() as session:

            def progress(completed: float, elapsed: float) -> None:
                if not calls:
                    signal.raise_signal(signal.SIGINT)
                    assert not calls, "not in the middle of a step"

            result = session.run(duration=1e5, progress=progress)
            assert calls == [signal.SIGINT]
            assert 0 < result.completed < 1
            assert session.run().completed == 1
    finally:
        signal.signal(signal.SIGINT, old)


@pytest.mark.parametrize(
    "use", [lambda s: s.run({"cells.mode": 1}), lambda s: s.run({"cells.mode": 2})]
)
def test_errors_are_gpurun_errors(tripping: models.Script, use: Callable[[Any], Any]) -> None:
    with tripping.model.session() as session, pytest.raises(GpurunError):
        use(session)
