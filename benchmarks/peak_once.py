"""Runs a program and prints its peak resident memory and its wall time as JSON.

``python -m benchmarks.peak_once PROGRAM ARGUMENT...`` imports next to nothing: where a program
is started, the system counts the memory of the process that started it, too.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    started = time.perf_counter()
    process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - started
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{sys.argv[1]} ended with the status {code}")
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"peak": used.ru_maxrss * unit, "wall": wall}))
