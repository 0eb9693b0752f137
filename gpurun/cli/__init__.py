"""The command line: ``gpurun SCRIPT``, and subcommands such as ``gpurun devices``.

Nothing heavy is imported before it is known what is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from gpurun.errors import GpurunError

if TYPE_CHECKING:
    from gpurun.cli.arguments import Command

# Statuses of gpurun itself; all others are the script's.
REFUSED = 2
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    words : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit status: the script's, 2 if gpurun did not start it, 130 after Ctrl-C.
    """
    try:
        return _dispatch(sys.argv[1:] if words is None else words)
    except GpurunError as error:
        print(f"gpurun: error: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has seen enough; Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _dispatch(words: Sequence[str]) -> int:
    from gpurun.cli.arguments import HELP, parse

    command = parse(words)
    if command.action == "help":
        print(HELP, end="")
        return 0
    if command.action == "version":
        from importlib.metadata import version

        print(f"gpurun {version('gpurun')}")
        return 0
    if command.action in ("run", "build"):
        from gpurun.cli import runner

        return runner.run(command)

    if command.action == "check":
        from gpurun.cli import check

        return check.run(command)
    status = _subcommand(command)
    # Here, where a closed pipe can still be dealt with.
    sys.stdout.flush()
    return status


def _subcommand(command: Command) -> int:
    from gpurun.cli.arguments import HELP, UsageError
    from gpurun.config import configure

    configure(**command.changes)
    if command.action in ("bench", "cache", "inspect", "report", "top"):
        return import_module(f"gpurun.cli.{command.action}").run(command.arguments)
    if command.arguments and command.arguments[0] not in ("-h", "--help"):
        raise UsageError(
            f"'gpurun {command.action}' takes no arguments, but {command.arguments[0]!r} was "
            f"given. A script of this name is run with 'gpurun ./{command.action}'."
        )
    if command.arguments:
        print(HELP, end="")
        return 0
    if command.action == "devices":
        from gpurun.cli import devices

        return devices.show()
    from gpurun.cli import checkup

    return checkup.run()
