"""A data set as a stream of stimuli, prepared while the ones before are presented."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.batch import Stimulus
from gpurun.stimulus.order import Order
from gpurun.stimulus.place import Place
from gpurun.stimulus.protocols import Source
from gpurun.stimulus.sources import source as make_source
from gpurun.stimulus.staging import BatchIterator

#: Stands for the number of images of a source that does not know it.
_UNKNOWN = 2**62


@dataclass(frozen=True, eq=False)
class StimulusStream:
    """Stimuli of a data set, one after the other.

    Iterating gives a `Stimulus` for each presentation; `batches` gives them as they are
    prepared. The next batch is read, copied and encoded in a thread (on a card: in a CUDA
    stream of its own, from page-locked memory) while the present one is used, so that a data
    set of any size streams through a fixed amount of memory. A stream can be iterated again,
    and says the same again.

    Parameters
    ----------
    source : Source or anything that `gpurun.stimulus.source` takes
        Images, perhaps with labels.
    encode : callable, optional
        An encoder or a `Compose` of several; or any function of images, shape (n, ...), that
        gives as many stimuli. Left out: images as they are.
    batch : int or "auto", optional
        Stimuli that are prepared at once. ``"auto"`` takes as many as the memory that is free
        on the card allows, within reason.
    epochs : int or None, optional
        How often the data set is gone through; None: without end.
    shuffle : int, optional
        Seed of the order, which is another one in each epoch.
    balance : {"fewest", "most"}, optional
        As many stimuli of every class in each epoch, see `Order`.
    repeat : int, optional
        How often each image is presented in a row, with random numbers of its own.
    device : str or int, optional
        Where stimuli are prepared: ``"cpu"``, ``"cuda:1"``; ``"auto"``: for a session on
        its device, else what ``gpurun --device`` says, else a card if CuPy can use one.
    order : Order, optional
        Made from the other arguments; of one that is given, only the shard and the start count.
        `shard` and `starting_at` give such streams.

    Raises
    ------
    StimulusError
        An argument is not usable, or does not go with a source that can only be read from
        beginning to end.
    DatasetError
        The data cannot be read.
    """

    source: Any
    encode: Callable[..., Any] | None = None
    batch: int | str = "auto"
    epochs: int | None = 1
    shuffle: int | None = None
    balance: str | None = None
    repeat: int = 1
    device: str | int = "auto"
    order: Order | None = None

    def __post_init__(self) -> None:
        source = make_source(self.source)
        object.__setattr__(self, "source", source)
        if self.encode is not None and not callable(self.encode):
            raise StimulusError(
                f"encode is an encoder or a function of images, not {type(self.encode).__name__}.",
                name="encode",
            )
        if self.batch != "auto" and (
            isinstance(self.batch, bool)
            or not isinstance(self.batch, int | np.integer)
            or self.batch < 1
        ):
            raise StimulusError(
                f"batch is a number of stimuli or 'auto', not {self.batch!r}.", name="batch"
            )
        made = self._make_order(source)
        if self.order is not None:
            # What the other arguments say comes first: only its part of the whole is taken
            part = self.order
            made = replace(made, rank=part.rank, of=part.of, start=part.start)
        object.__setattr__(self, "order", made)

    def _make_order(self, source: Source) -> Order:
        if source.sequential:
            for name in ("shuffle", "balance"):
                if getattr(self, name) is not None:
                    raise StimulusError(
                        f"{name} needs images that can be read in any order; this source is read "
                        "from beginning to end. Load it into arrays first, or shuffle it there.",
                        name=name,
                    )
        labels = source.labels if self.balance is not None else None
        count = _UNKNOWN if source.count is None else source.count
        return Order(count, self.epochs, self.shuffle, self.balance, labels, self.repeat)

    # -- others of the same data ------------------------------------------------

    def shard(self, rank: int, of: int) -> StimulusStream:
        """Part `rank` of `of` parts of this stream.

        Parts are side by side in the order of each epoch, every presentation is in one of
        them, and it is the same as in the whole stream, random numbers included.
        """
        self._needs_any_order("shard")
        return replace(self, order=self._order.shard(rank, of))

    def starting_at(self, place: int) -> StimulusStream:
        """The stream without the presentations before this `Stimulus.place`."""
        return replace(self, order=replace(self._order, start=place))

    def near(self, session: Any) -> StimulusStream:
        """The stream on the device of `session`, if no other was asked for."""
        if self.device != "auto":
            return self
        return replace(self, device=Place.near(session.device).name)

    def _needs_any_order(self, what: str) -> None:
        if self.source.sequential:
            raise StimulusError(
                f"A stream from a source that is read from beginning to end has no {what}.",
                name=what,
            )

    # -- what it is -------------------------------------------------------------

    @property
    def _order(self) -> Order:
        assert self.order is not None
        return self.order

    @property
    def total(self) -> int | None:
        """Number of presentations; None if there is no end, or it is not known."""
        return None if self.source.count is None else self._order.total

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("It is not known how many stimuli this stream has.")
        return self.total

    @property
    def unit(self) -> str | None:
        """Unit of the stimuli, where the encoder says it."""
        return getattr(self.encode, "unit", None)

    @property
    def digest(self) -> str:
        """Identifies the order and the encoder, to tell whether a run can be resumed with it.

        The number of epochs may be another one, and the images themselves are not looked at.
        """
        order = self._order
        facts: list[Any] = [order.count, order.shuffle, order.balance, order.repeat]
        facts += [order.rank, order.of, repr(self.encode) if _has_repr(self.encode) else None]
        text = repr(facts)
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

    # -- stimuli ----------------------------------------------------------------

    def __iter__(self) -> Iterator[Stimulus]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> BatchIterator:
        """The batches; an iterator that also says how long it has waited for them."""
        return BatchIterator(self.source, self.encode, self._order, self.batch, self.device)


def _has_repr(encode: Any) -> bool:
    """Whether the repr says what it does, rather than where it is in memory."""
    return encode is not None and " at 0x" not in repr(encode)
