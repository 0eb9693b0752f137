"""``python -m tests.conformance CONFIGURATION...`` runs, ``compare`` writes the page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .plan import CONFIGURATIONS
from .runner import ROOT, Runner

DEFAULT_DIRECTORY = ROOT / "build" / "conformance"


def main(argv: list[str] | None = None) -> int:
    """Run the given configurations."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("what", nargs="+", choices=[*CONFIGURATIONS, "compare"])
    parser.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY)
    parser.add_argument("--shard", default="1/1", metavar="K/N")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds per test")
    options = parser.parse_args(argv)
    for name in options.what:
        if name in CONFIGURATIONS:
            Runner(name, options.directory, timeout=options.timeout).run(options.shard)
    return 0


if __name__ == "__main__":
    sys.exit(main())
