"""Records noise for many steps in a fresh process; prints what it took as JSON.

``python -m benchmarks.memory_once gpurun|brian2 NEURONS STEPS DIRECTORY FLAG...``, with flags for
the compiler, or brian2's own. For gpurun: the peak of this process (Python and brian2 in it),
streaming to a results file in DIRECTORY. For brian2: that of the program alone that its
cpp_standalone makes, without the Python that reads its results.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gpurun.bench.clocks import Stopwatch, resident_bytes

STREAMED = "recorded.zarr"
#: First steps whose values are compared with those of a run that records in memory.
COMPARED = 100


def _peak() -> int:
    """Peak resident memory of this program, whoever started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def gpurun_streams(neurons: int, steps: int, directory: Path) -> dict[str, Any]:
    """Stream to a file in `directory`, where the cache is, too."""
    os.environ["GPURUN_CACHE_DIR"] = str(directory / "cache")
    import brian2 as b2
    import numpy as np

    import gpurun
    from benchmarks import recorded

    b2.set_device("gpurun", build_on_run=False)
    network = recorded.noise(neurons, 1)  # noqa: F841  # has to stay alive
    model = gpurun.build()
    path = directory / STREAMED
    step = float(recorded.STEP)
    with model.session(device="cpu") as session:
        session.stream("trace", path)
        before = resident_bytes()
        with Stopwatch() as watch:
            result = session.run(duration=steps * step, seed=recorded.SEED)
        peak = _peak()
    # What came after the peak was taken does not count
    with model.session(device="cpu") as session:
        expected = session.run(
            duration=COMPARED * step, seed=recorded.SEED, record=["trace"]
        ).monitors["trace"]
    trace = gpurun.open_results(path)[0]["trace"]
    times = np.asarray(trace.t[:])
    return {
        "before": before,
        "peak": peak,
        "wall": watch.seconds,
        "loop": result.loop_time,
        "rows": times.size,
        "same": bool(
            np.array_equal(np.asarray(trace.v[:, :COMPARED]), expected["v"])
            and np.allclose(times, np.arange(steps) * step, rtol=1e-9, atol=0)
            and np.isfinite(np.asarray(trace.v[:, steps - COMPARED :])).all()
        ),
        "on disk": sum(f.stat().st_size for f in path.rglob("*") if f.is_file()),
    }


def brian2_records(neurons: int, steps: int, directory: Path) -> dict[str, Any]:
    """Record in memory, as brian2 does, in a project in `directory`."""
    import brian2 as b2

    from benchmarks import recorded

    b2.set_device("cpp_standalone", build_on_run=False)
    network = recorded.noise(neurons, steps)  # noqa: F841  # has to stay alive
    project, results = directory / "project", directory / "results"
    results.mkdir()
    b2.device.build(directory=str(project), run=False)
    command = [sys.executable, "-m", "benchmarks.peak_once", str(project / "main")]
    done = subprocess.run(
        [*command, "--results_dir", f"{results}/"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "on disk": sum(f.stat().st_size for f in results.iterdir())}


if __name__ == "__main__":
    if flags := sys.argv[5:]:
        from brian2 import prefs

        prefs["codegen.cpp.extra_compile_args_gcc"] = flags
    measure = {"gpurun": gpurun_streams, "brian2": brian2_records}[sys.argv[1]]
    print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
