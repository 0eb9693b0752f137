"""run_for: stopped anywhere, it ends as if it had never been stopped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.units import ms

from gpurun.checkpoint import read_header
from gpurun.errors import CheckpointError, ConfigError, DurationError
from tests import backend, models
from tests.states import assert_same, state

#: Long enough that `progress` is called a few times.
STEPS = 1500 if backend.EMULATED else 1_500_000
TOTAL = STEPS * models.DT


@pytest.fixture(scope="module")
def rare() -> models.Script:
    return models.built(models.rare)


@pytest.fixture(scope="module")
def expected(rare: models.Script) -> dict[str, np.ndarray]:
    """The state after a run that nobody stopped."""
    with rare.model.session() as session:
        session.run(duration=TOTAL, seed=8)
        return state(session)


def test_a_run_with_many_checkpoints(
    rare: models.Script, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "state.h5"
    with rare.model.session() as session:
        result = session.run_for(TOTAL, to=path, checkpoint_every=0.06, seed=8, record=["cable.v"])
        assert_same(state(session), expected)
    assert result.completed == 1
    assert result.t == pytest.approx(TOTAL)
    assert result.steps >= STEPS
    assert np.array_equal(result["cable.v"], expected["cable.v"])
    assert read_header(path).t == pytest.approx(TOTAL)
    with rare.model.session() as session:
        again = session.run_for(TOTAL, to=path, seed=8)
        assert again.completed == 1
        assert again.steps == 0
        assert_same(state(session), expected)
        # ... and on
        session.run_for(TOTAL + 10 * models.DT, to=path, seed=8)
        longer = state(session)
    with rare.model.session() as session:
        session.run(duration=TOTAL + 10 * models.DT, seed=8)
        assert_same(longer, state(session))


def test_stopped_and_resumed(
    rare: models.Script, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "state.h5"
    reached: list[float] = []
    for _ in range(100):
        with rare.model.session() as session:
            result = session.run_for(TOTAL, to=path, seed=8, progress=lambda done, wall: True)
            reached.append(session.t)
            if result.completed == 1:
                assert_same(state(session), expected)
                break
            assert result.completed < 1
    assert len(reached) > 2
    assert reached == sorted(reached)
    assert reached[-1] == pytest.approx(TOTAL)


def test_interrupted(rare: models.Script, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Ctrl-C saves a checkpoint, and the session stays usable."""
    path = tmp_path / "state.h5"

    def interrupt(done: float, wall: float) -> bool:
        raise KeyboardInterrupt

    with rare.model.session() as session:
        with pytest.raises(KeyboardInterrupt):
            session.run_for(TOTAL, to=path, seed=8, progress=interrupt)
        t = session.t
        assert 0 < t < TOTAL
        assert read_header(path).t == t
        session.run_for(TOTAL, to=path, seed=8)
        assert_same(state(session), expected)


def test_another_run_is_not_continued(rare: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    name = next(v.name for v in rare.model.manifest.variables if v.writable and v.role == "state")
    with rare.model.session() as session:
        session.run_for(0.001, to=path, seed=8)
        for other in ({"seed": 9}, {"seed": 8, "overrides": {name: session.read(name)}}):
            with pytest.raises(CheckpointError, match="another choice of") as caught:
                session.run_for(0.002, to=path, **other)
            assert caught.value.fields["reason"] == "other_run"
        session.save(path)
        with pytest.raises(CheckpointError, match="was not saved by run_for"):
            session.run_for(0.002, to=path, seed=8)
        session.run_for(0.001, to=path, seed=9, resume=False)
        after = state(session)
        session.run(duration=0.001, seed=9)
        assert_same(state(session), after)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"total": None}, ConfigError),
        ({"total": -1.0}, DurationError),
        ({"checkpoint_every": 0}, ConfigError),
        ({"checkpoint_every": "soon"}, ConfigError),
        ({"report": "loud"}, ConfigError),
    ],
)
def test_bad_arguments(
    rare: models.Script, tmp_path: Path, arguments: dict[str, Any], error: type[Exception]
) -> None:
    path = tmp_path / "state.h5"
    with rare.model.session() as session, pytest.raises(error):
        session.run_for(**{"total": 0.001, "to": path, **arguments})
    assert not path.exists()


def test_reports(rare: models.Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[tuple[float, ...]] = []
    with rare.model.session() as session:
        session.run(
            duration=TOTAL, seed=8, report=lambda *facts: said.append(facts), report_period=0.05
        )
        assert len(said) >= 3
        assert [one[1] for one in said] == sorted(one[1] for one in said)
        assert said[0][:2] == (0.0, 0.0)
        assert said[-1][1] == 1.0
        assert {one[2:] for one in said} == {(0.0, TOTAL)}
        session.advance(10 * models.DT, report="stderr")
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"Starting at t = {TOTAL:g} s" in captured.err
        assert "(100%)" in captured.err
        session.run_for(0.001, to=tmp_path / "state.h5", report="text")
        assert "(100%)" in capsys.readouterr().out
        with pytest.raises(ConfigError, match="report='loud'"):
            session.run(report="loud")


def test_code_behind_the_run(tmp_path: Path) -> None:
    def script() -> SimpleNamespace:
        models.new_script()
        cells = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
        cells.v = 1
        b2.run(1 * ms)
        cells.v = "v + 5"
        return SimpleNamespace(cells=cells)

    built = models.build(script)
    with built.model.session() as session:
        with pytest.raises(DurationError, match="behind its run"):
            session.run_for(0.002, to=tmp_path / "state.h5")
        result = session.run(record=["cells.v"])
        assert result["cells.v"] == pytest.approx(5 + np.exp(-0.1))
