"""Encoders and streams on a card: the parts of `benchmarks.stimuli`, and copies to the card.

Parts of the report:

- **to rates**, **to spikes**: gpurun on the host and, through CuPy, on the card, with images that
  lie there already and with images that have to be copied; snnTorch on both where it is there.
- **copied**: a batch of images as a stream brings it to the card, against a bare copy of as many
  bytes from pinned memory.
- **streamed**, **trained**, **one step**: as in `benchmarks.stimuli`, with sessions on the card.

Where the card is an emulated one everything is small, times mean nothing, and there is no CuPy:
stimuli are prepared on the host.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import brian2 as b2
from brian2.devices.device import reset_device

from benchmarks import diehl_cook, stimuli
from benchmarks.budget import Budget, Part
from benchmarks.diehl_cook import FULL, SMALL
from benchmarks.encoding import GPURUN, MAXIMUM, SEED, Way, race_to_rates, race_to_spikes
from benchmarks.encoding import random_images as images_of
from benchmarks.encoding_checks import Images
from benchmarks.pinned_copy import PinnedCopy
from benchmarks.snntorch_rate import SNNTORCH, snntorch_ways
from benchmarks.stimuli import Sizes
from gpurun.bench import card
from gpurun.bench.card import BenchmarkCard
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.errors import ConfigError
from gpurun.stimulus import BernoulliSpikes, Rates, StimulusBatch, StimulusStream

TITLE = "Stimuli: encoders and streams, on a card"
DEVICE = "cuda:0"
COPIED = "wall"
STREAM, BATCH = "a stream's batch", "StimulusBatch.of"
#: Rates on a card may differ from the host's in their last bits.
TOLERANCE = 1e-14
#: A few minutes for all of it.
SIZES = Sizes(stimuli.FAST, FULL, 320, 96, one_step=320, batch=32, trained_batch=16)
EMULATED = Sizes(SMALL, SMALL, 6, 6, one_step=6, batch=2, trained_batch=2)


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    started = time.perf_counter()
    where = card.describe()
    if where.emulated and not recording.quick:
        raise ConfigError("Times of an emulated card mean nothing: only a trial (--quick) is run.")
    limit = recording.seconds
    budget = Budget(recording.quick, None if limit is None else started + limit)
    recording.parameters.update(where.parameters())
    if where.emulated:
        recording.parameters["speed"] = "meaningless, because the card is emulated"
    cupy, recording.parameters["CuPy"] = usable_cupy()
    images = images_of(400 if recording.quick else 10_000, SMALL.side if where.emulated else 28)
    encode(recording, budget, images, cupy)
    if cupy is not None:
        copied(
            recording, images[: 200 if recording.quick else 2000], budget.part(200, 0.1, 5), where
        )
    diehl_cook.exact_arithmetic()
    if where.emulated:
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = ["-w", "-O0", "-ffp-contract=off"]
    try:
        sizes = EMULATED if where.emulated else SIZES
        stimuli.run_loops(recording, budget, DEVICE, sizes, normalise=cupy is not None)
    finally:
        reset_device()


def usable_cupy() -> tuple[Any, str]:
    """CuPy and its version if it can use a card, else None and why."""
    try:
        import cupy  # pyright: ignore[reportMissingImports]

        if not cupy.cuda.runtime.getDeviceCount():
            return None, "absent (it finds no card)"
    except Exception as error:  # CuPy's classes are not known without CuPy
        return None, f"absent ({error})"
    return cupy, str(cupy.__version__)


# -- encoders --------------------------------------------------------------------------


def encode(recording: Recording, budget: Budget, images: Images, cupy: Any) -> None:
    """Compare encoders on the card with those of the host."""
    few, steps = min(stimuli.FEW, len(images) // 2), stimuli.TRAIN
    recording.parameters.update(
        {"images": len(images), "pixels": images[0].size, "steps of a train": steps}
    )
    race_to_rates(
        recording, images, budget.part(40, 0.05, 5), on_card(cupy, Rates(MAXIMUM)), TOLERANCE
    )
    spikes = on_card(cupy, BernoulliSpikes(steps, seed=SEED))
    for device in ("cpu", "cuda"):
        name = SNNTORCH if device == "cpu" else f"{SNNTORCH}, on the card"
        ways, recording.parameters[name] = snntorch_ways(steps, few, device)
        spikes += ways
    race_to_spikes(recording, images, steps, few, budget.part(12, 0.2, 3), spikes)


def on_card(cupy: Any, encoder: Any) -> list[Way]:
    """Ways to encode on a card; none without CuPy."""
    if cupy is None:
        return []

    def copy_and_encode(images: Images) -> Any:
        return encoder(cupy.asarray(images))

    def finish() -> None:
        cupy.cuda.get_current_stream().synchronize()

    return [
        Way(f"{GPURUN}, on the card", copy_and_encode, cupy.asnumpy, finish=finish),
        Way(f"{GPURUN}, from images on the card", encoder, cupy.asnumpy, cupy.asarray, finish),
    ]


# -- copies ----------------------------------------------------------------------------


class StreamCopies:
    """Brings the same images to the card again and again, as a stream does."""

    name = STREAM

    def __init__(self, images: Images) -> None:
        stream = StimulusStream(images, batch=len(images), epochs=None, device=DEVICE)
        self.batches = stream.batches()

    def present(self, number: int) -> Mapping[str, float]:
        """One batch: read, brought to pinned memory and from there to the card."""
        # It may be there already; the one after it is prepared from now on
        next(self.batches)
        with Stopwatch() as watch:
            next(self.batches)
        return {COPIED: watch.seconds}


class BatchCopies:
    """The same from where the images are, in the caller's thread."""

    name = BATCH

    def __init__(self, images: Images, cupy: Any) -> None:
        self.images, self.cupy = images, cupy

    def present(self, number: int) -> Mapping[str, float]:
        """One batch."""
        with Stopwatch() as watch:
            kept = StimulusBatch.of(self.images, device=DEVICE)
            self.cupy.cuda.get_current_stream().synchronize()
        del kept
        return {COPIED: watch.seconds}


def copied(recording: Recording, images: Images, part: Part, where: BenchmarkCard) -> None:
    """Compare with a bare copy of as many bytes."""
    recording.parameters["bytes copied"] = images.nbytes
    bare = PinnedCopy(images.nbytes, COPIED, where.toolkit)
    cupy, _ = usable_cupy()
    stream = StreamCopies(images)
    found = part.take_turns(recording, "copied", [bare, stream, BatchCopies(images, cupy)])
    arrived = next(stream.batches).values.get()
    stream.batches.close()
    bare.close()
    recording.check(
        "copied: what a stream brings to the card are the images",
        bool((arrived == images).all()),
        f"{images.nbytes:,} bytes",
    )
    for name in (STREAM, BATCH):
        recording.compare(
            f"copied: {name} / {bare.name}", found[name][COPIED], found[bare.name][COPIED]
        )
