"""Plain models run resident: the same as in Brian's runtime mode, in all that a script can see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms, second

from tests.plain_models import builds, in_both_ways, resident, runtime

CELLS = """dv/dt = (drive - v)/tau : 1 (unless refractory)
drive : 1"""


def network(*, delays: str = "(1 + i % 3)*ms", name: str | None = None) -> dict[str, Any]:
    """Cells that excite each other with delays, and what records them."""
    tau = 10 * ms
    cells = b2.NeuronGroup(
        20,
        CELLS,
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="euler",
        namespace={"tau": tau},
    )
    cells.drive = "1.1 + 0.5*rand()"
    links = b2.Synapses(
        cells,
        cells,
        "mark : 1\nlastmark : second\nw : 1",
        on_pre="v_post += w; mark = 0.5*mark + 1; lastmark = t",
        on_post="w = clip(w + 0.001*mark, 0, 1)",
        method="euler",
    )
    links.connect(p=0.3)
    links.w = "0.05*rand()"
    links.pre.delay = delays
    links.post.delay = 3 * ms
    return {
        "cells": cells,
        "links": links,
        "spikes": b2.SpikeMonitor(cells),
        "mark": b2.StateMonitor(cells, "v", record=[0, 3, 7]),
        "rate": b2.PopulationRateMonitor(cells),
    }


def seen(objects: dict[str, Any]) -> dict[str, np.ndarray]:
    """All that a script could look at."""
    cells, links, spikes = objects["cells"], objects["links"], objects["spikes"]
    return {
        "t": np.array(cells.clock.variables["t"].get_value()),
        "step": np.array(cells.clock.variables["timestep"].get_value()),
        "v": np.array(cells.v[:]),
        "last": np.array(cells.lastspike_[:]),
        "free": np.array(cells.not_refractory[:]),
        "w": np.array(links.w[:]),
        "mark": np.array(links.mark[:]),
        "update": np.array(links.lastmark_[:]),
        "i": np.array(spikes.i[:]),
        "times": np.array(spikes.t_[:]),
        "count": np.array(spikes.count[:]),
        "total": np.array([spikes.num_spikes]),
        "recorded": np.array(objects["mark"].v[:]),
        "recorded_t": np.array(objects["mark"].t_[:]),
        "rate": np.array(objects["rate"].rate_[:]),
        "queue": np.array(
            [
                len(slot) and sum(slot)
                for pathway in (links.pre, links.post)
                for slot in _waiting(pathway)
            ]
        ),
    }


def _waiting(pathway: Any) -> list[list[int]]:
    offset, slots = pathway.queue._full_state()
    return [slots[(offset + n) % len(slots)] for n in range(len(slots))]


def assert_same(reference: Any, found: Any) -> None:
    assert reference.keys() == found.keys()
    for name, values in reference.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert np.asarray(found[name]).dtype == np.asarray(values).dtype, name


def test_runs_one_after_the_other_are_one_build() -> None:
    def model() -> dict[str, np.ndarray]:
        objects = network()
        net = b2.Network(objects.values())
        net.run(15.3 * ms, namespace={})
        objects["links"].w = "w*0.9"
        objects["cells"].v[3:5] = 0.5
        before = seen(objects)
        net.run(10 * ms, namespace={})
        objects["cells"].drive[2] = 3
        net.run(0 * ms, namespace={})
        net.run(10 * ms, namespace={})
        return {**seen(objects), **{f"before.{name}": v for name, v in before.items()}}

    with builds() as found:
        reference, result = in_both_ways(model)
    assert reference["total"] > 30
    assert reference["queue"].any()
    assert_same(reference, result)
    assert len(found) == 1


def test_changes_that_need_another_model_keep_what_is_in_flight() -> None:
    def model() -> dict[str, np.ndarray]:
        objects = network()
        net = b2.Network(objects.values())
        net.run(12 * ms, namespace={})
        extra = b2.StateMonitor(objects["cells"], "drive", record=[1], dt=1 * ms)
        net.add(extra)
        net.run(5 * ms, namespace={})
        objects["links"].connect(i=[1, 2], j=[3, 4])
        objects["links"].w[-2:] = 0.2
        net.run(5 * ms, namespace={})
        b2.defaultclock.dt = 0.05 * ms
        net.run(5 * ms, namespace={})
        net.remove(extra, objects["rate"])
        objects["links"].pre.delay = 4 * ms
        objects["links"].post.active = False
        net.run(5 * ms, namespace={})
        b2.defaultclock.dt = 0.1 * ms
        net.run(5 * ms, namespace={})
        return {**seen(objects), "extra": np.array(extra.drive[:]), "net": np.array([net.t_])}

    reference, result = in_both_ways(model)
    assert reference["total"] > 30
    assert_same(reference, result)


@pytest.mark.parametrize("file", [False, True])
def test_store_and_restore(tmp_path: Path, file: bool) -> None:
    def model() -> dict[str, np.ndarray]:
        name = str(tmp_path / f"{b2.get_device().__class__.__name__}.state") if file else None
        objects = network()
        net = b2.Network(objects.values())
        net.store("start", filename=name)
        net.run(13 * ms, namespace={})
        net.store("later", filename=name)
        net.run(10 * ms, namespace={})
        first = seen(objects)
        net.restore("later", filename=name)
        restored = seen(objects)
        net.run(10 * ms, namespace={})
        assert_same(first, seen(objects))
        net.restore("start", filename=name)
        net.run(23 * ms, namespace={})
        assert_same(first, seen(objects))
        return {**first, **{f"restored.{key}": value for key, value in restored.items()}}

    reference, result = in_both_ways(model)
    assert_same(reference, result)


def test_a_model_that_is_built_anew_with_other_values_is_not_compiled_again() -> None:
    def simulate(tau: Any, rate: int) -> np.ndarray:
        stimulus = b2.TimedArray(np.arange(5) * 0.2 * rate, dt=2 * ms)
        group = b2.NeuronGroup(
            5, "dv/dt = (stimulus(t) - v)/tau : 1", threshold="v > 0.3", reset="v = 0",
            method="euler",
        )  # fmt: skip
        feed = b2.PoissonInput(group, "v", 10 + rate, rate * Hz, weight=0.1 * rate)
        quiet = b2.PoissonInput(group, "v", 10, 0 * Hz, weight=0.1 * rate)
        links = b2.Synapses(group, group, on_pre="v_post += 0.01")
        links.connect(p=0.2 * rate)
        links.delay = f"{rate}*ms"
        names = set(feed.variables), feed.abstract_code, quiet.abstract_code
        b2.run(10 * ms, namespace={"stimulus": stimulus, "tau": tau})
        assert (set(feed.variables), feed.abstract_code, quiet.abstract_code) == names
        return np.array(group.v[:])

    with resident(), builds() as found:
        values = [simulate(n * 5 * ms, n) for n in range(1, 4)]
    assert len(found) == 1
    assert len(np.unique(np.concatenate(values))) > 5


def test_a_constant_of_the_namespace_may_change_between_runs() -> None:
    def model() -> dict[str, np.ndarray]:
        group = b2.NeuronGroup(3, "dv/dt = (a - v)/tau : 1", method="euler")
        tau = 5 * ms
        a = 1.0
        b2.run(3 * ms)
        a, tau = 2.5, 7 * ms
        b2.run(3 * ms)
        return {"v": np.array(group.v[:]), "a": np.array([a, float(tau)])}

    with builds() as found:
        reference, result = in_both_ways(model)
    assert_same(reference, result)
    assert len(found) == 1


def test_clocks_keep_in_step_far_from_zero() -> None:
    def model() -> dict[str, np.ndarray]:
        fast = b2.NeuronGroup(2, "dv/dt = 1*Hz : 1", dt=0.1 * ms, method="euler")
        slow = b2.NeuronGroup(2, "x : 1", dt=0.7 * ms)
        slow.run_regularly("x += 1", dt=0.7 * ms)
        both = b2.Synapses(fast, slow, "y_post = v_pre : 1 (summed)" if False else "y : 1")
        both.connect(j="i")
        monitor = b2.StateMonitor(fast, "v", record=True, dt=0.3 * ms)
        net = b2.Network(fast, slow, both, monitor)
        net.t_ = 123456.7
        for _ in range(30):
            net.run(0.7 * ms, namespace={})
        return {
            "v": np.array(fast.v[:]),
            "x": np.array(slow.x[:]),
            "t": np.array(monitor.t_[:]),
            "recorded": np.array(monitor.v[:]),
            "end": np.array([net.t_]),
        }

    reference, result = in_both_ways(model)
    assert_same(reference, result)


def test_random_numbers_follow_the_seed_and_leave_a_script_without_noise_alone() -> None:
    def noisy() -> tuple[float, float]:
        group = b2.NeuronGroup(50, "dv/dt = -v/(10*ms) + 0.1*xi/(10*ms)**0.5 : 1", method="euler")
        b2.run(10 * ms, namespace={})
        first = float(np.sum(group.v[:]))
        b2.run(10 * ms, namespace={})
        return first, float(np.sum(group.v[:]))

    def quiet() -> float:
        group = b2.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="euler")
        group.v = "rand()"
        b2.run(1 * ms, namespace={})
        return float(np.random.rand())  # noqa: NPY002

    with resident():
        results = []
        for number in (3, 3, 4):
            b2.start_scope()
            b2.seed(number)
            results.append(noisy())
    assert results[0] == results[1] != results[2]
    assert results[0][0] != results[0][1]
    reference, result = in_both_ways(quiet)
    assert reference == result


def test_reports_and_stop() -> None:
    def model() -> None:
        group = b2.NeuronGroup(1, "dv/dt = 1*Hz : 1", method="euler")
        calls: list[tuple[float, float, float]] = []

        def report(elapsed: Any, completed: float, start: Any, duration: Any) -> None:
            assert elapsed >= 0 * second
            calls.append((completed, float(start), float(duration)))
            if len(calls) == 2:
                b2.stop()

        b2.run(1 * ms, namespace={})
        b2.run(3000 * second, report=report, report_period=0.01 * ms, namespace={})
        assert len(calls) == 3
        assert calls[0] == (0.0, 0.001, 3000.0)
        assert 0 <= calls[1][0] <= calls[2][0] < 1
        reached = float(b2.magic_network.t)
        assert reached == pytest.approx(0.001 + calls[2][0] * 3000)
        assert group.v[0] == pytest.approx(reached)
        b2.run(1 * ms, namespace={})
        assert float(b2.magic_network.t) == pytest.approx(reached + 0.001)

    with resident():
        model()
    with runtime():
        model()


def test_profiling_is_by_object() -> None:
    with resident():
        objects = network()
        net = b2.Network(objects.values())
        net.run(10 * ms, profile=True, namespace={})
        profile = dict(net.profiling_info)
        assert objects["cells"].name + "_stateupdater" in profile
        assert objects["links"].name + "_pre" in profile
        assert all(float(seconds) >= 0 for seconds in profile.values())
        net.run(1 * ms, namespace={})
        with pytest.raises(ValueError, match="profile=True"):
            _ = net.profiling_info
