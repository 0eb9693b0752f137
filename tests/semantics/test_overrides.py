"""An override has the effect of the same value in the script, and Python sees it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2 import NeuronGroup, Quantity
from brian2.units import Hz, ms, mV, second, volt

from tests import backend, models, stimuli
from tests.states import assert_same, differing, state

SEED = 20
#: Long enough that each override changes something.
LENGTH = 0.025 if backend.EMULATED else 0.05


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.everything, seed=SEED)


# -- the same as in the script -------------------------------------------------------

RANDOM = np.random.default_rng(3)
VALUES: dict[str, Any] = {
    "stim": RANDOM.uniform(0, 8e-3, 10),
    "grid": RANDOM.uniform(0, 8, (5, 20)),
    "gen": (np.arange(40) % 6, np.sort(RANDOM.choice(190, 40, replace=False)) * 1e-4),
    "beat": ([3, 2, 1, 0, 2], np.array([0.0, 1.0, 1.0, 2.0, 3.9]) * 1e-3),
    # Enough for the normal approximation, which the script's own rate is not
    "rate": 2500.0,
    "weight": -0.4e-3,
    "fixed": 4.2e-3,
    "deliver": 7.1e-3,
}
STATE: dict[str, Any] = {
    "exc.tau": RANDOM.uniform(5, 15, 20) * ms,
    "exc.sigma": 1.7 * mV,
    "exc.level": 1.1 * mV,
    "exc.v": RANDOM.uniform(0, 9, 20) * mV,
    "exc.enabled": np.arange(20) % 5 != 1,
    "exc.kind": RANDOM.integers(0, 4, 20),
    "exc.fired": 12,
    "exc.untouched": RANDOM.uniform(size=20),
    "slow.x": RANDOM.uniform(0, 0.7, 5),
    "inp.rates": RANDOM.uniform(0, 600, 10) * Hz,
    "stdp.w": RANDOM.uniform(0, 2, 100),
    "stdp.apre": 0.2,
    "sums.g": RANDOM.uniform(0, 0.3, 20),
}
#: (synapses, pathway) -> delays: one for all synapses, or one each of a known number.
DELAYS = {
    ("stdp", "learn"): RANDOM.uniform(0, 3, 100) * ms,
    ("stdp", "post"): 2.6 * ms,
    ("direct", "pre"): 5.3 * ms,
    ("spread", "pre"): 8.8 * ms,
}


def set_in_script(o: SimpleNamespace) -> None:
    for name, value in STATE.items():
        group, _, variable = name.partition(".")
        setattr(getattr(o, group), variable, value)
    for (synapses, pathway), value in DELAYS.items():
        getattr(getattr(o, synapses), pathway).delay = value
    o.early.theta = np.linspace(0, 3, 10) * mV
    o.late.drive = 11 * mV


def as_overrides(o: SimpleNamespace) -> list[tuple[Any, Any]]:
    return [
        *((f"{o.noise.name}.{name}", VALUES[name]) for name in ("rate", "weight")),
        (o.stim, VALUES["stim"] * volt),
        (o.grid, VALUES["grid"]),
        (o.gen, (VALUES["gen"][0], VALUES["gen"][1] * second)),
        (o.beat, {"indices": VALUES["beat"][0], "times": VALUES["beat"][1] * second}),
        ("fixed.delay", VALUES["fixed"]),
        (o.stdp.deliver.delay, VALUES["deliver"] * second),
        *STATE.items(),
        *((getattr(getattr(o, s), p).delay, value) for (s, p), value in DELAYS.items()),
        (o.early.theta, np.linspace(0, 3, 10) * mV),
        (o.late.drive, 11 * mV),
    ]


def test_all_overrides_equal_the_script_that_sets_them(script: models.Script) -> None:
    """One comparison for all: a value that is lost or late changes some spike."""
    other = models.build(models.everything, seed=SEED, values=VALUES, last=set_in_script)
    o = script.objects
    with script.model.session() as session, other.model.session() as reference:
        session.run(as_overrides(o), seed=1, duration=LENGTH)
        reference.run(seed=1, duration=LENGTH)
        one, two = state(session), state(reference)
        # Other set-up code has other static arrays
        names = {name for name in one if not name.startswith("_static_array")}
        assert len(names) > 150
        assert_same({n: one[n] for n in names}, {n: two[n] for n in names})
        # Each of them counts
        for left_out in range(len(as_overrides(o))):
            some = [pair for number, pair in enumerate(as_overrides(o)) if number != left_out]
            session.run(some, seed=1, duration=LENGTH)
            assert differing(state(session), one), as_overrides(o)[left_out]
        # ... and the same again after runs without them
        session.run(seed=4)
        session.run(as_overrides(o), seed=1, duration=LENGTH)
        assert_same(state(session), one)


# -- what Python sees ------------------------------------------------------------------


def spikes_of(script: models.Script, name: str) -> tuple[np.ndarray, np.ndarray]:
    group = getattr(script.objects, name)
    device = models.device()
    return (
        device.get_value(group.variables["neuron_index"]),
        device.get_value(group.variables["spike_time"]),
    )


CONSTANT = [
    "exc.untouched", "exc.tau", "exc.sigma", "exc.level", "exc.enabled", "exc.kind", "slow.y",
    "inp.rates", "direct.w", "spread.w", "multi.w", "direct_pre.delay", "fixed_pre.delay",
    "spread_pre.delay", "stdp_deliver.delay", "stdp_learn.delay", "stdp_post.delay",
    "multi_pre.delay",
]  # fmt: skip


def brian_view(o: SimpleNamespace, name: str) -> Any:
    """The Brian expression that a user would read the variable `name` with."""
    group, _, variable = name.partition(".")
    if variable == "delay":
        synapses, _, pathway = group.partition("_")
        return getattr(getattr(o, synapses), pathway).delay
    return getattr(getattr(o, group), variable)


@pytest.mark.parametrize("name", CONSTANT)
def test_brian_objects_read_an_override(script: models.Script, name: str) -> None:
    """What no run changes: Python reads what was given, and the script's value afterwards."""
    o = script.activate().objects
    _, value = stimuli.OVERRIDES[name](o, stimuli.sizes(script.model), np.random.default_rng(1))
    with script.model.session() as session:
        session.run()
        before = np.array(brian_view(o, name)[:], copy=True)
        session.run([(name, value)])
        read = brian_view(o, name)[:]
        assert np.array_equal(np.asarray(read), np.broadcast_to(np.asarray(value), read.shape))
        assert not np.array_equal(np.asarray(read), before)
        session.advance(0.001)
        assert np.array_equal(brian_view(o, name)[:], read)
        session.run()
        assert np.array_equal(np.asarray(brian_view(o, name)[:]), before)


