"""A stream says the same however it is divided, and keeps a fixed amount of memory."""

from __future__ import annotations

import pickle
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpurun.errors import DatasetError, StimulusError, UnitMismatchError
from gpurun.stimulus.batch import Stimulus, StimulusBatch
from gpurun.stimulus.stream import StimulusStream

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 3, 4), dtype=np.uint8)
LABELS = np.arange(23) % 5


def flat(images: Any) -> Any:
    return images.reshape(len(images), -1) / 255.0


@dataclass(frozen=True)
class Numbered:
    """An encoder whose "random numbers" are the numbers of the presentations."""

    random: ClassVar[bool] = True
    unit: ClassVar[str | None] = "Hz"

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        numbers = first + np.arange(len(images), dtype=float)
        return flat(images) + 1000 * numbers[:, None]


def told(stimuli: Any) -> list[tuple[Any, ...]]:
    return [
        (s.number, s.place, s.epoch, s.index, s.label, s.unit, s.value.tolist()) for s in stimuli
    ]


def stream(**options: Any) -> StimulusStream:
    return StimulusStream((IMAGES, LABELS), **{"encode": Numbered(), "device": "cpu", **options})


def test_stimuli_of_arrays() -> None:
    shown = list(stream(encode=flat))
    assert len(shown) == len(stream()) == 23
    for number, stimulus in enumerate(shown):
        assert isinstance(stimulus, Stimulus)
        assert (stimulus.index, stimulus.number, stimulus.place) == (number,) * 3
        assert stimulus.label == LABELS[number] and isinstance(stimulus.label, int)
        assert np.array_equal(stimulus.value, IMAGES[number].reshape(-1) / 255)
        assert stimulus.value.flags.c_contiguous


def test_images_as_they_are_are_not_copied() -> None:
    (batch,) = stream(encode=None).batches()
    assert batch.values.dtype == np.uint8
    assert np.shares_memory(batch.values, IMAGES)


@settings(max_examples=30)
@given(
    batch=st.sampled_from([1, 2, 5, 22, 23, 24, 1000, "auto"]),
    epochs=st.integers(1, 3),
    shuffle=st.none() | st.integers(0, 3),
    repeat=st.integers(1, 3),
    balance=st.sampled_from([None, "fewest", "most"]),
    start=st.integers(0, 80),
    of=st.integers(1, 4),
)
def test_divided_in_any_way(batch, epochs, shuffle, repeat, balance, start, of) -> None:
    options = {"epochs": epochs, "shuffle": shuffle, "repeat": repeat, "balance": balance}
    whole = told(stream(batch=7, **options))
    divided = stream(batch=batch, **options)
    assert told(divided) == whole
    assert told(divided) == whole  # it can be iterated again
    assert told(divided.starting_at(start)) == whole[start:]
    parts = [told(divided.shard(rank, of)) for rank in range(of)]
    without_place = [(n, *rest) for n, _, *rest in whole]
    assert sorted((n, *rest) for part in parts for n, _, *rest in part) == sorted(without_place)
    assert len(divided) == len(whole)
    for part in divided.batches():
        assert batch == "auto" or len(part) <= batch
        assert part.nbytes == part.values.nbytes


def pairs(count: int) -> Iterator[tuple[np.ndarray, int]]:
    yield from zip(IMAGES[:count], LABELS[:count].tolist(), strict=True)


@settings(max_examples=30)
@given(
    count=st.integers(1, 23),
    batch=st.sampled_from([1, 2, 5, 23, 100, "auto"]),
    epochs=st.integers(1, 3),
    repeat=st.integers(1, 3),
    start=st.integers(0, 80),
)
def test_read_to_the_end_equals_read_in_any_order(count, batch, epochs, repeat, start) -> None:
    options = {"encode": Numbered(), "epochs": epochs, "repeat": repeat, "device": "cpu"}
    known = StimulusStream((IMAGES[:count], LABELS[:count]), batch=4, **options)
    read = StimulusStream(lambda: pairs(count), batch=batch, **options)
    assert read.total is None
    with pytest.raises(TypeError, match="not known"):
        len(read)
    assert told(read) == told(known)
    assert told(read.starting_at(start)) == told(known)[start:]


