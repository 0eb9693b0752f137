"""Which image is presented when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpurun.errors import StimulusError

BALANCE = ("fewest", "most")


@dataclass(frozen=True)
class Stretch:
    """Presentations of one epoch that follow each other.

    Attributes
    ----------
    first : int
        Number of the first of them, among all presentations of all shards.
    place : int
        How many presentations of this shard come before it.
    epoch : int
    indices : ndarray of int64, shape (n,)
        Which image of the data set each of them shows.
    """

    first: int
    place: int
    epoch: int
    indices: np.ndarray


@dataclass(frozen=True, eq=False)
class Order:
    """The order in which images are presented.

    A presentation has the same number, shows the same image and draws the same random numbers,
    whatever the size of the batches, in whichever shard it is, and wherever a run is resumed.

    Parameters
    ----------
    count : int
        Images in the data set.
    epochs : int or None
        How often the data set is gone through; None: without end.
    shuffle : int or None
        Seed of the order, which is another one in each epoch. None: that of the data set.
    balance : {"fewest", "most"} or None
        Each epoch shows as many images of every class: as there are of the class with the
        fewest, another choice in each epoch if there is a shuffle; or as of the one with the
        most, images of the others several times.
    labels : ndarray or None
        Shape (count,); for `balance`.
    repeat : int
        How often each image is shown in a row.
    rank, of : int
        This is part `rank` of `of` parts of every epoch, which are side by side in its order.
    start : int
        Presentations of this part that are left out.

    Raises
    ------
    StimulusError
        A value is not usable.
    """

    count: int
    epochs: int | None = 1
    shuffle: int | None = None
    balance: str | None = None
    labels: np.ndarray | None = None
    repeat: int = 1
    rank: int = 0
    of: int = 1
    start: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise StimulusError("The data set has no images.", name="source")
        for name in ("count", "epochs", "shuffle", "repeat", "rank", "of", "start"):
            value = getattr(self, name)
            if isinstance(value, np.integer):
                object.__setattr__(self, name, int(value))
        _at_least("repeat", self.repeat, 1)
        _at_least("of", self.of, 1)
        _at_least("rank", self.rank, 0)
        _at_least("start", self.start, 0)
        if self.epochs is not None:
            _at_least("epochs", self.epochs, 1)
        if self.shuffle is not None:
            _at_least("shuffle", self.shuffle, 0)
        if self.rank >= self.of:
            raise StimulusError(
                f"There are {self.of} shards, numbered from 0; there is no number {self.rank}.",
                name="rank",
            )
        if self.balance is not None:
            self._check_balance()

    def _check_balance(self) -> None:
        if self.balance not in BALANCE:
            raise StimulusError(
                f"balance is one of {', '.join(map(repr, BALANCE))} or None, not {self.balance!r}.",
                name="balance",
            )
        if self.labels is None:
            raise StimulusError(
                "Classes cannot be balanced without labels that are known beforehand. Give the "
                "source labels, or leave balance out.",
                name="balance",
            )
        if len(self.labels) != self.count:
            raise StimulusError(
                f"There are {self.count} images and {len(self.labels)} labels.", name="labels"
            )

    def shard(self, rank: int, of: int) -> Order:
        """Part `rank` of `of` parts of the whole order.

        Raises
        ------
        StimulusError
            This is a part already, or begins later than at its beginning.
        """
        if self.of != 1 or self.start:
            raise StimulusError(
                "Only a whole stream is divided into shards, and before starting_at.", name="shard"
            )
        return replace(self, rank=rank, of=of, start=0)

    @property
    def per_epoch(self) -> int:
        """Presentations of an epoch, all shards together."""
        if self.balance is None:
            return self.count * self.repeat
        assert self.labels is not None
        _, counts = np.unique(self.labels, return_counts=True)
        each = counts.min() if self.balance == "fewest" else counts.max()
        return int(each) * len(counts) * self.repeat

    @property
    def _block(self) -> tuple[int, int]:
        whole = self.per_epoch
        return self.rank * whole // self.of, (self.rank + 1) * whole // self.of

    @property
    def total(self) -> int | None:
        """Presentations of this shard, without those that `start` leaves out; None: no end."""
        if self.epochs is None:
            return None
        first, last = self._block
        return max(0, (last - first) * self.epochs - self.start)

    def stretches(self, most: int) -> Iterator[Stretch]:
        """The presentations of this shard in stretches of at most `most`."""
        first, last = self._block
        own = last - first
        if own == 0:
            return
        whole = self.per_epoch
        epoch, skip = divmod(self.start, own)
        while self.epochs is None or epoch < self.epochs:
            images = self.images(epoch)
            for begin in range(first + skip, last, most):
                numbers = np.arange(begin, min(begin + most, last))
                yield Stretch(
                    epoch * whole + begin,
                    epoch * own + begin - first,
                    epoch,
                    images[numbers // self.repeat],
                )
            epoch, skip = epoch + 1, 0

    def images(self, epoch: int) -> np.ndarray:
        """Images of an epoch in their order, without repetitions in a row."""
        random = None if self.shuffle is None else np.random.default_rng([self.shuffle, epoch])
        if self.balance is None:
            return np.arange(self.count) if random is None else random.permutation(self.count)
        assert self.labels is not None
        groups = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        sizes = [len(group) for group in groups]
        each = min(sizes) if self.balance == "fewest" else max(sizes)
        chosen = []
        for group in groups:
            if random is not None:
                group = random.permutation(group)
            # Everything once before anything a second time
            chosen.append(np.resize(group, each))
        found = np.concatenate(chosen)
        return np.sort(found) if random is None else random.permutation(found)


def _at_least(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise StimulusError(f"{name} is an integer from {least} on, not {value!r}.", name=name)