def test_brian_objects_read_state_monitors_and_subexpressions(script: models.Script) -> None:
    o = script.activate().objects
    with script.model.session() as session:
        result = session.run(
            {"exc.kind": 1}, record=["exc.v", "exc.theta", o.trace, o.spikes, o.counts], seed=2
        )
        assert np.array_equal(np.asarray(o.exc.v[:]), result["exc.v"])
        assert np.array_equal(np.asarray(o.early.v[:]), result["exc.v"][:10])
        assert np.array_equal(np.asarray(o.exc.v[3:5]), result["exc.v"][3:5])
        assert np.array_equal(np.asarray(o.exc.depth[:]), result["exc.v"] - result["exc.theta"])
        assert np.array_equal(np.asarray(o.trace.v), result[o.trace].v)
        assert np.array_equal(np.asarray(o.trace[3].v), result[o.trace].v[1])
        assert np.array_equal(np.asarray(o.spikes.t), result[o.spikes].t)
        assert np.array_equal(o.counts.count[:], result[o.counts].count)
        assert o.spikes.num_spikes == len(result[o.spikes].t)
        assert np.array_equal(o.stdp.i[:], session.read("stdp._synaptic_pre"))
        assert isinstance(o.exc.v[:], Quantity)
        session.advance(0.004)
        assert o.trace.t[-1] == pytest.approx(0.0239)


def test_python_calls_of_timed_arrays_see_the_override(script: models.Script) -> None:
    o = script.activate().objects
    stim, grid = np.linspace(5e-3, 6e-3, 10), np.arange(100.0).reshape(5, 20)
    before = (o.stim(4.1 * ms), o.grid(3.4 * ms, 7))
    with script.model.session() as session, script.model.session() as other:
        session.run([(o.stim, stim * volt), ("grid", grid)])
        assert o.stim(4.1 * ms) == stim[2] * volt
        assert o.grid(3.4 * ms, 7) == grid[1, 7]
        session.advance(0.001)
        assert o.stim(4.1 * ms) == stim[2] * volt
        # Carried values hold in the run, so Python has to see them too
        session.run(carry=[o.stim])
        assert o.stim(4.1 * ms) == stim[2] * volt
        assert o.grid(3.4 * ms, 7) == before[1]
        # Python sees the run that came last, of whichever session
        other.run()
        assert o.stim(4.1 * ms) == before[0]
        session.advance(0.001)
        assert o.stim(4.1 * ms) == stim[2] * volt
        session.run()
    assert (o.stim(4.1 * ms), o.grid(3.4 * ms, 7)) == before


