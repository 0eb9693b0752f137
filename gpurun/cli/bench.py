"""``gpurun bench``: what a user can choose on this machine, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from gpurun.cli.arguments import UsageError


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand; returns the exit status.

    Raises
    ------
    UsageError
        The arguments cannot be understood.
    """
    raise UsageError(f"gpurun bench {' '.join(arguments)}: not there yet.")