def test_a_source_that_is_read_to_the_end_and_knows_where_it_is() -> None:
    class Loader:
        """As a loader of another library: a length, but no items."""

        def __len__(self) -> int:
            return 10

        def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
            return pairs(10)

    for batch in (1, 2, 3, 5, 10, 64, "auto"):
        for repeat in (1, 2):
            options = {"encode": Numbered(), "epochs": 2, "repeat": repeat, "device": "cpu"}
            shown = StimulusStream(Loader(), batch=batch, **options)
            assert len(shown) == 20 * repeat
            assert told(shown) == told(StimulusStream((IMAGES[:10], LABELS[:10]), **options))


def test_lists_of_spikes() -> None:
    from gpurun.stimulus import Compose, Latency, ToSpikeLists

    encode = Compose(Latency(0.01, linear=True), ToSpikeLists(1e-3))
    (batch,) = stream(encode=encode).batches()
    assert batch.nbytes > 0
    alone = encode(IMAGES)
    for number, one in enumerate(batch):
        assert all(map(np.array_equal, one.value, alone[number]))


def test_only_a_whole_stream_is_divided() -> None:
    for part in (stream().shard(0, 2), stream().starting_at(3)):
        with pytest.raises(StimulusError, match="Only a whole stream"):
            part.shard(0, 2)


def test_replaced_arguments_count() -> None:
    from dataclasses import replace

    assert len(replace(stream().shard(1, 2), epochs=4)) == 4 * 12
    assert stream(shuffle=np.int64(3)).digest == stream(shuffle=3).digest


def test_what_is_read_once_only() -> None:
    once = StimulusStream(pairs(5), epochs=2, device="cpu")
    with pytest.raises(DatasetError):
        list(once)  # the second epoch
    assert [s.label for s in StimulusStream(pairs(5), device="cpu")] == LABELS[:5].tolist()


def test_without_end() -> None:
    shown = list(islice(stream(epochs=None, shuffle=1), 100))
    assert [s.number for s in shown] == list(range(100))
    assert sorted(s.index for s in shown[:23]) == list(range(23))
    assert stream(epochs=None).total is None


@pytest.mark.parametrize("option", [{"shuffle": 1}, {"balance": "most"}])
def test_a_source_without_order(option: dict) -> None:
    with pytest.raises(StimulusError, match=f"{next(iter(option))} needs images .* any order"):
        StimulusStream(lambda: pairs(5), **option)
    with pytest.raises(StimulusError, match="has no shard"):
        StimulusStream(lambda: pairs(5)).shard(0, 2)


def test_prepared_while_the_present_batch_is_used() -> None:
    encoded: list[int] = []
    go_on = threading.Event()

    def encode(images: np.ndarray) -> np.ndarray:
        encoded.append(len(images))
        if len(encoded) == 2:
            go_on.set()
        return flat(images)

    batches = stream(encode=encode, batch=5).batches()
    next(batches)
    # The next one comes without being asked for, and no further one
    assert go_on.wait(60)
    next(batches)
    batches.close()
    assert len(encoded) <= 3
    assert batches.waited >= batches.waited_first > 0
    assert list(batches) == []


def test_an_error_comes_with_its_batch() -> None:
    def encode(images: np.ndarray) -> np.ndarray:
        if (images == IMAGES[12]).all(axis=(1, 2)).any():
            raise ZeroDivisionError("this one")
        return flat(images)

    seen = []
    stimuli = iter(stream(encode=encode, batch=5))
    with pytest.raises(ZeroDivisionError, match="this one"):
        seen.extend(stimulus.index for stimulus in stimuli)
    assert seen == list(range(10))


