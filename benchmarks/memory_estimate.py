"""What `Model.memory` says, against what a session takes: ``python -m benchmarks.memory_estimate``.

    python -m benchmarks.memory_estimate [--backend cpu|cuda] [MODEL ...]

prints a row of a table for every model. Each is built in one process and measured in another,
which has no brian2: on the CPU the memory that is this process' alone (USS, of ``smaps_rollup``),
before a session is opened and after its second run; on a card the memory that a second session
takes, so that CUDA's context does not count. With ``CUDA_PATH=tests/cuda_emulator`` no card is
needed.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _cuba() -> Any:
    from benchmarks import cuba

    # As many synapses as make arrays the most of it
    cuba.NEURONS, cuba.EXCITATORY = 12000, 9600
    return cuba.create()


def _diehl_cook() -> Any:
    from benchmarks import diehl_cook

    return diehl_cook.create(diehl_cook.Size(side=28, neurons=1600, steps=700))


def _image() -> dict[str, Any]:
    from benchmarks import diehl_cook

    return {"inputs.rates": diehl_cook.stimulus(0)}


def _noise() -> Any:
    from benchmarks import recorded

    return recorded.noise(neurons=10000, steps=1000)


def _traced() -> Any:
    from brian2.units import second

    from benchmarks import cuba, recorded

    cuba.NEURONS, cuba.EXCITATORY = 8000, 6400
    recorded._ONE_STEP = 0.1 * second
    return recorded.cuba_network(traced=8000)


def _everything() -> Any:
    from tests import models

    return models.everything()


def _learner() -> Any:
    from tests import models

    return models.learner()


MODELS: dict[str, tuple[str, Callable[[], Any]]] = {
    "cuba": ("CUBA, 12,000 cells, 2.9 million synapses", _cuba),
    "diehl_cook": ("Diehl & Cook, 1,600 cells, 1.3 million plastic synapses", _diehl_cook),
    "noise": ("noise, 10,000 cells recorded for 1,000 steps", _noise),
    "traced": ("CUBA, 8,000 cells recorded for 1,000 steps", _traced),
    "everything": ("a small model with something of everything", _everything),
    "learner": ("a small model that learns", _learner),
}
#: What is shown to a model; nothing to the others.
SHOWN: dict[str, Callable[[], dict[str, Any]]] = {"diehl_cook": _image}


def build(name: str, backend: str, path: Path) -> None:
    """Build a model and write it to `path`."""
    import os

    os.environ["GPURUN_TEST_BACKEND"] = backend
    import brian2 as b2

    import gpurun

    b2.set_device("gpurun", build_on_run=False, backend=backend)
    objects = MODELS[name][1]()
    path.write_bytes(pickle.dumps((gpurun.build(), SHOWN.get(name, dict)())))
    del objects


def own_bytes() -> int:
    """Memory that belongs to this process alone, without what the C library only keeps."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def measure(path: Path, duration: float | None = None, snapshots: int = 0) -> dict[str, Any]:
    """Estimate and measurement for the model in `path`, and what is shown to it.

    Parameters
    ----------
    path : Path
        A pickle of both.
    duration : float, optional
        Of a run in seconds.
    snapshots : int, optional
        Stored at the end.

    Returns
    -------
    dict
        ``estimate`` and ``measured`` in bytes, their ``ratio``, and the estimate's ``table``.
    """
    import gpurun  # noqa: F401  # the model needs it

    model, shown = pickle.loads(path.read_bytes())
    estimate = model.memory(duration, snapshots)

    def run() -> Any:
        session = model.session()
        session.run(shown, duration=duration)
        session.run(shown, duration=duration)
        for number in range(snapshots):
            session.store(str(number))
        return session

    before = own_bytes()
    session = run()
    measured = own_bytes() - before
    if model.manifest.backend == "cuda":
        before = session._instance.free_memory()
        second = run()
        measured = before - second._instance.free_memory()
        second.close()
    session.close()
    correction = estimate.corrected(measured)
    return {
        "estimate": estimate.expected,
        "measured": measured,
        "ratio": correction.ratio,
        "table": str(estimate),
    }


def _child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.memory_estimate", *arguments]
    root = Path(__file__).parents[1]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout


def measure_alone(path: Path, *options: str) -> dict[str, Any]:
    """As `measure`, in a process that does nothing else."""
    return json.loads(_child("--measure", "--file", str(path), *options).splitlines()[-1])


def main(names: list[str], backend: str, options: list[str], *, tables: bool) -> None:
    """Print the table for the models called `names`."""
    print("| model | estimate (MiB) | measured (MiB) | measured / estimate |")
    print("|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            _child("--build", name, "--backend", backend, "--file", str(path))
            found = measure_alone(path, *options)
        print(
            f"| {MODELS[name][0]} | {found['estimate'] / 2**20:.1f} "
            f"| {found['measured'] / 2**20:.1f} | {found['ratio']:.3f} |",
            flush=True,
        )
        if tables:
            print(found["table"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("models", nargs="*", choices=[[], *MODELS], metavar="MODEL")
    parser.add_argument("--backend", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--duration", type=float, help="of a run (s), instead of the model's own")
    parser.add_argument("--snapshots", type=int, default=0, help="stored at the end of a run")
    parser.add_argument("--tables", action="store_true", help="show the parts of each estimate")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        build(given.build, given.backend, given.file)
    elif given.measure:
        print(json.dumps(measure(given.file, given.duration, given.snapshots)))
    else:
        options = ["--snapshots", str(given.snapshots)]
        if given.duration is not None:
            options += ["--duration", repr(given.duration)]
        main(given.models or list(MODELS), given.backend, options, tables=given.tables)
