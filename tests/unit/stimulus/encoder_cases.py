"""Every transform and encoder, with batches that it takes; for the tests on the CPU and a card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpurun.stimulus.encoders.compose import Compose
from gpurun.stimulus.encoders.frames import Frames
from gpurun.stimulus.encoders.plane import Crop, Pad, Resize
from gpurun.stimulus.encoders.population import Population
from gpurun.stimulus.encoders.rates import Rates
from gpurun.stimulus.encoders.retina import DifferenceOfGaussians
from gpurun.stimulus.encoders.spike_lists import SpikeLists, ToSpikeLists
from gpurun.stimulus.encoders.spike_trains import BernoulliSpikes, PoissonSpikes
from gpurun.stimulus.encoders.temporal import Burst, Latency, Phase
from gpurun.stimulus.encoders.transforms import Contrast, Flatten, Normalise, Scale

MS = 1e-3

#: By kind of input: what makes a batch of n from random numbers, a shape and a dtype.
Batch = Callable[[np.random.Generator, int, tuple[int, ...], str], np.ndarray]


def images(random: np.random.Generator, n: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Intensities: 0 to 1, or all of an integer type; the darkest and the lightest among them."""
    kind = np.dtype(dtype)
    values = random.random((n, *shape))
    values = np.select([values < 0.1, values > 0.9], [0.0, 1.0], values)
    if kind.kind in "ui":
        values = np.floor(values * np.iinfo(kind).max)
    return (values > 0.5) if kind.kind == "b" else values.astype(kind)


def rates(random: np.random.Generator, n: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Rates in Hz, 0 to 100."""
    kind = np.dtype(dtype if np.dtype(dtype).kind == "f" else "float64")
    return (random.random((n, *shape)) * random.integers(0, 2, (n, *shape)) * 100).astype(kind)


def trains(random: np.random.Generator, n: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Spikes, with as many time steps as there are rows."""
    pixels = int(np.prod(shape[1:]))
    return random.random((n, shape[0], pixels)) < 0.3


def times(random: np.random.Generator, n: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Times up to 5 ms, some of them nan."""
    values = random.random((n, shape[0], int(np.prod(shape[1:])))) * 5 * MS
    return np.where(random.random(values.shape) < 0.3, np.nan, values)


#: Name, encoder, and what it takes.
CASES: dict[str, tuple[Any, Batch]] = {
    "scale": (Scale(), images),
    "scale_float32": (Scale(full_scale=40, dtype="float32"), images),
    "normalise_sum": (Normalise("sum", 3.0), images),
    "normalise_maximum": (Normalise("maximum"), images),
    "normalise_l2": (Normalise("l2", 2.0), images),
    "normalise_standard": (Normalise("standard"), images),
    "contrast": (Contrast(gain=2, offset=-0.5, gamma=0.5, clip=(0, 1)), images),
    "flatten": (Flatten(), images),
    "resize_area": (Resize((3, 2)), images),
    "resize_linear": (Resize((5, 7), "linear"), images),
    "resize_nearest": (Resize((4, 4), "nearest", axes=(1, 2)), images),
    "crop": (Crop((1, 1)), images),
    "pad": (Pad((9, 8), value=1, axes=(1, 2)), images),
    "retina": (DifferenceOfGaussians(0.7, 1.4), images),
    "retina_signed": (DifferenceOfGaussians(0.7, 1.4, on_off=False, axes=(1, 2)), images),
    "rates": (Rates(maximum=63.75, minimum=2.0), images),
    "rates_total": (Rates(total=4000.0, dtype="float32"), images),
    "bernoulli": (BernoulliSpikes(5, 0.8, seed=3), images),
    "bernoulli_certain": (BernoulliSpikes(3), images),
    "poisson": (PoissonSpikes(7 * MS, 1 * MS, seed=1), rates),
    "poisson_refractory": (PoissonSpikes(20 * MS, 1 * MS, refractory=4 * MS), rates),
    "latency": (Latency(20 * MS, tau=10 * MS, threshold=0.2), images),
    "latency_linear": (Latency(20 * MS, linear=True), images),
    "phase": (Phase(4, 2), images),
    "burst": (Burst(30 * MS, 1 * MS), images),
    "population": (Population(5, 0.0, 1.0), images),
    "frames": (Frames(repeat=2, before=1, after=3, blank=0.5), images),
    "frames_of_trains": (Frames(repeat=2, after=1, trains=True), trains),
    "lists_of_trains": (ToSpikeLists(1 * MS), trains),
    "lists_of_times": (ToSpikeLists(1 * MS), times),
    "composed": (
        Compose(
            Scale(),
            Resize((3, 3), axes=(1, 2)),
            Rates(maximum=100.0),
            PoissonSpikes(6 * MS, 1 * MS, seed=4, refractory=2 * MS),
            ToSpikeLists(1 * MS),
        ),
        images,
    ),
}
DTYPES = ("uint8", "uint16", "bool", "float32", "float64")


def parts(result: Any) -> list[Any]:
    """The arrays of a result."""
    if isinstance(result, SpikeLists):
        return [result.offsets, result.indices, result.times]
    return [result]