def test_memory_does_not_grow_with_the_data() -> None:
    def images() -> Iterator[np.ndarray]:
        for number in range(4000):
            yield np.full((32, 32), number % 251, np.uint8)

    peaks = []
    for count in (400, 4000):
        tracemalloc.start()
        shown = StimulusStream(
            lambda count=count: islice(images(), count), flat, batch=50, device="cpu"
        )
        assert sum(1 for _ in shown) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_batch_size_from_memory() -> None:
    class Large:
        unit = None

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return np.broadcast_to(np.zeros(()), (len(images), 2**17)).copy()

    sizes = [len(batch) for batch in stream(encode=Large()).batches()]
    # 64 MiB for the batch and what encoders need: 16 of 1 MiB, four times
    assert sizes == [15, 8]


@pytest.mark.parametrize("made", [lambda x: x[:1], lambda x: 5, lambda x: np.zeros((0, 2))])
def test_an_encoder_has_to_give_as_many(made: Any) -> None:
    with pytest.raises(StimulusError, match=r"23 images were to be encoded.*shape \(n, ...\)"):
        list(stream(encode=made, batch=30))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch": 0}, "number of stimuli or 'auto', not 0"),
        ({"batch": True}, "batch"),
        ({"batch": "all"}, "not 'all'"),
        ({"encode": 3}, "an encoder or a function of images, not int"),
        ({"epochs": 0}, "epochs"),
        ({"balance": "some"}, "balance"),
    ],
)
def test_what_is_refused(options: dict, match: str) -> None:
    with pytest.raises(StimulusError, match=match):
        stream(**options)


def test_digest_tells_orders_and_encoders_apart() -> None:
    digests = [
        stream().digest,
        stream(encode=flat).digest,
        stream(shuffle=1).digest,
        stream(shuffle=2).digest,
        stream(repeat=2).digest,
        stream(balance="most").digest,
        stream().shard(0, 2).digest,
        StimulusStream(IMAGES[:5], Numbered()).digest,
    ]
    assert len(set(digests)) == len(digests)
    # These may be other ones when a run is resumed
    assert {stream(epochs=9, batch=3).digest, stream().starting_at(4).digest} == {digests[0]}


def test_pickled() -> None:
    assert told(pickle.loads(pickle.dumps(stream(shuffle=1)))) == told(stream(shuffle=1))


# -- batches of the user's own -------------------------------------------------------------------


def test_a_batch_of_arrays() -> None:
    batch = StimulusBatch.of(flat(IMAGES), LABELS, device="cpu", unit="Hz")
    assert len(batch) == 23 and batch.nbytes == 23 * 12 * 8
    assert told(batch) == told(list(batch))
    assert batch[-1].index == 22 and batch[-1].label == LABELS[-1] and batch[-1].unit == "Hz"
    assert np.shares_memory(batch[3].value, batch.values)
    for number in (23, -24):
        with pytest.raises(IndexError, match="23 stimuli"):
            batch[number]
    with pytest.raises(StimulusError, match="at least one"):
        StimulusBatch.of(np.empty((0, 3)), device="cpu")
    from brian2.units import Hz, mV

    for values, unit, error in (
        (flat(IMAGES) * Hz, None, StimulusError),
        (flat(IMAGES) * mV, "Hz", UnitMismatchError),
        (flat(IMAGES), "kHz", StimulusError),
        (3.0, None, StimulusError),
    ):
        with pytest.raises(error):
            StimulusBatch.of(values, device="cpu", unit=unit)
    assert StimulusBatch.of(flat(IMAGES) * Hz, device="cpu", unit="Hz")[0].unit == "Hz"
    with pytest.raises(StimulusError, match=r"23 stimuli, but labels of shape \(2,\)"):
        StimulusBatch.of(flat(IMAGES), [1, 2], device="cpu")
