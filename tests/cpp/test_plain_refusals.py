"""What plain scripts cannot do is refused by name, with the line and the way out."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from gpurun.errors import NotSupportedError, PlainScriptError
from tests.plain_models import resident


def refused(model: Callable[[], None]) -> PlainScriptError:
    with resident(), pytest.raises(PlainScriptError) as caught:
        model()
    error = caught.value
    assert isinstance(error, NotSupportedError)
    assert "--device runtime" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.fields) == (str(error), error.fields)
    return error


def cells() -> Any:
    return b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", method="euler")


def test_network_operations() -> None:
    def model() -> None:
        group = cells()

        @b2.network_operation
        def control() -> None:
            group.v = 0

        b2.run(1 * ms, namespace={})

    error = refused(model)
    assert "'control'" in str(error)
    assert str(error.fields["line"]).startswith("test_plain_refusals.py, line ")
    assert "run_regularly" in str(error)


def test_objects_with_a_run_of_their_own() -> None:
    class Logger(b2.BrianObject):
        def run(self) -> None:
            pass

    def model() -> None:
        net = b2.Network(cells(), Logger(name="logger"))
        net.run(1 * ms, namespace={})

    assert refused(model).fields["what"] == "logger"


def test_functions_that_exist_in_python_only() -> None:
    @b2.check_units(x=1, result=1)
    def saturate(x: Any) -> Any:
        return np.tanh(x)

    names: list[str] = []

    def model() -> None:
        # The name in the message is the script's, however many groups there were before
        others = [cells() for _ in range(3)]
        group = b2.NeuronGroup(1, "dv/dt = saturate(v)/(10*ms) : 1", method="euler")
        assert len({other.name for other in others} | {group.name}) == 4
        names.append(group.name)
        b2.run(1 * ms, namespace={"saturate": saturate})

    error = refused(model)
    assert error.fields["what"] == "saturate"
    assert f"'{names[0]}_stateupdater'" in str(error)
    assert "@implementation('cpp'" in str(error)
    assert "test_plain_refusals.py, line " in str(error)


def test_gsl() -> None:
    def model() -> None:
        group = b2.NeuronGroup(1, "dv/dt = -v/(10*ms) : 1", method="gsl_rkf45")
        b2.Network(group).run(1 * ms, namespace={})

    assert "gsl_rkf45" in str(refused(model))


def test_what_reads_a_monitor_in_every_step() -> None:
    def model() -> None:
        group = cells()
        monitor = b2.SpikeMonitor(group, name="seen")
        group.variables.add_reference("n_seen", monitor, "N", index="0")
        group.run_regularly("v += n_seen")
        b2.run(1 * ms, namespace={})

    assert "monitor 'seen'" in str(refused(model))


def test_reading_while_a_run_is_under_way() -> None:
    def model() -> None:
        group = cells()
        seen: list[float] = []

        def report(elapsed: Any, completed: float, start: Any, duration: Any) -> None:
            seen.append(float(group.v_[0]))

        b2.run(1000 * b2.second, report=report, report_period=0.01 * ms, namespace={})

    assert refused(model).fields["what"] == "v"


def test_after_a_refusal_the_script_can_go_on() -> None:
    with resident():
        group = cells()
        group.v = 1
        operation = b2.NetworkOperation(lambda: None)
        net = b2.Network(group, operation)
        with pytest.raises(PlainScriptError):
            net.run(1 * ms, namespace={})
        assert float(net.t) == 0
        net.remove(operation)
        net.run(1 * ms, namespace={})
        assert float(net.t) == 0.001
        assert 0 < group.v[0] < 1


def test_errors_of_brian_stay_as_they_are() -> None:
    with resident():
        groups = [cells() for _ in range(2)]
        wrong = b2.NeuronGroup(1, "dv/dt = -unknown*v/ms : 1", method="euler")
        with pytest.raises(b2.BrianObjectException) as caught:
            b2.Network(groups, wrong).run(1 * ms, namespace={})
        assert wrong.name in str(caught.value)
        with pytest.raises(ValueError, match="non-negative"):
            b2.run(-1 * ms)
        with pytest.raises(b2.DimensionMismatchError):
            b2.run(3)
        with pytest.raises(ValueError, match="report"):
            b2.Network(groups).run(1 * ms, report="loudly", namespace={})
