"""The loop over stimuli that people write every time; see `present`."""

from gpurun.loop.changes import NormaliseWeights
from gpurun.loop.expression import Expression
from gpurun.loop.present import Presentation, Presentations, present
from gpurun.loop.progress import LoopProgress

__all__ = [
    "Expression",
    "LoopProgress",
    "NormaliseWeights",
    "Presentation",
    "Presentations",
    "present",
]
