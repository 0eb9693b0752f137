"""Which image is presented when: the same, however the presentations are divided."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.errors import StimulusError
from gpurun.stimulus.order import Order

LABELS = np.array([2, 2, 0, 1, 0, 2, 2, 1, 2, 0])


def presented(order: Order, most: int = 7) -> list[tuple[int, int, int, int]]:
    """(number, place, epoch, image) of every presentation."""
    found = []
    for stretch in order.stretches(most):
        assert 1 <= len(stretch.indices) <= most
        found += [
            (stretch.first + k, stretch.place + k, stretch.epoch, int(image))
            for k, image in enumerate(stretch.indices)
        ]
    return found


@st.composite
def orders(draw: st.DrawFn) -> Order:
    count = draw(st.integers(1, 30))
    balance = draw(st.sampled_from([None, "fewest", "most"]))
    labels = np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    return Order(
        count,
        draw(st.integers(1, 3)),
        draw(st.none() | st.integers(0, 5)),
        balance,
        labels if balance else None,
        draw(st.integers(1, 3)),
    )


@given(orders(), st.integers(1, 40), st.integers(1, 40))
def test_batches_change_nothing(order: Order, one: int, other: int) -> None:
    assert presented(order, one) == presented(order, other)
    numbers = [number for number, *_ in presented(order, one)]
    assert numbers == list(range(order.total or 0))


@given(orders(), st.integers(1, 5), st.integers(1, 9))
def test_shards_are_parts_of_the_whole(order: Order, of: int, most: int) -> None:
    whole = {(n, e, i) for n, _, e, i in presented(order)}
    parts = [presented(order.shard(rank, of), most) for rank in range(of)]
    found = [(n, e, i) for part in parts for n, _, e, i in part]
    assert len(found) == len(whole) and set(found) == whole
    for rank, part in enumerate(parts):
        assert [place for _, place, *_ in part] == list(range(len(part)))
        assert order.shard(rank, of).total == len(part)
    # As even as can be
    epoch = [sum(e == 0 for *_, e, _ in part) for part in parts]
    assert max(epoch) - min(epoch) <= 1


@given(orders(), st.integers(0, 100), st.integers(1, 9))
def test_resumed_anywhere(order: Order, start: int, most: int) -> None:
    from dataclasses import replace

    resumed = replace(order, start=start)
    assert presented(resumed, most) == presented(order)[start:]
    assert resumed.total == len(presented(order)[start:])


@given(orders())
def test_every_image_as_often_as_said(order: Order) -> None:
    images = [image for *_, epoch, image in presented(order) if epoch == 0]
    counts = np.bincount(images, minlength=order.count)
    if order.balance is None:
        assert (counts == order.repeat).all()
        return
    assert order.labels is not None
    by_class = np.bincount(order.labels[images])
    sizes = np.bincount(order.labels)
    each = sizes[sizes > 0].min() if order.balance == "fewest" else sizes.max()
    assert (by_class[sizes > 0] == each * order.repeat).all()
    for label in np.flatnonzero(sizes):
        own = counts[order.labels == label]
        assert own.max() - own.min() <= order.repeat


def test_repetitions_are_in_a_row() -> None:
    images = [image for *_, image in presented(Order(5, shuffle=1, repeat=3))]
    assert images == [image for image in images[::3] for _ in range(3)]


def test_a_seed_gives_the_same_order_again_and_each_epoch_another() -> None:
    def epochs(seed: int | None) -> list[list[int]]:
        return [Order(50, 3, seed).images(epoch).tolist() for epoch in range(3)]

    assert epochs(4) == epochs(4)
    found = epochs(4) + epochs(5)
    assert len({tuple(order) for order in found}) == 6
    assert epochs(None) == [list(range(50))] * 3


def test_balancing_chooses_anew_in_each_epoch() -> None:
    order = Order(10, 40, 0, "fewest", LABELS)
    assert order.per_epoch == 6
    chosen = {image for *_, image in presented(order)}
    assert chosen == set(range(10))
    still = Order(10, 2, None, "fewest", LABELS)
    assert [image for *_, image in presented(still)] == [0, 1, 2, 3, 4, 7] * 2


def test_without_end() -> None:
    order = Order(4, None, 0)
    assert order.total is None
    stretches = list(islice(order.stretches(3), 10))
    assert [stretch.epoch for stretch in stretches] == [k // 2 for k in range(10)]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"count": 0}, "no images"),
        ({"epochs": 0}, "epochs is an integer from 1 on, not 0"),
        ({"epochs": 1.5}, "epochs"),
        ({"repeat": 0}, "repeat"),
        ({"repeat": True}, "repeat"),
        ({"shuffle": -1}, "shuffle"),
        ({"start": -1}, "start"),
        ({"rank": 2, "of": 2}, "2 shards, numbered from 0; there is no number 2"),
        ({"balance": "even", "labels": LABELS}, "'fewest', 'most' or None, not 'even'"),
        ({"balance": "most"}, "without labels"),
        ({"balance": "most", "labels": LABELS[:3]}, "10 images and 3 labels"),
    ],
)
def test_what_is_refused(options: dict, match: str) -> None:
    with pytest.raises(StimulusError, match=match):
        Order(**{"count": 10, **options})
