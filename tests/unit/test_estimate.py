"""`Model.memory` by hand: sizes of small models, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun import estimate, estimate_card, estimate_host, model
from gpurun.errors import (
    DurationError,
    OverrideError,
    SessionError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.estimate_types import Correction, Parts
from gpurun.model import CardInfo, Code, Data, Manifest, Model, PathwayInfo
from tests.unit.manifests import SECOND, Quantity, manifest, variable

HERTZ = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
CELLS, SYNAPSES, LIBRARY = 1000, 4000, 12345
FEED = PathwayInfo(
    source="cells[100:600]",
    sources="feed._synaptic_pre",
    delay="feed_pre.delay",
    first=100,
    size=500,
    dt=1e-4,
    tracked=False,
)
EVENTS: dict[str, Any] = {"kind": "dynamic", "shape": (0,), "role": "monitor", "resizes": True}


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of known size, where one would be compiled."""
    path = tmp_path / "model.so"
    path.write_bytes(bytes(LIBRARY))
    monkeypatch.setattr(model, "_ensure_library", lambda _: path)


def small(card: CardInfo | None = None, **changes: Any) -> Model:
    """Cells, synapses from 500 of them (8 each, delays of 0 to 3 steps), and monitors."""
    synaptic: dict[str, Any] = {"kind": "dynamic", "shape": (0,)}
    variables = (
        variable("cells.v", shape=(CELLS,)),
        variable("cells.rest", shape=(CELLS,), changes=False),
        variable("cells.same", shape=(CELLS,), dtype="int32"),
        variable("cells._spikespace", shape=(CELLS + 1,), dtype="int32", role="internal"),
        variable("feed.w", **synaptic),
        variable("feed._synaptic_pre", dtype="int32", changes=False, role="internal", **synaptic),
        variable("feed_pre.delay", changes=False, role="delay", dimensions=SECOND, **synaptic),
        variable("seen.count", shape=(CELLS,), dtype="int32", role="monitor"),
        variable("seen.i", dtype="int32", **EVENTS),
        variable("seen.t", **EVENTS),
        variable("trace.t", **EVENTS),
        variable("trace.v", **{**EVENTS, "kind": "dynamic2d", "shape": (0, 10)}),
        variable("defaultclock.t", shape=(1,), role="clock"),
        variable("stim.values", kind="static", shape=(30, 20), changes=False),
    )
    facts: dict[str, Any] = {
        "backend": "cpu" if card is None else "cuda",
        "variables": variables,
        "aliases": {},
        "monitors": {"seen": ("seen.i", "seen.t", "seen.count"), "trace": ("trace.t", "trace.v")},
        "monitor_clocks": {"trace": "defaultclock"},
        "monitor_sources": {"seen": "cells", "trace": "cells"},
        "spike_generators": {},
        "poisson_inputs": {},
        "timed_arrays": {},
        "pathways": ("feed_pre",),
        "pathway_info": {"feed_pre": FEED},
        "card": card,
    }
    pre = np.repeat(np.arange(100, 600), 8).astype(np.int32)
    frozen = {
        "cells.v": np.arange(CELLS, dtype=float),
        "cells.rest": np.arange(CELLS, dtype=float),
        "cells.same": np.full(CELLS, 3, np.int32),
        "cells._spikespace": np.zeros(CELLS + 1, np.int32),
        "feed.w": np.linspace(0, 1, SYNAPSES),
        "feed._synaptic_pre": pre,
        "feed_pre.delay": np.arange(SYNAPSES) % 4 * 1e-4,
        "seen.count": np.zeros(CELLS, np.int32),
        "seen.i": np.zeros(0, np.int32),
        "seen.t": np.zeros(0),
        "trace.t": np.zeros(0),
        "trace.v": np.zeros((0, 0)),
        "defaultclock.t": np.zeros(1),
    }
    static = {"_array_stim_values": np.zeros((30, 20))}
    code = Code({}, (), (), (), ())
    return Model(manifest(**{**facts, **changes}), code, Data(static, frozen), "key")


