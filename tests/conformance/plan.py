"""What is run: the configurations, the phases of each, and the work units they split into."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

# One process runs at most this many tests, so that an interrupted run loses little.
UNIT_SIZE = 12


@dataclass(frozen=True)
class Phase:
    """One of the passes that ``brian2.test(test_standalone=...)`` makes.

    Attributes
    ----------
    name : str
        ``"single"``, ``"multiple"`` or ``"specific"``.
    markers : str
        The pytest marker expression.
    build_on_run : bool
        Handed to ``set_device``.
    """

    name: str
    markers: str
    build_on_run: bool


# Without long tests and without the GSL, which are brian2's own defaults. The third
# phase keeps the build options of the second one, as brian2's run() does, and is
# selected by the marker `cpp_standalone` in every configuration that runs brian2's tests:
# brian2 would use a marker named after the device, and for `gpurun` that selects nothing.
PHASES = (
    Phase("single", "standalone_compatible and not long and not multiple_runs and not gsl", True),
    Phase("multiple", "standalone_compatible and not long and multiple_runs and not gsl", False),
    Phase("specific", "cpp_standalone and not gsl", False),
)
# brian2 has no tests that are specific to CUDA; brian2cuda has.
SHARED_PHASES = PHASES[:2]
CUDA_PHASES = (*SHARED_PHASES, Phase("specific", "cuda_standalone and not gsl", False))


@dataclass(frozen=True)
class Configuration:
    """Which device the tests meet.

    Attributes
    ----------
    name : str
    device : str
        The name the tests' fixture hands to ``set_device``.
    gpurun : bool
        Whether gpurun is imported at all.
    stands_in_for : tuple of str
        The names of other devices that gpurun stands in for.
    meaning : str
        One sentence for the report.
    suite : str
        The package whose tests are run, ``"brian2"`` or ``"brian2cuda"``.
    phases : tuple of Phase
    reference : str
        The configuration that it is compared with. Without one every test has to pass.
    cuda : bool
        Whether the tests run CUDA code. brian2cuda's is always run by the emulated toolkit,
        gpurun's where there is no card.
    """

    name: str
    device: str
    gpurun: bool
    stands_in_for: tuple[str, ...]
    meaning: str
    suite: str = "brian2"
    phases: tuple[Phase, ...] = PHASES
    reference: str = "upstream"
    cuda: bool = False

    def phase(self, name: str) -> Phase:
        """The phase called `name`."""
        return next(p for p in self.phases if p.name == name)


CONFIGURATIONS = {
    c.name: c
    for c in (
        Configuration(
            "upstream",
            "cpp_standalone",
            False,
            (),
            "brian2's device `cpp_standalone`, unchanged; gpurun is not imported",
            reference="",
        ),
        Configuration(
            "device",
            "gpurun",
            True,
            (),
            "`set_device('gpurun')`; the name `cpp_standalone` is still brian2's own device",
        ),
        Configuration(
            "standin",
            "cpp_standalone",
            True,
            ("cpp_standalone",),
            "gpurun stands in for `cpp_standalone`, as under the `gpurun` command",
        ),
        Configuration(
            "cuda",
            "gpurun",
            True,
            ("cpp_standalone",),
            "`set_device('gpurun', backend='cuda')`; gpurun's CUDA backend also stands in for "
            "`cpp_standalone`, as under `gpurun --device cuda`",
            cuda=True,
        ),
        Configuration(
            "cuda-own",
            "gpurun",
            True,
            ("cuda_standalone",),
            "the same device with brian2cuda's own tests, where it stands in for `cuda_standalone`",
            suite="brian2cuda",
            phases=CUDA_PHASES,
            reference="",
            cuda=True,
        ),
        Configuration(
            "emulated",
            "cuda_standalone",
            False,
            (),
            "brian2cuda's device `cuda_standalone`, as released, on the emulated CUDA toolkit",
            phases=SHARED_PHASES,
            cuda=True,
        ),
        Configuration(
            "emulated-own",
            "cuda_standalone",
            False,
            (),
            "the same device with brian2cuda's own tests",
            suite="brian2cuda",
            phases=CUDA_PHASES,
            reference="",
            cuda=True,
        ),
    )
}


@dataclass(frozen=True)
class Part:
    """Configurations that are compared with each other, and their part of the report."""

    name: str
    title: str
    configurations: tuple[str, ...]


PARTS = (
    Part("cpu", "gpurun on the CPU", ("upstream", "device", "standin")),
    Part("cuda", "gpurun on CUDA", ("upstream", "cuda", "cuda-own")),
    Part(
        "emulated",
        "brian2cuda on the emulated toolkit",
        ("upstream", "emulated", "emulated-own"),
    ),
)


@dataclass(frozen=True)
class Unit:
    """Some tests of one file and phase that share a process.

    Attributes
    ----------
    key : str
        Names the unit within a run directory.
    phase : str
    tests : tuple of str
        Test IDs, ``file.py::test``, relative to brian2's test folder.
    """

    key: str
    phase: str
    tests: tuple[str, ...]


def split(phase_name: str, tests: Iterable[str]) -> list[Unit]:
    """Cut the tests of a phase into units, in their order, never across files."""
    files: dict[str, list[str]] = {}
    for test in tests:
        files.setdefault(test.split("::", 1)[0], []).append(test)
    units = []
    for file, names in files.items():
        stem = file.removesuffix(".py").replace("/", "-")
        for start in range(0, len(names), UNIT_SIZE):
            part = tuple(names[start : start + UNIT_SIZE])
            units.append(Unit(f"{phase_name}-{stem}-{start // UNIT_SIZE:02d}", phase_name, part))
    return units


def shard(units: list[Unit], text: str) -> list[Unit]:
    """The part ``k/n`` (k from 1) of `units`.

    Raises
    ------
    ValueError
        If `text` is not of that form.
    """
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise ValueError(f"shard {text!r}: expected k/n with 1 <= k <= n, for example 1/4")
    return units[int(number) - 1 :: int(count)]


def write_units(path: Path, units: list[Unit]) -> None:
    """Store `units` as JSON."""
    # Several shards may start at the same time; none must read half a file.
    private = path.with_suffix(f".{os.getpid()}")
    private.write_text(json.dumps([asdict(u) for u in units], indent=1) + "\n", encoding="utf-8")
    private.replace(path)


def read_units(path: Path) -> list[Unit]:
    """Load what :func:`write_units` stored."""
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return [Unit(u["key"], u["phase"], tuple(u["tests"])) for u in loaded]
