"""A process that writes a results file: ``python -m tests.unit.results_writer PATH SEED ROWS``.

Appends runs of ROWS rows in pieces of random sizes, until it is killed or, with ROWS > 0 and a
fourth argument, has written that many runs. Says "begun" when there is something to see.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from gpurun.results_file import ResultsWriter, RunWriter
from tests.unit.results_runs import RECORDERS, ROWS, results_manifest


def one_run(run: RunWriter, sizes: random.Random, rows: int) -> None:
    done = dict.fromkeys(ROWS, 0)
    while any(count < rows for count in done.values()):
        monitor = sizes.choice([name for name, count in done.items() if count < rows])
        count = min(sizes.randrange(1, 200), rows - done[monitor])
        run.append(monitor, ROWS[monitor](done[monitor], count))
        done[monitor] += count
        if sizes.random() < 0.1:
            run.flush()


def main(path: str, seed: str, rows: str, runs: str = "1000000") -> None:
    sizes = random.Random(int(seed))
    with ResultsWriter(
        Path(path),
        manifest=results_manifest(),
        recorders=RECORDERS,
        chunk_bytes=4096,
        sync=False,
    ) as writer:
        for number in range(int(runs)):
            with writer.run(seed=number) as run:
                if not number:
                    print("begun", flush=True)
                one_run(run, sizes, int(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