CARD = CardInfo(
    mirrored=("cells.v", "cells.same", "cells._spikespace", "feed.w", "seen.count", "seen.i",
              "seen.t", "trace.t", "trace.v", "defaultclock.t"),
    events=(CELLS,),
    sums=("feed._synaptic_pre",),
)  # fmt: skip


def near(size: int) -> Any:
    """Equal to `size` but for what the C library adds to each array."""
    return pytest.approx(size, abs=20 * 16)


# -- parts by hand ---------------------------------------------------------------------


def test_arrays_and_copies_on_the_cpu() -> None:
    host = small().memory(0).host
    # v and rest, three times int32, the clock, and the values of the TimedArray
    assert host.arrays == near(2 * 8 * CELLS + 3 * 4 * CELLS + 8 + 8 * 600)
    assert host.synapses == near(SYNAPSES * (8 + 4 + 8))
    # v and w in full; what is the same everywhere is one element
    assert host.baseline == near(8 * CELLS + 8 * SYNAPSES)
    assert host.code == LIBRARY
    assert (host.monitors, host.snapshots, host.staging, host.context) == (0, 0, 0, 0)
    # std::mt19937 in GNU's library, a double and a bool
    assert host.random == 5016
    assert small(threads=3).memory(0).host.random == 3 * 5016


def test_a_queue_on_the_cpu() -> None:
    # Delays in steps; for each source a vector with 8 synapses; the slots; who has spiked
    vectors = 500 * (24 + 48)
    assert small().memory(0).host.queues == near(4 * SYNAPSES + vectors + 4 * 24 + 500)


def test_threads_share_the_synapses_of_a_queue() -> None:
    one, two = (small(threads=n).memory(0).host.queues for n in (1, 2))
    assert two - one == near(500 * 24 + 4 * 24)


def test_one_delay_for_all_is_one_number() -> None:
    frozen = {**small().data.frozen, "feed_pre.delay": np.full(1, 2e-4)}
    single = replace(small(), data=replace(small().data, frozen=frozen))
    saved = small().memory(0).host.queues - single.memory(0).host.queues
    assert saved == near(4 * (SYNAPSES - 1) + 24)


def test_recorded_on_the_cpu() -> None:
    host = small().memory(0.1, rates=20).host
    # 20 Hz * 1,000 cells * 0.1 s of 12 bytes. Room for 1,023 rows of 10, and 1,000 times
    assert host.monitors == pytest.approx(2000 * 12 + 8 * 1023 * 10 + 8 * 1000, rel=0.05)
    # At the end of a run the list of events is kept, too
    assert host.baseline - small().memory(0).host.baseline == near(4 * (CELLS + 1))


def test_a_snapshot_holds_everything_that_changes() -> None:
    host = small().memory(0.1, 3, rates=20).host
    changes = 8 * CELLS + 4 * CELLS + 2 * 4 * (CELLS + 1) + 4 * CELLS + 8 * SYNAPSES + 8
    waiting = 4 * (24 + 32)
    recorded = 2000 * 12 + 1000 * (8 + 80)
    one = changes + waiting + recorded + 5016
    assert host.snapshots == pytest.approx(3 * one, rel=0.01)


def test_the_card() -> None:
    found = small(CARD).memory(0)
    card = found.card
    assert card.arrays == sum(map(estimate_card.block, (8000, 4000, 4004, 4000, 8)))
    # The weights, and for the sums the synapses of each target
    assert card.synapses == estimate_card.block(8 * SYNAPSES) + estimate_card.block(4 * SYNAPSES)
    # Copies are full on a card; the clock's is on the host
    assert card.baseline == sum(map(estimate_card.block, (8000, 4000, 4004, 4000, 8 * SYNAPSES)))
    assert found.host.baseline == estimate_host.block(8)
    # Each source has each delay: 2,000 bundles
    int32s = (501, 2000, 2001, SYNAPSES, 4, 4 * 501, 2)
    assert card.queues == sum(estimate_card.block(4 * n) for n in int32s)
    assert found.host.queues == 0
    assert found.host.staging == near(8 * SYNAPSES)
    assert card.random == 0
    assert card.context == estimate_card.CONTEXT
    assert found.expected == card.per_session == card.total - card.context
    assert found.total == card.total + found.host.total


