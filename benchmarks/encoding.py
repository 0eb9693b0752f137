"""Ways to encode a batch of images, timed in turns if what they give is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.budget import Part
from benchmarks.encoding_checks import Images, wrong_rates, wrong_spikes
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.errors import GpurunError
from gpurun.stimulus import BernoulliSpikes, Rates

#: Hz of a pixel of full intensity, as in Diehl & Cook (2015).
MAXIMUM = 63.75
SEED = 20150803

LOOP = "NumPy loop over images"
SINGLE = "NumPy loop, float32 draws"
GPURUN = "gpurun"


def random_images(count: int, side: int) -> Images:
    """Images of random bytes, shape (count, side, side)."""
    return np.random.default_rng(SEED).integers(0, 256, (count, side, side), dtype=np.uint8)


def as_it_is(result: Any) -> Any:
    """The same."""
    return result


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Way:
    """One way to encode images.

    Attributes
    ----------
    name : str
    encode : callable
        Images of shape (n, side, side) to whatever it gives.
    host : callable
        That as a NumPy array: rates (n, pixels), or spikes (n, steps, pixels).
    prepare : callable
        What is done to the images before the clock starts.
    finish : callable
        Waits until all is done.
    at_once : int or None
        Images that it is given at a time; all if None.
    """

    name: str
    encode: Callable[[Any], Any]
    host: Callable[[Any], NDArray[Any]] = as_it_is
    prepare: Callable[[Images], Any] = as_it_is
    finish: Callable[[], None] = nothing
    at_once: int | None = None


class Encoding:
    """A contender that encodes the same images again and again."""

    def __init__(self, way: Way, images: Images) -> None:
        self.name, self._way, self._images = way.name, way, way.prepare(images)

    def present(self, number: int) -> Mapping[str, float]:
        """Encode all of them."""
        way, images = self._way, self._images
        together = way.at_once or len(images)
        kept = None
        with Stopwatch() as watch:
            for start in range(0, len(images), together):
                # Lasts until the next one is there, as in a loop over batches
                kept = way.encode(images[start : start + together])
            way.finish()
        del kept
        return {"wall": watch.seconds}


def race(
    recording: Recording,
    group: str,
    ways: Sequence[Way],
    images: Images,
    refuse: Callable[[NDArray[Any]], str],
    part: Part,
) -> bool:
    """Check what all ways give, and let them take turns if it is right.

    Parameters
    ----------
    recording : Recording
    group : str
    ways : sequence of Way
        The others are compared with the first one.
    images : ndarray
    refuse : callable
        Gets what a way made of the images; says what is wrong, or nothing.
    part : Part

    Returns
    -------
    bool
        Whether all were right. Otherwise nothing is timed.
    """
    right, seen = True, set[int]()
    for way in ways:
        if id(way.encode) in seen:
            continue
        seen.add(id(way.encode))
        recording.say(f"{group}: what {way.name} gives")
        try:
            wrong = refuse(way.host(way.encode(way.prepare(images))))
        except (GpurunError, ValueError) as error:
            wrong = str(error)
        recording.check(
            f"{group}: {way.name} gives what it should",
            not wrong,
            wrong or f"{len(images):,} images",
        )
        right = right and not wrong
    if not right:
        recording.say(f"{group}: not timed, because results are wrong")
        return False
    found = part.take_turns(recording, group, [Encoding(way, images) for way in ways])
    base = ways[0].name
    for way in ways[1:]:
        recording.compare(
            f"{group}: {base} / {way.name}", found[base]["wall"], found[way.name]["wall"]
        )
    return True


# -- rates -----------------------------------------------------------------------------


def rates_by_loop(images: Images) -> NDArray[np.float64]:
    """Rates in Hz, shape (n, pixels), image by image."""
    out = np.empty((len(images), images[0].size))
    for number, image in enumerate(images):
        out[number] = image.reshape(-1) / 255 * MAXIMUM
    return out


def race_to_rates(
    recording: Recording,
    images: Images,
    part: Part,
    others: Sequence[Way] = (),
    tolerance: float = 0.0,
) -> None:
    """Compare the loop with gpurun and `others`.

    Parameters
    ----------
    recording : Recording
    images : ndarray
    part : Part
    others : sequence of Way
    tolerance : float
        By which rates may differ, relative.
    """
    expected = rates_by_loop(images)
    ways = [Way(LOOP, rates_by_loop), Way(GPURUN, Rates(MAXIMUM)), *others]
    race(
        recording, "to rates", ways, images,
        lambda rates: wrong_rates(expected, rates, tolerance=tolerance), part,
    )  # fmt: skip


# -- spikes ----------------------------------------------------------------------------


def spikes_by_loop(steps: int, dtype: Any = np.float64) -> Callable[[Images], NDArray[np.bool_]]:
    """What draws a number for each step and pixel, image by image: booleans (n, steps, pixels)."""

    def encode(images: Images) -> NDArray[np.bool_]:
        random = np.random.default_rng(SEED)
        pixels = images[0].size
        out = np.empty((len(images), steps, pixels), np.bool_)
        for number, image in enumerate(images):
            probability = (image.reshape(-1) / 255).astype(dtype, copy=False)
            out[number] = random.random((steps, pixels), dtype) < probability
        return out

    return encode


def race_to_spikes(
    recording: Recording,
    images: Images,
    steps: int,
    few: int,
    part: Part,
    others: Sequence[Way] = (),
) -> None:
    """Compare the loop with gpurun and `others`; a pixel's intensity is the spikes' probability.

    Parameters
    ----------
    recording : Recording
    images : ndarray
    steps : int
    few : int
        Images in a batch, where it is not all of them.
    part : Part
    others : sequence of Way
    """
    encode = BernoulliSpikes(steps, seed=SEED)
    ways = [
        Way(LOOP, spikes_by_loop(steps)),
        Way(SINGLE, spikes_by_loop(steps, np.float32)),
        Way(GPURUN, encode),
        Way(f"{GPURUN}, {few:,} at a time", encode, at_once=few),
        *others,
    ]
    race(
        recording, "to spikes", ways, images,
        lambda spikes: wrong_spikes(images, spikes, steps=steps), part,
    )  # fmt: skip
