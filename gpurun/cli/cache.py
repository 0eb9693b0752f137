"""``gpurun cache list | prune | clear``."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence

from gpurun.cache import Cache
from gpurun.cli.arguments import UsageError
from gpurun.cli.subcommand import SubcommandParser
from gpurun.cli.wording import number, size
from gpurun.config import configure, settings
from gpurun.errors import ConfigError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _parser() -> argparse.ArgumentParser:
    parser = SubcommandParser(
        prog="gpurun cache",
        description="Look after the compiled models that are kept on disk "
        "(in GPURUN_CACHE_DIR, by default the user's cache directory).",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | prune | clear")
    actions.add_parser("list", help="show what is kept, the most recently used first")
    prune = actions.add_parser(
        "prune",
        help="remove the least recently used",
        description="Remove the least recently used entries. Without options: down to "
        "GPURUN_CACHE_MAX_BYTES.",
    )
    prune.add_argument("--max-size", metavar="SIZE", help="down to this size: 500M, 2G")
    prune.add_argument(
        "--older-than", metavar="TIME", help="what was not used for so long: 12h, 30d, 2w"
    )
    actions.add_parser("clear", help="remove everything")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand; returns the exit status.

    Raises
    ------
    UsageError
        The arguments cannot be understood.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    cache = Cache()
    if options.action == "list":
        return _list(cache)
    if options.action == "prune":
        return _prune(cache, options.max_size, options.older_than)
    held = sum(info.bytes for info in cache.list())
    removed = cache.clear()
    print(f"removed {_entries(removed)}, {size(held)}, from {cache.root}")
    return 0


def _entries(count: int) -> str:
    return number(count, "entry").replace("entrys", "entries")


def _list(cache: Cache) -> int:
    from rich.console import Console
    from rich.table import Table

    entries = cache.list()
    table = Table(box=None, pad_edge=False)
    for title in ("kind", "key", "size", "last used"):
        table.add_column(title, justify="right" if title == "size" else "left", no_wrap=True)
    for info in entries:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.last_used))
        table.add_row(info.kind, info.key[:16], size(info.bytes), used)
    console = Console(highlight=False, soft_wrap=True)
    if entries:
        console.print(table)
    total = sum(info.bytes for info in entries)
    print(
        f"{_entries(len(entries))}, {size(total)} of at most "
        f"{size(settings().cache_max_bytes)}, in {cache.root}"
    )
    return 0


def _prune(cache: Cache, max_size: str | None, older_than: str | None) -> int:
    max_bytes: int | None = None
    if max_size is not None:
        try:
            max_bytes = configure(cache_max_bytes=max_size).cache_max_bytes
        except ConfigError:
            raise UsageError(
                f"--max-size {max_size}: expected a number of bytes, such as 500M or 2G."
            ) from None
    seconds = None if older_than is None else parse_age(older_than)
    removed = cache.prune(max_bytes=max_bytes, older_than=seconds)
    rest = sum(info.bytes for info in cache.list())
    print(
        f"removed {_entries(len(removed))}, {size(sum(info.bytes for info in removed))}; "
        f"{size(rest)} are left in {cache.root}"
    )
    return 0


def parse_age(text: str) -> float:
    """Turn ``90s``, ``15m``, ``12h``, ``30d`` or ``2w`` into seconds.

    Raises
    ------
    UsageError
        For anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower(), re.ASCII)
    if match is None:
        raise UsageError(f"--older-than {text}: expected a time with its unit: 12h, 30d or 2w.")
    return float(match[1]) * _SECONDS[match[2]]