def test_recorded_on_a_card() -> None:
    found = small(CARD).memory(0.1, rates=20)
    # Room for 64 events of each cell; rows are doubled from 64
    sizes = (64 * 1000 * 4, 64 * 1000 * 8, 1024 * 8, 1024 * 80)
    assert found.card.monitors == sum(sizes)
    # As read
    assert found.host.monitors == 2000 * 12 + 1000 * 88
    # Parts of four blocks and their counts
    assert found.card.arrays - small(CARD).memory(0).card.arrays == 4 * 256 * 4 + 512


@pytest.mark.parametrize(
    ("events", "neurons", "expected"),
    [(0, 1000, 64_000), (63_000, 1000, 64_000), (63_001, 1000, 127_000), (126_001, 1000, 252_000),
     (0, 10**6, 2**22), (5, 10**7, 10**7 + 5), (0, 0, 0)],
)  # fmt: skip
def test_room_for_events_on_a_card(events: int, neurons: int, expected: int) -> None:
    assert estimate_card.room(events, neurons) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (1, 32), (24, 32), (25, 48), (8000, 8016), (2**20, 2**20 + 4096)]
)
def test_blocks_of_the_c_library(size: int, expected: int) -> None:
    assert estimate_host.block(size) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 0), (0.2, 32), (8, 48), (9, 80), (1024, 4112), (1025, 8208)]
)
def test_vectors_grow_by_doubling(count: float, expected: int) -> None:
    assert estimate_host.pushed(count, 4) == expected


def test_what_a_reset_remembers_of_scattered_synapses() -> None:
    """Only where they do not lie side by side, and as far as neurons spike."""
    tracked = {"feed_pre": replace(FEED, tracked=True)}
    assert small(pathway_info=tracked).memory(10) == small().memory(10)
    rolled = np.roll(small().data.frozen["feed._synaptic_pre"], 3)
    rng = np.random.default_rng(0)
    rng.shuffle(rolled)
    data = replace(small().data, frozen={**small().data.frozen, "feed._synaptic_pre": rolled})
    sizes = [
        replace(small(pathway_info=info), data=data).memory(10, rates=5).host.baseline
        for info in (tracked, {"feed_pre": FEED})
    ]
    assert sizes[0] - sizes[1] == pytest.approx(8 * SYNAPSES, rel=0.05)


# -- events ----------------------------------------------------------------------------


def test_events_are_assumed() -> None:
    assert small().memory(2).events == {"seen": estimate.ASSUMED_RATE * CELLS * 2}
    assert small().memory(2, rates=3).events == {"seen": 3 * CELLS * 2}
    by_group = {"cells": Quantity(7.0, HERTZ)}
    assert small().memory(2, rates=by_group).events == {"seen": 7 * CELLS * 2}
    assert small().memory(2, rates={"seen": 1, "cells": 9}).events == {"seen": CELLS * 2}


@pytest.mark.parametrize(("period", "expected"), [(0.0, 2), (0.5, 8)])
def test_a_generator_knows_its_spikes(period: float, expected: int) -> None:
    generators = {"cells": model.SpikeGeneratorInfo(CELLS, 1e-4, period)}
    one = small(spike_generators=generators)
    times = np.array([0.1, 0.2, 1.5, 2.0]) if period == 0 else np.array([0.1, 0.2, 0.3, 0.4])
    spikes = {"cells.neuron_index": np.arange(4), "cells.spike_time": times}
    one = replace(one, data=replace(one.data, frozen={**one.data.frozen, **spikes}))
    assert one.memory(1).events == {"seen": expected}
    assert one.memory(1, rates={"seen": 1}).events == {"seen": CELLS}


# -- all of them -----------------------------------------------------------------------


