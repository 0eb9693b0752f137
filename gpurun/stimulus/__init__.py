"""Data sets, encoders and streams of stimuli for sessions.

A source reads images in pieces, an encoder turns a batch of them into what a session's override
takes, and a `StimulusStream` prepares the next batch while the present one is simulated, in the
card's memory if there is one::

    from gpurun import stimulus

    stream = stimulus.StimulusStream(
        gpurun.datasets.digits(), stimulus.Compose(stimulus.Flatten(), stimulus.Rates(total=2400)),
        shuffle=0, epochs=4,
    )
    for shown in gpurun.present(session, stream, target="pixels.rates", carry=["feed.w"]):
        ...
"""

from gpurun.stimulus.batch import Stimulus, StimulusBatch
from gpurun.stimulus.encoders.compose import Compose
from gpurun.stimulus.encoders.events import EventsToFrames, events_to_frames
from gpurun.stimulus.encoders.frames import Frames
from gpurun.stimulus.encoders.plane import Crop, Pad, Resize
from gpurun.stimulus.encoders.population import Population
from gpurun.stimulus.encoders.rates import Rates
from gpurun.stimulus.encoders.retina import DifferenceOfGaussians
from gpurun.stimulus.encoders.spike_lists import SpikeLists, ToSpikeLists
from gpurun.stimulus.encoders.spike_trains import BernoulliSpikes, PoissonSpikes
from gpurun.stimulus.encoders.temporal import Burst, Latency, Phase
from gpurun.stimulus.encoders.transforms import Contrast, Flatten, Normalise, Scale
from gpurun.stimulus.order import Order
from gpurun.stimulus.protocols import Encoder, Source
from gpurun.stimulus.sources import source
from gpurun.stimulus.sources.arrays import ArraySource
from gpurun.stimulus.sources.dataset import DatasetSource
from gpurun.stimulus.sources.events import EventSource
from gpurun.stimulus.sources.folder import FolderSource
from gpurun.stimulus.sources.hdf5 import HDF5Source
from gpurun.stimulus.sources.idx import IdxSource
from gpurun.stimulus.sources.iterable import IterableSource
from gpurun.stimulus.sources.mnist import mnist
from gpurun.stimulus.sources.numpy import NumpySource
from gpurun.stimulus.staging import BatchIterator
from gpurun.stimulus.stream import StimulusStream

__all__ = [
    "ArraySource",
    "BatchIterator",
    "BernoulliSpikes",
    "Burst",
    "Compose",
    "Contrast",
    "Crop",
    "DatasetSource",
    "DifferenceOfGaussians",
    "Encoder",
    "EventSource",
    "EventsToFrames",
    "Flatten",
    "FolderSource",
    "Frames",
    "HDF5Source",
    "IdxSource",
    "IterableSource",
    "Latency",
    "Normalise",
    "NumpySource",
    "Order",
    "Pad",
    "Phase",
    "PoissonSpikes",
    "Population",
    "Rates",
    "Resize",
    "Scale",
    "Source",
    "SpikeLists",
    "Stimulus",
    "StimulusBatch",
    "StimulusStream",
    "ToSpikeLists",
    "events_to_frames",
    "mnist",
    "source",
]
