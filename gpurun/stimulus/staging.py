"""Prepares the next batch of stimuli while the present one is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.batch import StimulusBatch
from gpurun.stimulus.order import Order
from gpurun.stimulus.place import Place
from gpurun.stimulus.protocols import Source

#: Larger batches make nothing faster, and the first one is waited for.
_MOST = 2048
#: Encoders need memory for what they work out on the way.
_TEMPORARIES = 3


@dataclass(frozen=True)
class _Loaded:
    """Images of one batch as the source gave them."""

    images: Any
    labels: np.ndarray | None
    indices: np.ndarray
    first: int
    place: int
    epoch: int


class BatchIterator:
    """Batches of a stream. Made by `StimulusStream.batches`.

    On a card, memory of a batch that is dropped goes to later ones. What else reads it with CuPy
    is waited for if it was started before the next batch was asked for.

    Attributes
    ----------
    device : str
        Where the batches are.
    waited : float
        Seconds that the consumer has waited for batches, the first one included.
    waited_first : float
        Seconds of these for the first batch, which nothing hides.
    """

    def __init__(
        self,
        source: Source,
        encode: Callable[..., Any] | None,
        order: Order,
        batch: int | str,
        device: str | int,
    ) -> None:
        self._source, self._encode, self._order = source, encode, order
        self._place = Place.choose(device)
        self.device = self._place.name
        self._size = 0 if batch == "auto" else int(batch)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="gpurun-stimuli")
        self._loaded: Iterator[_Loaded] | None = None
        self._next: Future[StimulusBatch | None] | None = None
        self._over = False
        self.waited = 0.0
        self.waited_first = 0.0

    # -- the consumer -----------------------------------------------------------

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> StimulusBatch:
        if self._over:
            raise StopIteration
        began = time.perf_counter()
        first = self._next is None
        if self._next is None:
            self._next = self._worker.submit(self._prepare)
        try:
            batch = self._next.result()
        except BaseException:
            self.close()
            raise
        if batch is None:
            self.close()
            raise StopIteration
        self._place.release()
        self._next = self._worker.submit(self._prepare)
        took = time.perf_counter() - began
        self.waited += took
        if first:
            self.waited_first = took
        return batch

    def close(self) -> None:
        """Stop preparing; there are no more batches."""
        self._over = True
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._next = None

    def __del__(self) -> None:
        worker = getattr(self, "_worker", None)
        if worker is not None:
            # At most one batch is under way
            worker.shutdown(wait=False, cancel_futures=True)

    # -- in the worker's thread -------------------------------------------------

    def _prepare(self) -> StimulusBatch | None:
        with self._place.begin():
            if self._loaded is None:
                read = self._to_the_end if self._source.sequential else self._in_any_order
                self._loaded = read()
            loaded = next(self._loaded, None)
            if loaded is None:
                return None
            values = self._encoded(loaded.images, loaded.first)
            if not self._size:
                self._size = self._fitting(loaded.images, values)
            return StimulusBatch(
                values,
                loaded.labels,
                loaded.indices,
                loaded.first,
                loaded.place,
                loaded.epoch,
                getattr(self._encode, "unit", None),
            )

    def _encoded(self, images: Any, first: int) -> Any:
        staged = self._place.stage(images)
        if self._encode is None:
            values = staged
        elif hasattr(self._encode, "random"):
            values = self._encode(staged, first=first)
        else:
            values = self._encode(staged)
        count = len(values) if hasattr(values, "__len__") else None
        if count != len(images):
            raise StimulusError(
                f"{len(images)} images were to be encoded, and encode gave "
                f"{'no array' if count is None else count}. It gets a batch, shape (n, ...), and "
                "gives as many stimuli along the first axis.",
                name="encode",
            )
        return values if hasattr(values, "offsets") else self._place.hold(values)

    def _fitting(self, images: Any, values: Any) -> int:
        """How many stimuli a batch may have, going by a few of them."""
        each = (images.nbytes + (1 + _TEMPORARIES) * values.nbytes) / len(images)
        return max(1, min(_MOST, int(self._place.budget() / 2 / max(each, 1))))

    # -- reading ----------------------------------------------------------------

    def _in_any_order(self) -> Iterator[_Loaded]:
        if not self._size:
            index = np.zeros(1, np.int64)
            images, _ = self._source.read(index)
            self._size = self._fitting(images, self._encoded(images, 0))
        for stretch in self._order.stretches(self._size):
            images, labels = self._source.read(stretch.indices)
            yield _Loaded(
                images, labels, stretch.indices, stretch.first, stretch.place, stretch.epoch
            )

    def _to_the_end(self) -> Iterator[_Loaded]:
        """An epoch ends where the images do."""
        order, place, epoch = self._order, 0, 0
        while order.epochs is None or epoch < order.epochs:
            read = 0
            while True:
                before = order.start - place
                # What is left out is not kept, and nothing is known of its size yet
                size = min(before, _MOST) if before > 0 else self._size
                wanted = max(1, size // order.repeat)
                if self._source.count is not None:
                    wanted = min(wanted, self._source.count - read)
                    if not wanted:
                        break
                images, labels = self._source.read(np.arange(read, read + wanted))
                count = len(images)
                own = np.repeat(np.arange(count), order.repeat)
                # What was presented before the stream was resumed
                own = own[max(0, order.start - place) :]
                whole = order.repeat == 1 and len(own) == count
                if len(own):
                    yield _Loaded(
                        images if whole else images[own],
                        labels if whole or labels is None else labels[own],
                        read + own,
                        place + count * order.repeat - len(own),
                        place + count * order.repeat - len(own),
                        epoch,
                    )
                read += count
                place += count * order.repeat
                if count < wanted:
                    break
            if not read:
                return
            epoch += 1
