"""brian2cuda as released: one program on the card, started anew for each stimulus."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import brian2 as b2

from gpurun.bench.suite.contender import Absent
from gpurun.errors import ConfigError

from . import upstream_cuda
from .cards import CardUse, choose_card_flags, describe
from .common import exact
from .standalone import Standalone


class Cuda(Standalone):
    """brian2cuda's ``cuda_standalone``."""

    card_use: CardUse | None = None

    def activate(self) -> Any:
        if find_spec("brian2cuda") is None:
            raise Absent("brian2cuda is not installed: pip install brian2cuda")
        self.card = describe()
        choose_card_flags(self.card)
        self.card_use = CardUse()
        wanted = upstream_cuda.EXACT if exact() else None
        return upstream_cuda.select(self.card.toolkit, self.card.capability, wanted)

    def unseed(self) -> None:
        """Left out: with NumPy 2, what brian2cuda 1.0b1 writes for ``seed()`` does not compile."""

    def write(self, project: Path) -> None:
        upstream_cuda.write(self.device, project)

    def compile(self, project: Path) -> None:
        try:
            upstream_cuda.compile_project(self.device, project, self.card.toolkit)
        except ConfigError as error:  # no cuRAND
            raise Absent(str(error)) from error

    def facts(self) -> Mapping[str, int | float | str | bool]:
        nvcc: Any = b2.prefs["devices.cuda_standalone.cuda_backend.extra_compile_args_nvcc"]
        return {
            **super().facts(),
            **self.card.parameters(),
            "brian2cuda": version("brian2cuda"),
            "flags of nvcc": " ".join(nvcc),
            "C++17 fix": "its makefile asks for C++11, which CUDA 13 cannot compile; this is "
            "replaced by C++17, and nothing else",
            "noise": "seeded by the clock in seconds: the same for presentations within a second",
            "device memory": "by how much the card was fuller while its program ran",
        }

    def memory(self) -> Mapping[str, float]:
        assert self.card_use is not None
        with self.card_use.sampler() as sampler:
            found = dict(super().memory())
        return {**found, **self.card_use.risen(sampler)}

    def energy(self, count: int) -> float | None:
        return self.energy_of(self.card_use, count)

    def close(self) -> None:
        if self.card_use is not None:
            self.card_use.close()


CONTENDERS = {"brian2cuda": Cuda}
