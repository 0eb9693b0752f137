"""Random numbers that depend on nothing but a seed, a presentation and a position.

NumPy's own Philox4x64-10 fills arrays on the host, and a kernel that computes the same words
those on a card. Both are functions of a key and a counter (Salmon, Moraes, Dror & Shaw,
*Parallel random numbers: as easy as 1, 2, 3*, SC 2011, https://doi.org/10.1145/2063384.2063405),
so that a presentation's numbers can be had without those before it.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import is_cupy_namespace

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters
from gpurun.stimulus.encoders.philox_kernel import KERNEL_NAME, SOURCE

#: 64-bit words that one counter gives.
BLOCK = 4
#: 32-bit numbers that are drawn at once on the host: what stays in its caches is used faster.
AT_ONCE = 1 << 18
#: As many times more on a card, which has to be kept busy. All that is made of them are 64 MiB.
CARD_FACTOR = 16

_THREADS = 256
_GRID = 1 << 16


def words(xp: Any, key: tuple[int, int], start: int, count: int) -> Any:
    """Words `start` to `start + count` of the stream of `key`.

    Parameters
    ----------
    xp : array namespace
        Of the result.
    key : tuple of int
        Two 64-bit words.
    start, count : int
        `start` may be any number below 2**128. Word w is word ``w % 4`` of the counter
        ``w // 4 + 1``, which is what ``numpy.random.Philox(key=key).random_raw()`` gives.

    Returns
    -------
    array of uint64, shape (count,)
    """
    block, skip = divmod(start, BLOCK)
    if is_cupy_namespace(xp):
        return _words_on_card(xp, key, block + 1, skip, count)
    return xp.asarray(_words_on_host(key, block, skip, count))


def _words_on_host(key: tuple[int, int], block: int, skip: int, count: int) -> np.ndarray:
    # NumPy counts up before it computes a block
    generator = np.random.Philox(key=np.array(key, np.uint64), counter=block)
    return generator.random_raw(skip + count)[skip:]


@functools.cache
def _kernel() -> Any:
    import cupy  # pyright: ignore[reportMissingImports]

    return cupy.RawKernel(SOURCE, KERNEL_NAME)


def _words_on_card(xp: Any, key: tuple[int, int], counter: int, skip: int, count: int) -> Any:
    out = xp.empty((count,), dtype=xp.uint64)
    if count:
        blocks = -(-(skip + count) // BLOCK)
        grid = min(-(-blocks // _THREADS), _GRID)
        low, high = counter & (2**64 - 1), counter >> 64
        given = [np.uint64(value) for value in (*key, low, high, skip, count)]
        _kernel()((grid,), (_THREADS,), (*given, out))
    return out


@dataclass(frozen=True)
class Draws:
    """The random numbers of one encoder.

    Each presentation has as many words as it needs, rounded up to whole counters, and they lie
    one presentation after the other: a batch is one contiguous piece of the stream.

    Attributes
    ----------
    seed : int
    name : str
        Of the encoder: others have other numbers with the same seed.
    stream : int
        Another independent stream of the same seed and name.
    """

    seed: int
    name: str
    stream: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """BLAKE2b of the attributes, as two 64-bit words."""
        text = f"{self.name}\0{self.seed}\0{self.stream}".encode()
        digest = hashlib.blake2b(text, digest_size=16).digest()
        return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")

    def uniforms(self, xp: Any, first: int, n: int, count: int) -> Any:
        """Numbers in [0, 1), multiples of 2**-53: float64, shape (n, count).

        Row k belongs to presentation ``first + k``.
        """
        padded = -(-count // BLOCK) * BLOCK
        drawn = words(xp, self.key, presentation(first) * padded, n * padded)
        return xp.astype(xp.reshape(drawn, (n, padded))[:, :count] >> 11, xp.float64) * 2.0**-53

    def pieces(
        self, xp: Any, first: int, n: int, steps: int, pixels: int
    ) -> Iterator[tuple[slice, slice, Any]]:
        """32-bit numbers for each of `n` presentations, time steps and pixels, in pieces.

        Yields
        ------
        images, times : slice
            Of the presentations and the time steps that the piece is for.
        numbers : array of uint32, shape (images, times, pixels)
        """
        first = presentation(first)
        count = steps * pixels
        halves = 2 * BLOCK
        padded = -(-count // halves) * halves
        limit = AT_ONCE * (CARD_FACTOR if is_cupy_namespace(xp) else 1)
        together = limit // padded
        if together:
            for a in range(0, n, together):
                b = min(a + together, n)
                drawn = self._halves(xp, (first + a) * padded, (b - a) * padded)
                drawn = xp.reshape(drawn, (b - a, padded))[:, :count]
                yield slice(a, b), slice(0, steps), xp.reshape(drawn, (b - a, steps, pixels))
            return
        together = max(1, limit // pixels)
        for k in range(n):
            for a in range(0, steps, together):
                b = min(a + together, steps)
                start = (first + k) * padded + a * pixels
                drawn = self._halves(xp, start, (b - a) * pixels)
                yield slice(k, k + 1), slice(a, b), xp.reshape(drawn, (1, b - a, pixels))

    def _halves(self, xp: Any, start: int, count: int) -> Any:
        """Halves `start` to `start + count` of the stream's words, lower ones first."""
        word, odd = divmod(start, 2)
        needed = -(-(odd + count) // 2)
        if is_cupy_namespace(xp):
            return words(xp, self.key, word, needed).view(xp.uint32)[odd : odd + count]
        drawn = words(np, self.key, word, needed).astype("<u8", copy=False).view("<u4")
        return xp.asarray(drawn[odd : odd + count].astype(np.uint32, copy=False))


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What encoders that draw random numbers have in common.

    Attributes
    ----------
    seed : int
        In [0, 2**32). Presentation p gets the same numbers in every batch and every process, on
        the host and on a card.
    stream : int
        Encoders of one kind and seed draw the same numbers unless their `stream` differs.
        `Compose` numbers its own stages.
    """

    random: ClassVar[bool] = True
    seed: int = 0
    stream: int = 0

    def __post_init__(self) -> None:
        parameters.set_field(self, "seed", parameters.seed(self.seed))
        parameters.set_field(self, "stream", parameters.integer("stream", self.stream, low=0))

    def draws(self, purpose: str = "") -> Draws:
        """The random numbers of this encoder, others for each purpose."""
        return Draws(self.seed, type(self).__name__ + purpose, self.stream)


def presentation(first: Any) -> int:
    """`first` as an int.

    Raises
    ------
    StimulusError
        It is no integer, or outside [0, 2**64).
    """
    try:
        number = operator.index(first)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise StimulusError(
            f"'first' is the number of a presentation, from 0 on, not {first!r}.", name="first"
        )
    return number