@pytest.mark.parametrize("name", ["gen", "beat"])
def test_brian_objects_read_the_spikes_of_an_override(script: models.Script, name: str) -> None:
    o = script.activate().objects
    with script.model.session() as session:
        session.run()
        before = [np.array(part) for part in spikes_of(script, name)]
        session.run([(name, ([2, 0, 1], [3e-3, 1e-3, 3e-3]))])
        indices, times = spikes_of(script, name)
        assert indices.tolist() == [0, 1, 2]
        assert times.tolist() == [1e-3, 3e-3, 3e-3]
        assert getattr(o, f"{name}_spikes").i[:3].tolist() == [0, 1, 2]
        session.run()
        for part, old in zip(spikes_of(script, name), before, strict=True):
            assert np.array_equal(part, old)


def test_spikes_of_a_generator_come_when_they_were_given(script: models.Script) -> None:
    o = script.objects
    indices, times = stimuli._spikes(6, 20e-3, np.random.default_rng(5))
    order = np.lexsort((indices, times))
    with script.model.session() as session:
        result = session.run([(o.gen, (indices, times))], record=[o.gen_spikes])
        assert len(times) > 10
        assert result[o.gen_spikes].i.tolist() == indices[order].tolist()
        assert result[o.gen_spikes].t == pytest.approx(np.asarray(times)[order], abs=1e-9)
        assert len(session.run({"gen": ([], [])}, record=[o.gen_spikes])[o.gen_spikes].t) == 0
        beats = session.run({"beat": ([1], [0.2e-3])}, record=[o.beat_spikes])[o.beat_spikes]
        assert beats.t == pytest.approx([0.2e-3, 4.2e-3, 8.2e-3, 12.2e-3, 16.2e-3])


def test_a_delay_moves_the_arrival(script: models.Script) -> None:
    """One spike, one synapse per neuron, nothing else: v jumps when the delay is over."""
    quiet = {
        "exc.sigma": 0.0, "exc.drive": 0.0, "stim": np.zeros(10), "grid": np.zeros((5, 20)),
        "inp.rates": 0.0, "beat": ([], []), "exc.v": 0.0, "exc.enabled": False,
        f"{script.objects.noise.name}.weight": 0.0, "gen": ([1], [1e-3]),
    }  # fmt: skip
    with script.model.session() as session:
        for delay in (0.0, 1.3e-3, 9.9e-3, 15e-3):
            result = session.run({**quiet, "fixed.delay": delay}, record=["trace"])
            # Neuron 3 is the target of neuron 1; its drive comes from run_regularly alone
            jumps = np.flatnonzero(np.diff(result["trace"].v[1]) > 1e-3)
            assert result["trace"].t[jumps] == pytest.approx([1e-3 + delay], abs=1e-9)


# -- forms of values -------------------------------------------------------------------

WANTED = np.linspace(1, 2, 20)
FORMS: dict[str, Any] = {
    "list": WANTED.tolist(),
    "tuple": tuple(WANTED.tolist()),
    "float32": WANTED.astype(np.float32),
    "big-endian": WANTED.astype(">f8"),
    "strided": np.repeat(WANTED, 3)[::3],
    "reversed": WANTED[::-1].copy()[::-1],
    "column": np.stack([WANTED, WANTED], axis=1)[:, 0],
    "longdouble": WANTED.astype(np.longdouble),
    "half": WANTED.astype(np.float16),
    "bare quantity": WANTED * (volt / volt),
    "list of numpy scalars": list(WANTED),
}


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("form", [*FORMS, "read-only", "masked dtype"])
def test_forms_of_arrays(script: models.Script, form: str) -> None:
    if form == "read-only":
        value: Any = read_only(WANTED)
    elif form == "masked dtype":
        value = np.rec.fromarrays([WANTED], names="a")["a"]
    else:
        value = FORMS[form]
    expected = np.asarray(value, dtype=float)
    assert expected == pytest.approx(WANTED, rel=1e-3)
    with script.model.session() as session:
        result = session.run({"exc.untouched": value}, record=["exc.untouched"])
        assert np.array_equal(result["exc.untouched"], expected)


@pytest.mark.parametrize(
    "value",
    [3, 3.0, np.float32(3), np.int8(3), np.array(3), np.array([3]), [3], True * 3, 3 * volt / volt],
)
def test_forms_of_single_values(script: models.Script, value: Any) -> None:
    with script.model.session() as session:
        result = session.run({"exc.untouched": value}, record=["exc.untouched"])
        assert (result["exc.untouched"] == 3).all()


