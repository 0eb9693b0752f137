"""Runs a program, and writes its peak resident memory in bytes to a file.

``python -I -S peak_once.py FILE PROGRAM ARGUMENT...`` imports next to nothing.
"""

import os
import sys

if __name__ == "__main__":
    process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
    _, status, used = os.wait4(process, 0)
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(str(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
    sys.exit(os.waitstatus_to_exitcode(status))