@hypothesis.given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 3),
    st.floats(0, 500),
    st.booleans(),
)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_more_needs_no_less(
    one: int, other: int, snapshots: int, rate: float, on_card: bool
) -> None:
    longer, shorter = max(one, other) * 1e-4, min(one, other) * 1e-4
    model = small(CARD if on_card else None)
    more = model.memory(longer, snapshots + 1, rates=rate)
    less = model.memory(shorter, snapshots, rates=rate)
    for name in ("host", "card"):
        bigger, smaller = getattr(more, name), getattr(less, name)
        for part in Parts.__dataclass_fields__:
            assert getattr(bigger, part) >= getattr(smaller, part) >= 0, part
    assert more.host.snapshots > less.host.snapshots


@pytest.mark.parametrize("card", [None, CARD], ids=["cpu", "cuda"])
def test_parts_add_up(card: CardInfo | None) -> None:
    found = small(card).memory(1, 1)
    for side in (found.host, found.card):
        assert side.total == sum(getattr(side, name) for name in Parts.__dataclass_fields__)
    assert found.total == found.host.total + found.card.total
    assert found.model == sum(a.nbytes for a in small().data.frozen.values()) + 8 * 600


def test_a_model_without_anything() -> None:
    empty = manifest(
        variables=(), monitors={}, aliases={}, timed_arrays={}, spike_generators={},
        poisson_inputs={},
    )  # fmt: skip
    found = Model(empty, Code({}, (), (), (), ()), Data({}), "key").memory()
    assert found.total == LIBRARY + 5016
    assert found.duration == empty.duration


# -- as text, and corrected ------------------------------------------------------------


def test_a_table() -> None:
    text = str(small(CARD).memory(1, 2))
    assert text.splitlines()[0].split() == ["host", "card"]
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:-1]}
    assert rows["context"] == ["0", "B", "450.00", "MiB"]
    assert "random" in rows
    assert list(rows)[-1] == "total"
    assert text.endswith("for 1 s of model time, 2 snapshots")
    on_cpu = str(small().memory(1))
    assert "card" not in on_cpu
    assert "staging" not in on_cpu


def test_a_correction() -> None:
    found = small().memory(1)
    correction = found.corrected(int(found.expected * 1.25))
    assert isinstance(correction, Correction)
    assert correction.estimate is found
    assert correction.ratio == pytest.approx(1.25, rel=1e-4)
    assert str(correction).endswith("(ratio 1.250)")
    # CUDA's context is no session's
    on_card = small(CARD).memory(1)
    assert on_card.corrected(on_card.card.per_session).ratio == 1


# -- bad input -------------------------------------------------------------------------


def test_durations_as_those_of_a_run() -> None:
    with pytest.raises(DurationError, match="not negative"):
        small().memory(-1)
    with pytest.raises(UnitMismatchError, match="duration"):
        small().memory(Quantity(1.0, HERTZ))
    assert small().memory(Quantity(1.0, SECOND)).duration == 1
    assert small(durations=(0.1, 0.2)).memory().duration == pytest.approx(0.3)
    with pytest.raises(DurationError, match="2 run"):
        small(durations=(0.1, 0.2)).memory(1)


def test_bad_rates() -> None:
    with pytest.raises(UnknownVariableError, match="cells, cells"):
        small().memory(rates={"others": 1})
    with pytest.raises(OverrideError, match="negative"):
        small().memory(rates=-1)
    with pytest.raises(UnitMismatchError, match="cells"):
        small().memory(rates={"cells": Quantity(1.0, SECOND)})


@pytest.mark.parametrize("snapshots", [-1, 1.5, "two"])
def test_bad_snapshots(snapshots: Any) -> None:
    with pytest.raises(SessionError, match="snapshots"):
        small().memory(snapshots=snapshots)


def test_the_manifest_keeps_it_as_text() -> None:
    one = small(CARD).manifest
    assert Manifest.from_json(one.to_json()) == one
    assert Manifest.from_json(small().manifest.to_json()).card is None