def test_forms_of_booleans_and_integers(script: models.Script) -> None:
    flags = np.arange(20) % 3 == 0
    with script.model.session() as session:
        for value in (flags, flags.astype(int), flags.astype(float), flags.tolist()):
            read = session.run({"exc.enabled": value}, record=["exc.enabled"])["exc.enabled"]
            assert read.dtype == bool
            assert np.array_equal(read, flags)
        numbers = np.arange(20) - 7
        for value in (numbers, numbers.astype(np.int64), numbers.astype(float), numbers[::1]):
            read = session.run({"exc.fired": value}, record=["exc.fired"], duration=0)["exc.fired"]
            assert read.dtype == np.int32
            assert np.array_equal(read, numbers)
        assert session.run({"exc.kind": flags}, record=["exc.kind"])["exc.kind"].sum() == 7


def test_forms_of_units(script: models.Script) -> None:
    o = script.objects
    values = np.linspace(1, 2, 20)
    forms: list[tuple[Any, Any]] = [
        (o.exc.v, values * mV),
        (o.exc.v, [value * mV for value in values]),
        (o.exc.v_, values * 1e-3),
        ("exc.v", values * 1e-3),
        ("exc.v", values * mV),
        (o.exc.v_, values * mV),
    ]
    with script.model.session() as session:
        for key, value in forms:
            read = session.run([(key, value)], record=[o.exc.v], duration=0)[o.exc.v]
            assert read == pytest.approx(values * 1e-3, rel=1e-15)
        zero = session.run([(o.exc.v, 0 * mV)], record=[o.exc.v], duration=0)[o.exc.v]
        assert not zero.any()


def test_nan_and_infinity_where_they_are_allowed(script: models.Script) -> None:
    o = script.objects
    value = np.array([np.nan, np.inf, -np.inf, *range(17)])
    with script.model.session() as session:
        for allowed in (True, [o.exc.untouched], ["exc.untouched"], ("exc.v", "exc.untouched")):
            read = session.run(
                {"exc.untouched": value},
                record=["exc.untouched"],
                allow_nonfinite=allowed,
            )["exc.untouched"]
            assert np.array_equal(read, value, equal_nan=True)


def test_overrides_act_in_their_order(script: models.Script) -> None:
    """A part after the whole changes the part."""
    o = script.objects
    with script.model.session() as session:
        read = session.run([(o.exc.v, 1 * mV), (o.early.v, 2 * mV)], record=[o.exc.v], duration=0)[
            o.exc.v
        ]
        assert read.tolist() == [2e-3] * 10 + [1e-3] * 10
        read = session.run([(o.early.v, 2 * mV), (o.exc.v, 1 * mV)], record=[o.exc.v], duration=0)[
            o.exc.v
        ]
        assert read.tolist() == [1e-3] * 20


def test_a_constant_shared_value(script: models.Script) -> None:
    with script.model.session() as session:
        session.run({"exc.sigma": 0.0}, seed=1)
        one = session.read("exc.v")
        session.run({"exc.sigma": 0.0}, seed=1)
        assert np.array_equal(session.read("exc.v"), one)
        assert session.read("exc.sigma").tolist() == [0.0]
        session.run(seed=1)
        assert session.read("exc.sigma").tolist() == [1e-3]
        assert not np.array_equal(session.read("exc.v"), one)


def test_a_parameter_whose_name_has_capitals_and_spaces_in_its_group() -> None:
    """brian2cuda lower-cases file names; names that end in `space` are taken for events."""
    models.new_script()
    cells = NeuronGroup(3, "dV/dt = (V_Inf - V)/(5*ms) : 1\nV_Inf : 1\nv : 1\nmyspace : 1",
                        method="exact", name="Cells")  # fmt: skip
    cells.V_Inf = 1
    models.run(5 * ms)
    model = models.gpurun.build()
    with model.session() as session:
        session.run({"Cells.V_Inf": 2, "Cells.v": 5, "Cells.myspace": [1, 2, 3]})
        assert session.read("Cells.V") == pytest.approx(2 * (1 - np.exp(-1)))
        assert cells.V[:] == pytest.approx(2 * (1 - np.exp(-1)))
        assert cells.v[:].tolist() == [5, 5, 5]
        assert cells.myspace[:].tolist() == [1, 2, 3]
        session.advance(0.005)
        assert session.read("Cells.myspace").tolist() == [1, 2, 3]
        session.run()
        assert not session.read("Cells.myspace").any()
