"""snnTorch's way to turn images into spikes, where it is installed. Nothing else needs it."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding import SEED, Way, nothing
from benchmarks.encoding_checks import Images

SNNTORCH = "snnTorch spikegen.rate"


def snntorch_ways(steps: int, few: int, device: str = "cpu") -> tuple[list[Way], str]:
    """snnTorch's, and which version it is; without it none, and why.

    Parameters
    ----------
    steps, few : int
        As for `race_to_spikes`.
    device : str
        Torch's name of where it runs.
    """
    try:
        torch: Any = importlib.import_module("torch")
        spikegen: Any = importlib.import_module("snntorch.spikegen")
    except ImportError as error:
        return [], f"absent ({error})"
    finish = nothing
    if device != "cpu":
        if not torch.cuda.is_available():
            return [], f"absent (torch {torch.__version__} cannot use a card)"
        finish = torch.cuda.synchronize
    torch.manual_seed(SEED)

    def encode(images: Images) -> Any:
        pixels = torch.from_numpy(images).to(device).reshape(len(images), -1)
        return spikegen.rate(pixels.float() / 255, num_steps=steps)

    def host(spikes: Any) -> NDArray[Any]:
        return np.moveaxis(spikes.cpu().numpy(), 0, 1)

    name = SNNTORCH if device == "cpu" else f"{SNNTORCH}, on the card"
    ways = [
        Way(name, encode, host, finish=finish),
        Way(f"{name}, {few:,} at a time", encode, host, finish=finish, at_once=few),
    ]
    version = metadata.version("snntorch")
    return ways, f"{version} with torch {torch.__version__}, {torch.get_num_threads()} threads"
