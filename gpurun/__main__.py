"""``python -m gpurun`` is the same as ``gpurun``."""

import sys

from gpurun.cli import main

if __name__ == "__main__":
    sys.exit(main())
