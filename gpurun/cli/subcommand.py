"""What the subcommands' own parsers share."""

from __future__ import annotations

import argparse

from gpurun.cli.arguments import UsageError


class SubcommandParser(argparse.ArgumentParser):
    """A parser whose complaints are `UsageError`, and say where to read more."""

    def error(self, message: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raise UsageError instead of ending the process."""
        raise UsageError(f"{self.prog}: {message}. '{self.prog} --help' shows the usage.")
