"""What contenders that use Brian2 have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brian2 as b2
import numpy as np
from numpy.typing import NDArray

from gpurun.bench.clocks import Stopwatch
from gpurun.bench.suite.case import Case, CaseNetwork, Stimulus
from gpurun.bench.suite.contender import HOST_PEAK
from gpurun.errors import ConfigError

from . import memory

if TYPE_CHECKING:
    from .cards import CardUse

SEED = 20150803
#: ``default`` takes Brian2's own compiler flags, fast-math among them.
FLAGS = "GPURUN_BENCH_FLAGS"
#: Brian2's, without fast-math and without the fusing of multiply and add: comparable bit by bit.
EXACT = ("-w", "-O3", "-march=native", "-ffp-contract=off")
_PREFERENCE = "codegen.cpp.extra_compile_args_gcc"

Values = dict[str, NDArray[Any]]
Measures = dict[str, float]


def seed_of(number: int) -> int:
    """Seed of the noise of stimulus `number`, in [0, 2**32)."""
    return int(np.random.SeedSequence([SEED, number]).generate_state(1)[0])


def exact() -> bool:
    """Whether the flags are those that make results comparable bit by bit.

    Raises
    ------
    ConfigError
        ``GPURUN_BENCH_FLAGS`` is neither ``exact`` nor ``default``.
    """
    wanted = os.environ.get(FLAGS) or "exact"
    if wanted not in ("exact", "default"):
        raise ConfigError(f"{FLAGS} is 'exact' or 'default', not {wanted!r}.")
    return wanted == "exact"


def choose_flags(others: Sequence[str] | None = None) -> None:
    """Set the same compiler flags for everything that Brian2 compiles, or `others`."""
    if others or exact():
        b2.prefs[_PREFERENCE] = list(others or EXACT)


def flags() -> str:
    """The compiler flags that are set."""
    return " ".join(b2.prefs[_PREFERENCE])


def precision() -> str:
    """Of Brian2's floating point variables."""
    dtype: Any = b2.prefs["core.default_float_dtype"]
    return np.dtype(dtype).name


def bare(network: CaseNetwork, names: Iterable[str]) -> Values:
    """Values as they are now, by name: copies, in SI units."""
    found: Values = {}
    for name in names:
        owner, attribute = network.of(name)
        # The underscore is Brian's, for values without units
        found[name] = np.array(getattr(owner, f"{attribute}_")[:])
    return found


class BrianContender(ABC):
    """A contender whose network is the case's own Brian2 script.

    Parameters
    ----------
    case : Case
    size : str
    folder : Path
        Empty.

    Attributes
    ----------
    network : CaseNetwork
        From `setup` on.
    """

    network: CaseNetwork

    def __init__(self, case: Case, size: str, folder: Path) -> None:
        self.case, self.size, self.folder = case, size, folder
        self._peak: int | None = None

    @abstractmethod
    def setup(self) -> Mapping[str, float]:
        """See `Contender`."""

    @abstractmethod
    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        """Present `stimulus`, and read `names` at the end."""

    def create(self) -> None:
        """Define the network on the active device."""
        self.network = self.case.create(self.size)

    def run(self, seconds: float) -> None:
        """Let Brian run it. Names are looked for where they would be in the case's own script."""
        self.network.network.run(seconds * b2.second, namespace=vars(self.case.module))

    def stimulus(self, number: int) -> Stimulus:
        """New values by name."""
        return {} if self.network.stimulus is None else self.network.stimulus(number)

    def present(self, number: int) -> Mapping[str, float]:
        """See `Contender`."""
        return self.show(number, self.stimulus(number), self.network.reads)[0]

    def result(self, number: int) -> Mapping[str, NDArray[Any]]:
        """See `Contender`."""
        spikes = [f"{name}.{part}" for name in self.network.spikes for part in "it"]
        names = dict.fromkeys([*spikes, *self.network.reads, *self.network.distributions])
        return self.show(number, self.stimulus(number), names)[1]

    def steps(self, count: int) -> float | None:
        """See `Contender`."""
        return None

    def throughput(self, replicas: int, count: int) -> float | None:
        """One stimulus after the other; for more at a time, see who overrides it."""
        if replicas != 1:
            return None
        work = self._prepared(count)
        with Stopwatch() as watch:
            work()
        return watch.seconds

    def _prepared(self, count: int) -> Callable[[], None]:
        """The presentation of so many stimuli, one after the other, which are there already."""
        stimuli = [self.stimulus(number) for number in range(count)]

        def work() -> None:
            for number, stimulus in enumerate(stimuli):
                self.show(number, stimulus, self.network.reads)

        return work

    def facts(self) -> Mapping[str, int | float | str | bool]:
        """See `Contender`."""
        return {
            "flags": flags(),
            "threads": 1,
            "precision": precision(),
            "brian2": version("brian2"),
            "numpy": version("numpy"),
        }

    def memory(self) -> Mapping[str, float]:
        """Peak of this process since `setup`, which compiles: Python and Brian2 are in it."""
        return {HOST_PEAK: float(self.peak())}

    def energy(self, count: int) -> float | None:
        """See `Contender`. Nobody tells what the processor's is."""
        return None

    def energy_of(self, card: CardUse | None, count: int) -> float | None:
        """Joules of `card` for so many stimuli, one after the other."""
        return None if card is None else card.energy_of(self._prepared(count))

    def peak(self) -> int:
        """Peak of this process in bytes, with one stimulus at a time."""
        return memory.peak() if self._peak is None else self._peak

    def keep_peak(self) -> None:
        """What comes from now on does not count: several stimuli at a time."""
        if self._peak is None:
            self._peak = memory.peak()

    def close(self) -> None:  # noqa: B027 -- not everyone has something to close
        """Nothing has to be given back."""
