"""Plain Brian2 scripts from start to end: ``gpurun SCRIPT`` against ``python SCRIPT``.

The scripts are those of ``tests/plain_scripts``, as they are, every other one by name so that it
ends within half an hour; each simulates less than a second or so, which is what gpurun is worst at:
there is more to build than to compute. Brian generates code
for its default target and with its default compiler flags. Parts of the report:

- **cold**: the first run, with empty caches: gpurun builds its models, Brian its Cython modules.
  Each script is run once; the ratio is that of the medians over the scripts.
- **warm**: the same script again, by turns, with all that was built in the caches.

Measured is the wall time of the process: imports, set-up, builds, simulation and figures.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch
from gpurun.bench.contenders import Series, interleave

TITLE = "Plain scripts, from start to end"
SCRIPTS = Path(__file__).resolve().parents[1] / "tests" / "plain_scripts"
PYTHON, GPURUN = "python SCRIPT", "gpurun SCRIPT"
#: Two that build little: what is tried out is the benchmark.
TRIAL = ("adaptive_threshold", "closed_loop_rate")
#: Compiling is most of a trial.
TRIAL_FLAGS = ["-w", "-O0"]
#: What gpurun tells users of scripts for which building takes longer than it is worth.
HINT = "--device runtime"
COLD, WARM = "cold", "warm"


def measure(recording: Recording) -> None:
    """Run the scripts; see the module's description."""
    scripts = [SCRIPTS / f"{name}.py" for name in TRIAL] if recording.quick else _scripts()
    rounds = 2 if recording.quick else 3
    recording.parameters.update({"scripts": len(scripts), "warm runs of each": rounds})
    found: dict[str, dict[str, Series]] = {COLD: {}, WARM: {}}
    said = {}
    for number, path in enumerate(scripts):
        recording.say(f"{number + 1} of {len(scripts)}: {path.stem}")
        with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
            ways = [
                Way(name, path, Path(folder), trial=recording.quick) for name in (PYTHON, GPURUN)
            ]
            # Who begins has to find the interpreter's files on the disk
            if number % 2:
                ways.reverse()
            found[COLD][path.stem] = interleave(ways, 1, warmup=0)
            said[path.stem] = {way.name: way.stderr for way in ways}[GPURUN]
            found[WARM][path.stem] = interleave(ways, rounds, warmup=0)
    for kind, scripts_found in found.items():
        _report(recording, kind, scripts_found)
    resident = [
        name for name, text in said.items() if re.search(r"^gpurun: \d+ runs?,", text, re.M)
    ]
    recording.check(
        "gpurun says of every script that it has run it",
        len(resident) == len(said),
        f"{len(resident)} of {len(said)}",
    )
    told = [name for name in _slower(found[COLD]) if HINT in said[name]]
    recording.check(
        f"cold: where gpurun is slower, it names {HINT}",
        told == _slower(found[COLD]),
        f"{len(told)} of {len(_slower(found[COLD]))}",
    )


def _scripts() -> list[Path]:
    """Every other one of those that gpurun runs."""
    found = [p for p in sorted(SCRIPTS.glob("*.py")) if not p.name.startswith("refused_")]
    return found[::2]


class Way:
    """A script, started in one of the two ways, with caches of its own."""

    def __init__(self, name: str, path: Path, folder: Path, *, trial: bool) -> None:
        self.name = name
        front = ["-m", "gpurun", "--device", "cpu"] if name == GPURUN else []
        self.command = [sys.executable, *front, str(path), *_arguments(path)]
        self.folder = folder / ("gpurun" if name == GPURUN else "python")
        self.folder.mkdir()
        if trial:
            text = f"codegen.cpp.extra_compile_args_gcc = {TRIAL_FLAGS!r}\n"
            (self.folder / "brian_preferences").write_text(text)
        self.environment = {
            **os.environ,
            "MPLBACKEND": "Agg",
            "CYTHON_CACHE_DIR": str(self.folder / "cython"),
            "GPURUN_CACHE_DIR": str(self.folder / "gpurun"),
        }
        self.stderr = ""

    def present(self, number: int) -> Mapping[str, float]:
        """Run it once.

        Raises
        ------
        RuntimeError
            If it fails.
        """
        with Stopwatch() as watch:
            done = subprocess.run(
                self.command,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{' '.join(self.command)} failed:\n{done.stderr[-2000:]}")
        self.stderr = done.stderr
        return {"wall": watch.seconds}


def _arguments(path: Path) -> list[str]:
    """The command line that the script's header asks for."""
    marker = "# arguments: "
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(
        (line.removeprefix(marker) for line in lines if line.startswith(marker)), ""
    ).split()


def _slower(found: Mapping[str, Series]) -> list[str]:
    """The scripts that gpurun takes longer for, by the medians."""
    return [
        name for name, series in found.items() if _median(series, GPURUN) > _median(series, PYTHON)
    ]


def _median(series: Series, way: str) -> float:
    values = sorted(series[way]["wall"])
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def _report(recording: Recording, kind: str, found: Mapping[str, Series]) -> None:
    for name, series in found.items():
        for way in (PYTHON, GPURUN):
            recording.add(kind, way, name, series[way]["wall"])
        if kind == WARM:
            recording.compare(
                f"{kind}, {name}: {PYTHON} / {GPURUN}",
                series[PYTHON]["wall"],
                series[GPURUN]["wall"],
            )
    for way in (PYTHON, GPURUN):
        # Round by round
        rounds = zip(*(series[way]["wall"] for series in found.values()), strict=True)
        recording.add(f"{kind}, all scripts", way, "wall", [sum(values) for values in rounds])
    python, ours = ([_median(s, way) for s in found.values()] for way in (PYTHON, GPURUN))
    recording.compare(f"{kind}, median over the scripts: {PYTHON} / {GPURUN}", python, ours)
    if recording.quick:
        return  # two scripts, without optimisation, say nothing about that
    slower = _slower(found)
    ratios = (f"{n} {_median(found[n], GPURUN) / _median(found[n], PYTHON):.2f}" for n in slower)
    recording.check(
        f"{kind}: gpurun is slower for none of the scripts",
        not slower,
        f"slower for {len(slower)} of {len(found)}: {', '.join(ratios)}" if slower else "none",
    )
