"""What is refused: the exception, a message that names the thing, and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import DimensionMismatchError, NeuronGroup, SpikeMonitor, Synapses, TimedArray
from brian2.units import Hz, ms, mV, nA, second, volt

import gpurun
from gpurun.errors import (
    AmbiguousVariableError,
    ConfigError,
    DeviceUnavailableError,
    DtypeMismatchError,
    DurationError,
    NonFiniteValueError,
    NotSupportedError,
    OverrideError,
    ReadOnlyVariableError,
    SeedError,
    SessionError,
    ShapeMismatchError,
    UnitMismatchError,
    UnknownVariableError,
)
from tests import backend, models
from tests.states import assert_same, state

Session = gpurun.Session
V = np.zeros(20)


@dataclass(frozen=True)
class Row:
    """One thing that a user may get wrong."""

    name: str
    do: Callable[[Session, SimpleNamespace], Any]
    error: type[Exception]
    match: str
    #: What else code written for Brian or Python may catch.
    also: type[Exception] = ValueError


def given(key: Any, value: Any) -> Callable[[Session, SimpleNamespace], Any]:
    """A run with one override; `key` may be a function of the objects."""
    return lambda s, o: s.run([(key(o) if callable(key) else key, value)])


def noise(quantity: str, value: Any) -> Callable[[Session, SimpleNamespace], Any]:
    return lambda s, o: s.run({f"{o.noise.name}.{quantity}": value})


def run(**options: Any) -> Callable[[Session, SimpleNamespace], Any]:
    return lambda s, o: s.run(**options)


def advance(duration: Any) -> Callable[[Session, SimpleNamespace], Any]:
    return lambda s, o: s.advance(duration)


UNITS = [
    Row("wrong unit", given(lambda o: o.exc.v, 1 * nA), UnitMismatchError, r"exc\.v.* V .* A"),
    Row(
        "Brian's class", given(lambda o: o.exc.v, 1 * nA), DimensionMismatchError, "exc", TypeError
    ),
    Row("wrong unit by name", given("exc.v", 1 * nA), UnitMismatchError, r"exc\.v", TypeError),
    Row("unit missing", given(lambda o: o.exc.v, V), UnitMismatchError, r"exc\.v.*Multiply"),
    Row("unit of none", given(lambda o: o.exc.untouched, 1 * mV), UnitMismatchError, "untouched"),
    Row("unit missing in a list", given(lambda o: o.exc.v, [1.0] * 20), UnitMismatchError, "exc"),
    Row(
        "one wrong unit in a list",
        given(lambda o: o.exc.v, [1 * mV] * 19 + [1 * nA]),
        UnitMismatchError,
        r"exc\.v",
    ),
    Row(
        "one bare number in a list",
        given(lambda o: o.exc.v, [1 * mV] * 19 + [1.0]),
        UnitMismatchError,
        r"exc\.v",
    ),
    Row("delay without unit", given(lambda o: o.spread.delay, 2.0), UnitMismatchError, "spread"),
    Row("stimulus without unit", given(lambda o: o.stim, np.zeros(10)), UnitMismatchError, "stim"),
    Row("spikes: no unit", given(lambda o: o.gen, ([0], [0.1])), UnitMismatchError, "gen.times"),
    Row("spikes: wrong unit", given("gen", ([0], [1] * volt)), UnitMismatchError, "gen.times"),
    Row("rate: wrong unit", noise("rate", 3 * mV), UnitMismatchError, r"\.rate.*hertz"),
    Row("weight: wrong unit", noise("weight", 3 * Hz), UnitMismatchError, r"\.weight"),
    Row("duration: wrong unit", run(duration=3 * mV), UnitMismatchError, "duration.*second"),
]

SHAPES = [
    Row("too long", given("exc.v", np.zeros(21)), ShapeMismatchError, r"exc\.v.*20.*21"),
    Row("too short", given("exc.v", np.zeros(19)), ShapeMismatchError, r"exc\.v.*20.*19"),
    Row("empty", given("exc.v", []), ShapeMismatchError, r"exc\.v.*20.*0"),
    Row("a matrix", given("exc.v", np.zeros((4, 5))), ShapeMismatchError, r"exc\.v.*4, 5"),
    Row("a row", given("exc.v", np.zeros((1, 20))), ShapeMismatchError, r"exc\.v.*1, 20"),
    Row("ragged", given("exc.v", [[1, 2], [3]]), ShapeMismatchError, r"exc\.v"),
    Row("many for one", given("exc.level", np.zeros(20)), ShapeMismatchError, r"exc\.level"),
    Row(
        "the group for its part",
        given(lambda o: o.early.v, V * volt),
        ShapeMismatchError,
        r"exc\.v.*10.*20",
    ),
    Row("synapses", given("stdp.w", np.zeros(99)), ShapeMismatchError, r"stdp\.w.*100.*99"),
    Row("delays", given("stdp_learn.delay", V), ShapeMismatchError, "stdp_learn.*100.*20"),
    Row("scalar delay", given("fixed.delay", np.zeros(6)), ShapeMismatchError, "fixed_pre.delay"),
    Row("stimulus", given("stim", np.zeros(11)), ShapeMismatchError, "stim.*10.*11"),
    Row("stimulus turned", given("grid", np.zeros((20, 5))), ShapeMismatchError, "grid.*20, 5"),
    Row("stimulus flat", given("grid", np.zeros(100)), ShapeMismatchError, "grid.*100"),
    Row("rates of a PoissonInput", noise("rate", [1, 2]), ShapeMismatchError, r"\.rate"),
    Row("weights of a PoissonInput", noise("weight", V), ShapeMismatchError, r"\.weight"),
]

TYPES = [
    Row("a string", given("exc.v", "rand()*mV"), DtypeMismatchError, r"exc\.v.*string.*set-up"),
    Row("bytes", given("exc.v", b"1"), DtypeMismatchError, r"exc\.v"),
    Row("None", given("exc.v", None), DtypeMismatchError, r"exc\.v.*None.*leave the entry out"),
    Row("complex", given("exc.v", 1j), DtypeMismatchError, r"exc\.v.*complex", TypeError),
    Row("objects", given("exc.v", np.full(20, None)), DtypeMismatchError, r"exc\.v.*object"),
    Row("an array of strings", given("exc.v", ["1"] * 20), DtypeMismatchError, r"exc\.v"),
    Row("dates", given("exc.v", np.zeros(20, "M8[s]")), DtypeMismatchError, r"exc\.v.*datetime"),
    Row("a dict", given("exc.v", {"a": 1}), DtypeMismatchError, r"exc\.v"),
    Row("a set", given("exc.v", {1.0}), DtypeMismatchError, r"exc\.v"),
    Row("a fraction for an integer", given("exc.kind", 1.5), DtypeMismatchError, "kind.*fraction"),
    Row("too large an integer", given("exc.kind", 2**31), DtypeMismatchError, "kind.*2147483647"),
    Row("two for a boolean", given("exc.enabled", 2), DtypeMismatchError, "enabled.*True"),
    Row("half for a boolean", given("exc.enabled", V + 0.5), DtypeMismatchError, "enabled"),
    Row("nan for an integer", given("exc.kind", np.nan), NonFiniteValueError, "kind"),
    Row(
        "nan for an integer, allowed",
        lambda s, o: s.run({"exc.kind": np.nan}, allow_nonfinite=True),
        DtypeMismatchError,
        "kind",
    ),
    Row(
        "nan for a boolean, allowed",
        lambda s, o: s.run({"exc.enabled": np.nan}, allow_nonfinite=True),
        DtypeMismatchError,
        "enabled",
    ),
    Row("nan", given("exc.v", V * np.nan), NonFiniteValueError, r"exc\.v.*20 value.*allow_nonf"),
    Row("inf", given("exc.v", [np.inf] + [0] * 19), NonFiniteValueError, r"exc\.v.*1 value"),
    Row("minus inf", given("exc.v", -np.inf), NonFiniteValueError, r"exc\.v"),
    Row("nan in a stimulus", given("stim", V[:10] * np.nan), NonFiniteValueError, "stim"),
    Row("nan delay", given("spread.delay", np.nan), NonFiniteValueError, "spread_pre.delay"),
    Row("nan weight", noise("weight", np.nan), NonFiniteValueError, "weight"),
    Row(
        "nan allowed for another one",
        lambda s, o: s.run({"exc.v": np.nan}, allow_nonfinite=["exc.tau"]),
        NonFiniteValueError,
        r"exc\.v",
    ),
    Row(
        "nan allowed for nobody",
        lambda s, o: s.run({}, allow_nonfinite=["exc.nothing"]),
        UnknownVariableError,
        r"exc\.nothing",
    ),
    Row("allow_nonfinite=3", run(allow_nonfinite=3), OverrideError, "allow_nonfinite.*3"),
    Row("allow_nonfinite=name", run(allow_nonfinite="exc.v"), OverrideError, "allow_nonfinite"),
]

KEYS = [
    Row("misspelt", given("exc.untuched", 1), UnknownVariableError, r"exc\.untouched", KeyError),
    Row("no such group", given("exq.v", 1), UnknownVariableError, r"exq\.v.*exc\.v", KeyError),
    Row("wrong case", given("exc.V", 1), UnknownVariableError, r"exc\.V.*exc\.v", KeyError),
    Row("no group", given("v", 1), UnknownVariableError, "'v'", KeyError),
    Row("empty name", given("", 1), UnknownVariableError, "''", KeyError),
    Row("a number", given(7, 1), UnknownVariableError, "7", KeyError),
    Row("nothing", given(None, 1), UnknownVariableError, "None", KeyError),
    Row("a value", given(lambda o: 3 * mV, 1), UnknownVariableError, "Quantity", KeyError),
    Row("a group", given(lambda o: o.exc, 1), UnknownVariableError, r"exc.*whole group", KeyError),
    Row("Synapses", given(lambda o: o.stdp, 1), UnknownVariableError, "stdp.*whole", KeyError),
    Row(
        "a PoissonInput",
        given(lambda o: o.noise, 1),
        UnknownVariableError,
        r"PoissonInput.*\.rate.*\.weight",
        KeyError,
    ),
    Row(
        "a constant of the namespace",
        given("ceiling", 0.02),
        UnknownVariableError,
        r"'ceiling' is a constant.*0\.01.*'ceiling : .*\(constant, shared\)'.*group\.ceiling",
        KeyError,
    ),
    Row(
        "a constant of a group's namespace",
        given("exc.ceiling", 0.02),
        UnknownVariableError,
        "'ceiling' is a constant of the script's namespace",
        KeyError,
    ),
    Row(
        "two pathways",
        given("stdp.delay", 1e-3),
        AmbiguousVariableError,
        r"stdp_deliver\.delay.*stdp_learn\.delay.*stdp_post\.delay",
        KeyError,
    ),
    Row(
        "two pathways before",
        given("stdp.pre.delay", 1e-3),
        AmbiguousVariableError,
        r"stdp_deliver\.delay, stdp_learn\.delay\.",
        KeyError,
    ),
    Row(
        "an object of another script",
        given(lambda o: foreign().v, 1),
        UnknownVariableError,
        r"stranger\.v.*not a variable of the built model",
        KeyError,
    ),
    Row(
        "a TimedArray of another script",
        given(lambda o: TimedArray([1, 2], dt=1 * ms, name="stim"), [1, 2]),
        UnknownVariableError,
        "TimedArray 'stim' is not used",
        KeyError,
    ),
    Row(
        "another group's variable through synapses",
        given(lambda o: o.sums.v_post, 1 * mV),
        OverrideError,
        r"sums\.v_post.*exc\.v",
    ),
    Row("a subexpression", given(lambda o: o.exc.depth, 1 * mV), ReadOnlyVariableError, "depth"),
    Row(
        "a subexpression by name", given("exc.depth", 0.1), UnknownVariableError, "depth", KeyError
    ),
    Row("an index", given(lambda o: o.exc.i, 1), ReadOnlyVariableError, r"exc\.i", TypeError),
    Row("a synapse's target", given(lambda o: o.stdp.j, 1), ReadOnlyVariableError, "stdp"),
    Row("a number of synapses", given("stdp.N_incoming", 1), ReadOnlyVariableError, "N_incoming"),
    Row("the size", given(lambda o: o.exc.N, 1), OverrideError, "key.*20"),
    Row("the time", given("defaultclock.t", 1), ReadOnlyVariableError, "defaultclock.t"),
    Row("the time step", given("defaultclock.dt", 1), ReadOnlyVariableError, "defaultclock.dt"),
    Row("a spike list", given("gen.spike_time", 1), ReadOnlyVariableError, "gen.*'gen'"),
    Row("an event space", given("exc._spikespace", 1), ReadOnlyVariableError, "_spikespace"),
    Row("a monitor", given(lambda o: o.spikes, 1), ReadOnlyVariableError, "spikes.*monitor"),
    Row("a monitor's data", given(lambda o: o.rate.rate, 1), ReadOnlyVariableError, "rate.rate"),
    Row("a monitor's counts", given("counts.count", 1), ReadOnlyVariableError, "counts.count"),
]

ENTRIES = [
    Row("twice", run(overrides=[("exc.v", 1), ("exc.v", 2)]), OverrideError, r"exc\.v.*twice"),
    Row(
        "twice by two keys",
        lambda s, o: s.run([("exc.v", 1), (o.exc.v, 2 * mV)]),
        OverrideError,
        r"exc\.v.*twice",
    ),
    Row(
        "twice by view and bare view",
        lambda s, o: s.run([(o.exc.v_, 1), (o.exc.v, 2 * mV)]),
        OverrideError,
        r"exc\.v.*twice",
    ),
    Row(
        "a stimulus twice",
        lambda s, o: s.run([("stim.values", np.zeros(10)), (o.stim, np.zeros(10) * volt)]),
        OverrideError,
        "stim.*twice",
    ),
    Row(
        "a part twice",
        lambda s, o: s.run([(o.early.v, 1 * mV), (o.early.v_, 2)]),
        OverrideError,
        r"exc\.v.*twice",
    ),
    Row("a list of names", run(overrides=["exc.v"]), OverrideError, r"pair.*exc\.v"),
    Row("three parts", run(overrides=[("exc.v", 1, 2)]), OverrideError, "pair"),
    Row("a name", run(overrides="exc.v"), OverrideError, r"mapping or a list.*exc\.v"),
    Row("a number as overrides", run(overrides=3), OverrideError, "mapping or a list.*3"),
    Row("a view as overrides", lambda s, o: s.run(o.exc.v), OverrideError, "mapping or a list"),
    Row("carry: unknown", run(carry=["exc.nothing"]), UnknownVariableError, r"nothing", KeyError),
    Row("carry: ambiguous", run(carry=["stdp.delay"]), AmbiguousVariableError, "post", KeyError),
    Row("carry: monitor", run(carry=["spikes"]), ReadOnlyVariableError, "spikes.*advance"),
    Row(
        "carry: monitor's data",
        run(carry=["spikes.t"]),
        ReadOnlyVariableError,
        "spikes.*advance",
    ),
    Row("carry: clock", run(carry=["defaultclock.t"]), ReadOnlyVariableError, "clock"),
    Row("carry: part", lambda s, o: s.run(carry=[o.early.v]), OverrideError, r"exc\.v.*whole"),
    Row("carry: a name", run(carry="exc.v"), OverrideError, r"carry=\[\.\.\.\]"),
    Row("carry: a view", lambda s, o: s.run(carry=o.exc.v), OverrideError, r"carry=\[\.\.\.\]"),
    Row("carry: a number", run(carry=3), OverrideError, r"carry is a list.*3"),
    Row("record: unknown", run(record=["nothing"]), UnknownVariableError, "nothing", KeyError),
    Row("record: a name", run(record="spikes"), OverrideError, r"record=\[\.\.\.\]"),
    Row("record: None", run(record=None), OverrideError, r"record is a list.*None"),
    Row("record: a monitor", lambda s, o: s.run(record=o.spikes), OverrideError, "record is a"),
    Row("record: values", lambda s, o: s.run(record=[3 * mV]), UnknownVariableError, "Quantity"),
    Row("record: generator", run(record=["gen"]), OverrideError, "'gen' is not a single variable"),
    Row("read: unknown", lambda s, o: s.read("exc.nothing"), UnknownVariableError, "nothing"),
    Row("read: a monitor", lambda s, o: s.read("spikes"), OverrideError, "spikes.*single"),
    Row(
        "advance: record unknown",
        lambda s, o: s.advance(0.01, record=["nothing"]),
        UnknownVariableError,
        "nothing",
    ),
]

INPUTS = [
    Row("negative delay", given("spread.delay", -1e-3), OverrideError, "spread_pre.*negative"),
    Row("endless delay", given("fixed.delay", 1e9), OverrideError, r"fixed_pre\.delay.*steps"),
    Row("spikes: not a pair", given("gen", [1e-3]), ShapeMismatchError, r"gen.*\(indices, times\)"),
    Row("spikes: one array", given("gen", np.zeros((2, 4))), ShapeMismatchError, "gen.*pair"),
    Row("spikes: lengths", given("gen", ([0, 1], [1e-3])), ShapeMismatchError, "gen.*2.*1 times"),
    Row("spikes: index", given("gen", ([6], [1e-3])), OverrideError, r"gen.*\[0, 6\).*6"),
    Row("spikes: negative index", given("gen", ([-1], [1e-3])), OverrideError, r"gen.*-1"),
    Row("spikes: index fraction", given("gen", ([0.5], [1e-3])), DtypeMismatchError, "gen.indices"),
    Row("spikes: strings", given("gen", (["a"], [1e-3])), DtypeMismatchError, "gen.indices"),
    Row("spikes: negative time", given("gen", ([1], [-1e-3])), OverrideError, "gen.*negative"),
    Row("spikes: nan", given("gen", ([1], [np.nan])), NonFiniteValueError, "gen.times"),
    Row("spikes: inf", given("gen", ([1], [np.inf])), NonFiniteValueError, "gen.times"),
    Row("spikes: too late", given("gen", ([1], [1e9])), OverrideError, "gen.*2147483647"),
    Row(
        "spikes: two in a time step",
        given("gen", ([1, 1], [1.01e-3, 1.09e-3])),
        OverrideError,
        "Neuron 1 of 'gen'.*more than once",
    ),
    Row("spikes: period", given("beat", ([1], [4e-3])), OverrideError, r"beat.*period of 0\.004"),
    Row("rate: too high", noise("rate", 10_001 * Hz), OverrideError, r"\.rate.*10000 Hz.*10001"),
    Row("rate: negative", noise("rate", -1 * Hz), OverrideError, r"\.rate.*-1 Hz"),
    Row("rate: nan", noise("rate", np.nan), NonFiniteValueError, r"\.rate"),
    Row("rate: a string", noise("rate", "10*Hz"), DtypeMismatchError, r"\.rate"),
    Row("PoissonInput: N", noise("N", 3), UnknownVariableError, r"\.N", KeyError),
]

DURATIONS = [
    Row("negative duration", run(duration=-1 * ms), DurationError, "not negative.*-0.001"),
    Row("a bit more than a step", run(duration=0.01000001), DurationError, r"0\.01 s"),
    Row("fraction of a step", run(duration=0.00015), DurationError, r"0\.0001 s.*0\.0002 s"),
    Row("nan duration", run(duration=np.nan), DurationError, "finite.*nan"),
    Row("infinite duration", run(duration=np.inf), DurationError, "finite.*inf"),
    Row("string as duration", run(duration="10*ms"), DurationError, r"10\*ms"),
    Row("number in a string", run(duration="0.01"), DurationError, r"0\.01"),
    Row("boolean as duration", run(duration=True), DurationError, "True"),
    Row("complex duration", run(duration=0.01 + 1j), DurationError, "number of seconds"),
    Row("two durations", run(duration=[0.01, 0.02] * second), DurationError, "number of seconds"),
    Row("duration in a list", run(duration=[0.01]), DurationError, "number of seconds"),
    Row("duration too long to count", run(duration=1e300), DurationError, "time steps"),
    Row("advance backwards", advance(-1e-3), DurationError, "not negative"),
    Row("advance a fraction", advance(0.00015), DurationError, "multiple of the time step"),
    Row("advance a voltage", advance(3 * mV), UnitMismatchError, "duration.*second"),
    Row("seed: fraction", run(seed=1.5), SeedError, "1.5"),
    Row("seed: float", run(seed=1.0), SeedError, "1.0"),
    Row("seed: negative", run(seed=-1), SeedError, "-1"),
    Row("seed: too large", run(seed=2**32), SeedError, "4294967296"),
    Row("seed: boolean", run(seed=True), SeedError, "True"),
    Row("seed: string", run(seed="1"), SeedError, "'1'"),
    Row("seed: list", run(seed=[1]), SeedError, "1"),
    Row("redraw: nothing", lambda s, o: s.model.redraw(None), SeedError, "integer"),
    Row("redraw: fraction", lambda s, o: s.model.redraw(0.5), SeedError, "0.5"),
    Row("device: unknown", lambda s, o: s.model.session("tpu"), ConfigError, "tpu"),
    Row("device: negative", lambda s, o: s.model.session(-1), ConfigError, "-1"),
    Row("device: type", lambda s, o: s.model.session(1.5), ConfigError, "1.5"),
    Row("device: name", lambda s, o: s.model.session("cuda:x"), ConfigError, "cuda:x"),
]

TABLE = [*UNITS, *SHAPES, *TYPES, *KEYS, *ENTRIES, *INPUTS, *DURATIONS]


def foreign() -> NeuronGroup:
    return NeuronGroup(2, "v : 1", name="stranger")


@pytest.fixture(scope="module")
def script() -> models.Script:
    return models.built(models.everything)


@pytest.fixture(scope="module")
def expected(script: models.Script) -> list[dict[str, np.ndarray]]:
    """States of the good runs between the bad ones, without these."""
    states = []
    with script.model.session() as session:
        session.run(CARRIED, seed=1, duration=LENGTH)
        states.append(state(session))
        session.advance(0.0023)
        states.append(state(session))
        session.run(GOOD, carry=["stdp.w", "exc.tau"], duration=LENGTH)
        states.append(state(session))
    return states


CARRIED = {"stdp.w": np.linspace(0, 2, 100), "exc.tau": 0.009, "spread.delay": 5e-3}
GOOD = {"exc.level": 1e-3, "gen": ([1, 2], [1e-3, 2e-3])}
#: None for the script's own: emulated threads are slow, and these runs are many.
LENGTH = 0.003 if backend.EMULATED else None


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 40
    assert len({row.name for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_refused(script: models.Script, expected: list[Any], row: Row) -> None:
    o = script.activate().objects

    def refused(session: Session) -> None:
        before = state(session)
        with pytest.raises(row.error) as caught:
            row.do(session, o)
        # Words in the order of the pattern, over line ends too
        assert re.search(row.match, str(caught.value), re.DOTALL), str(caught.value)
        assert isinstance(caught.value, gpurun.GpurunError)
        assert isinstance(caught.value, row.also), type(caught.value).__mro__
        assert len(str(caught.value)) > 25
        # Neither a value nor the random stream was touched
        assert_same(state(session), before)

    with script.model.session() as session:
        refused(session)
        session.run(CARRIED, seed=1, duration=LENGTH)
        assert_same(state(session), expected[0])
        refused(session)
        session.advance(0.0023)
        assert_same(state(session), expected[1])
        refused(session)
        session.run(GOOD, carry=["stdp.w", "exc.tau"], duration=LENGTH)
        assert_same(state(session), expected[2])


@pytest.mark.parametrize("row", [*UNITS, *SHAPES, *TYPES, *INPUTS], ids=lambda row: row.name)
def test_good_overrides_beside_a_bad_one_are_not_written(
    script: models.Script, expected: list[Any], row: Row
) -> None:
    """Whatever their order: everything is checked before anything is written."""
    o = script.activate().objects
    stimulus = o.stim(1 * ms)

    class Together:
        """A session that puts good entries around the bad one."""

        def __init__(self, session: Session) -> None:
            self.session = session

        def __getattr__(self, name: str) -> Any:
            return getattr(self.session, name)

        def run(self, overrides: Any = None, **options: Any) -> Any:
            bad = list(overrides.items() if isinstance(overrides, dict) else overrides or [])
            # A name of its own, so that the good ones do not repeat the bad one
            taken = str([key for key, _ in bad if isinstance(key, str)])
            good = [
                (name, value)
                for name, value in [("slow.y", 3), ("direct_pre.delay", 4e-3), ("inp.rates", 1)]
                if name not in taken
            ]
            return self.session.run(
                [*good, *bad, ("sums.g", 0.1), ("multi.delay", 9e-3)],
                carry=["stdp.w"],
                record=["spikes"],
                **options,
            )

    with script.model.session() as session:
        session.run(CARRIED, seed=1, duration=LENGTH)
        with pytest.raises(row.error):
            row.do(Together(session), o)  # type: ignore[arg-type]
        assert o.stim(1 * ms) == stimulus
        session.advance(0.0023)
        assert_same(state(session), expected[1])


def test_a_device_that_the_model_is_not_built_for(script: models.Script) -> None:
    other = "cuda" if backend.BACKEND == "cpu" else "cpu"
    with pytest.raises(DeviceUnavailableError, match=f"'{other}' was asked for"):
        script.model.session(device=other)


# -- scripts that are of another kind --------------------------------------------------


@pytest.fixture(scope="module")
def two_runs() -> models.Script:
    return models.built(models.two_runs)


@pytest.mark.parametrize(
    ("do", "match"),
    [
        (lambda s: s.advance(0.01), "2 run.*advance"),
        (lambda s: s.advance(), "2 run.*advance"),
        (lambda s: s.run(duration=0.01), "2 run.*cannot"),
    ],
    ids=["advance", "advance by the script's duration", "duration"],
)
def test_several_runs_are_one(
    two_runs: models.Script, do: Callable[[Session], Any], match: str
) -> None:
    with two_runs.model.session() as session, two_runs.model.session() as other:
        with pytest.raises(DurationError, match=match):
            do(session)
        result = session.run(seed=2)
        assert result.t == pytest.approx(0.008)
        with pytest.raises(DurationError, match=match):
            do(session)
        other.run(seed=2)
        assert_same(state(session), state(other))


def test_no_model_without_the_device() -> None:
    b2.set_device("runtime")
    try:
        with pytest.raises(SessionError, match=r"set_device\('gpurun'"):
            gpurun.build()
    finally:
        b2.device.reinit()
        models.new_script()


def test_an_unknown_backend() -> None:
    with pytest.raises(ConfigError, match=r"'tpu'.*'cpu'"):
        models.new_script(backend="tpu")
    models.new_script()


def test_what_compiled_code_cannot_do() -> None:
    models.new_script()
    cells = NeuronGroup(2, "v : 1", name="cells")

    def look_at_it() -> None:
        """Never called."""

    with pytest.raises(NotSupportedError, match=r"'look_at_it'.*run_regularly"):
        b2.Network(cells, b2.NetworkOperation(look_at_it)).run(1 * ms)
    models.new_script()


def test_a_python_function_without_an_implementation() -> None:
    models.new_script()

    @b2.check_units(x=1, result=1)
    def mystery(x: Any) -> Any:
        return x

    cells = NeuronGroup(2, "dv/dt = mystery(v)/ms : 1", method="euler", name="cells",
                        namespace={"mystery": mystery})  # fmt: skip
    network = b2.Network(cells)
    with pytest.raises(Exception, match="mystery"):
        network.run(1 * ms)
    models.new_script()


def test_nothing_recorded() -> None:
    models.new_script()
    cells = NeuronGroup(2, "v : 1", name="cells")
    with pytest.raises(gpurun.GpurunError, match="run"):
        gpurun.build()
    del cells
    models.new_script()


def test_values_of_what_is_not_part_of_the_model(script: models.Script) -> None:
    script.activate()
    with script.model.session() as session:
        session.run()
        late = NeuronGroup(2, "v : 1", name="late")
        late.v = "i*2"
        with pytest.raises(NotImplementedError, match="'v' was made after the model"):
            late.v[:]


def test_weight_that_is_an_expression() -> None:
    models.new_script()
    cells = NeuronGroup(3, "v : 1\nw : 1", name="cells")
    drive = b2.PoissonInput(cells, "v", N=5, rate=100 * Hz, weight="w")
    seen = SpikeMonitor(b2.PoissonGroup(2, 10 * Hz, name="source"), name="seen")
    links = Synapses(seen.source, cells, on_pre="v_post += 1", name="links")
    links.connect()
    b2.Network(cells, drive, seen, seen.source, links).run(1 * ms)
    with gpurun.build().session() as session:
        with pytest.raises(ReadOnlyVariableError, match=r"weight.*string expression.*parameter"):
            session.run({f"{drive.name}.weight": 3})
        session.run({"cells.w": 3, f"{drive.name}.rate": 2000})
        assert set(np.unique(session.read("cells.v") % 1)) == {0}
