"""The recorder for models whose time loop runs on a card."""

from __future__ import annotations

from gpurun.brian.cuda import CUDAStandaloneDevice
from gpurun.brian.plain.recorder import Recorder


class CUDARecorder(Recorder, CUDAStandaloneDevice):
    """A recorder for CUDA."""
