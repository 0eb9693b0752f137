"""``gpurun check SCRIPT``: what a plain script would run, found out without simulating."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpurun.cli import devices, script
from gpurun.cli.arguments import Command, UsageError
from gpurun.cli.wording import number, seconds, size
from gpurun.config import configure, parse_device

if TYPE_CHECKING:
    from gpurun.brian.plain.analysis import PlannedRun


def run(command: Command) -> int:
    """Follow the script of a command line; returns 1 if there is something gpurun cannot run.

    Raises
    ------
    GpurunError
        The script was not started: it does not exist, or a setting has no usable value.
    """
    assert command.script is not None
    if command.runtime:
        raise UsageError("gpurun check says what gpurun would do, not what --device runtime does.")
    changes = dict(command.changes)
    if command.device is not None:
        changes["device"] = str(command.device)
    settings = configure(**changes)
    path = Path(command.script)
    script.check(path)
    device = devices.choose_for_build(parse_device(settings.device), (), quiet=settings.quiet)
    # A window would wait for somebody to close it
    os.environ["MPLBACKEND"] = "Agg"
    module = script.become_main(command.script, command.arguments)
    from gpurun.brian import takeover
    from gpurun.brian.plain.analysis import FollowingDevice, StandaloneChosenError

    handle = takeover.install(
        device=device,
        directory=None,
        seed=settings.seed,
        plain=True,
        runtime_too=command.take_over_runtime,
        following=True,
    )
    assert isinstance(handle.plain, FollowingDevice)
    ended: BaseException | None = None
    try:
        # What the script prints is not what it would print
        with contextlib.redirect_stdout(sys.stderr):
            script.execute(module)
    except StandaloneChosenError:
        print(f"{path.name} uses Brian2's standalone mode, which gpurun runs as it is.")
        return 0
    except SystemExit:
        pass
    except BaseException as error:
        ended = error
    left_alone = handle.left_alone
    handle.finish()
    _show(path, device, handle.plain.planned, left_alone=left_alone)
    if ended is not None:
        print(f"followed up to {_place(path, ended)}: {type(ended).__name__}: {ended}")
        print("  Perhaps because nothing was simulated; what comes behind it was not looked at.")
    return int(any(planned.problems for planned in handle.plain.planned))


def _place(path: Path, error: BaseException) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).name == path.name:
            return f"line {frame.lineno}"
    return "its end"


def _show(path: Path, device: str, planned: Sequence[PlannedRun], *, left_alone: bool) -> None:
    if left_alone and not planned:
        print(f"{path.name} calls set_device('runtime'), so that gpurun leaves it to Brian2.")
        return
    if not planned:
        print(f"{path.name} makes no run.")
        return
    models = list(dict.fromkeys(one.model for one in planned if one.model))
    print(
        f"{path.name} on {device}: {number(len(planned), 'run')}, "
        f"{seconds(sum(one.duration for one in planned))} of model time, "
        f"{number(len(models), 'model')} to build"
    )
    shown: set[Any] = set()
    for one in planned:
        where = "" if one.line is None else f" ({one.line})"
        if one.problems:
            print(f"  run{where}: not supported")
            for problem in one.problems:
                print(f"    {problem}")
            continue
        name = f"model {models.index(one.model) + 1}"
        print(f"  run{where}: {seconds(one.duration)} from {seconds(one.start)}, {name}")
        # The same code may be run with other sizes
        facts = one.model, tuple(sorted(text.partition(" (")[2] for text in one.objects))
        if facts not in shown:
            shown.add(facts)
            print(f"    {', '.join(one.objects)}")
            card = f", {size(one.card_memory)} on the card" if one.card_memory else ""
            print(f"    memory: {size(one.host_memory)}{card}")
