"""``gpurun SCRIPT``: takes Brian2's standalone devices over and runs the script.

``gpurun build SCRIPT`` is the same, up to the end of the first build.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gpurun import events
from gpurun.cli import children, devices, progress, script
from gpurun.cli.arguments import Command, UsageError
from gpurun.cli.clashes import find_clashes
from gpurun.cli.tally import Tally
from gpurun.cli.wording import closing_line, say, seconds
from gpurun.config import Settings, configure, parse_device
from gpurun.errors import GpurunError

_LEFT_ALONE = """\
this script calls set_device('runtime'), so that Brian2 ran it and gpurun did not.
  'gpurun --take-over-runtime SCRIPT' runs it resident all the same."""
# Below this many seconds nobody minds a build.
_SHORT = 1.0


class _Built(SystemExit):
    """The script has built its model, and shall do no more."""

    def __init__(self, name: str) -> None:
        super().__init__(0)
        self.name = name


def _stop_after_build(event: events.Event) -> None:
    if isinstance(event, events.BuildFinished):
        raise _Built(event.name)


class _Takeover(Protocol):
    @property
    def standalone_used(self) -> bool: ...

    @property
    def plain_runs(self) -> int: ...

    @property
    def left_alone(self) -> bool: ...

    def finish(self) -> None: ...


def run(command: Command) -> int:
    """Run the script of a command line; returns its exit status.

    Raises
    ------
    GpurunError
        The script was not started: it does not exist, a setting has no usable value, or
        the device cannot be used.
    """
    assert command.script is not None
    changes = dict(command.changes)
    if command.device is not None:
        changes["device"] = str(command.device)
    elif command.runtime:
        # Where the environment says so: the settings know devices only
        os.environ["GPURUN_DEVICE"] = "auto"
    settings = configure(**changes)
    path = Path(command.script)
    script.check(path)
    if command.runtime:
        return _run_in_brian(command, verbose=settings.verbose)
    building = command.action == "build"
    if not building:
        _check_checkpoint(settings, changes)
    wanted = parse_device(settings.device)
    if building:
        # An architecture of the environment does not say that a card is meant
        named = settings.cuda_arch if "cuda_arch" in changes else ()
        device = devices.choose_for_build(wanted, named, quiet=settings.quiet)
    else:
        device = devices.choose(wanted, quiet=settings.quiet)
    clashes = find_clashes(path)
    for clash in clashes:
        say(f"warning: {clash}")
    tally = Tally()
    # What gpurun itself needs is imported before the script's directory can get in the way.
    display = progress.choose_display(tally, quiet=settings.quiet)
    directory = None if settings.directory is None else str(settings.directory)
    seed = settings.seed
    changes["device"] = device
    plain = {"plain": True, "runtime_too": command.take_over_runtime}
    inheritance = children.Inheritance(changes, device, directory, seed, str(tally.relay), plain)

    ending = _Ending(tally, display, quiet=settings.quiet, checkpoint=settings.checkpoint)
    if building:
        ending.unsubscribe_from(events.subscribe(_stop_after_build))
    # weakref's own exit function, behind which no library is closed any more, is registered by
    # the first finalizer; what is registered first comes last.
    weakref.finalize(ending, int).atexit = False
    # At the very end: threads and exit functions of the script may still run models.
    atexit.register(ending)
    module = script.become_main(command.script, command.arguments)
    try:
        from gpurun.brian import takeover

        ending.takeover = takeover.install(
            device=device, directory=directory, seed=seed, **inheritance.plain
        )
        children.pass_on(inheritance)
        script.execute(module)
    except _Built as built:
        ending.built = True
        if not settings.quiet:
            say(f"the model {built.name[:12]} is in the cache, built for {device}")
        return 0
    except SystemExit as end:
        return script.exit_status(end.code)
    except KeyboardInterrupt as interrupt:
        ending.interrupted = True
        if settings.verbose:
            script.report(interrupt, verbose=True)
        return 130
    except BaseException as error:
        ending.failed = True
        if ending.takeover is None and isinstance(error, GpurunError):
            raise
        script.report(error, verbose=settings.verbose)
        for clash in clashes:
            say(f"this may be because of {clash.path.name}; see the warning at the start.")
        return 1
    if building:
        say("error: the script has ended without building a model")
        ending.built = True
        return 1
    return 0


def _run_in_brian(command: Command, *, verbose: bool) -> int:
    """Run the script as plain Python does, and report as gpurun does."""
    assert command.script is not None
    try:
        script.execute(script.become_main(command.script, command.arguments))
    except SystemExit as end:
        return script.exit_status(end.code)
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        script.report(error, verbose=verbose)
        return 1
    return 0


def _check_checkpoint(settings: Settings, changes: Mapping[str, Any]) -> None:
    """Refuse before the script has begun what its run would refuse after an hour of set-up."""
    if settings.checkpoint is None:
        for name, option in (("resume", "--resume"), ("checkpoint_every", "--every")):
            if name in changes:
                raise UsageError(f"{option} needs a file: --checkpoint FILE.")
        return
    from gpurun.dropin_checkpoint import check_file

    check_file(settings.checkpoint, resume=settings.resume)


class _Ending:
    """What happens after the script: once, and only in the process that ran it."""

    def __init__(
        self, tally: Tally, display: progress.Display, *, quiet: bool, checkpoint: Path | None
    ) -> None:
        self.takeover: _Takeover | None = None
        self.interrupted = False
        self.failed = False
        self.built = False  # and nothing else was wanted
        self._standalone_used = False
        self._plain_runs = 0
        self._left_alone = False
        self._tally = tally
        self._display = display
        self._quiet = quiet
        self._checkpoint = checkpoint
        self._pid = os.getpid()
        self._started = time.perf_counter()
        self._began = time.time()
        self._unsubscribe = [events.subscribe(tally), events.subscribe(display)]

    def unsubscribe_from(self, end: Callable[[], None]) -> None:
        """Call `end` at the end, too."""
        self._unsubscribe.append(end)

    def __call__(self) -> None:
        if os.getpid() != self._pid:
            return
        # A second Ctrl-C: the user has waited long enough. The status is decided already.
        with contextlib.suppress(KeyboardInterrupt):
            try:
                if self.takeover is not None:
                    self._standalone_used = self.takeover.standalone_used
                    self._plain_runs = self.takeover.plain_runs
                    self._left_alone = self.takeover.left_alone
                    self.takeover.finish()
            finally:
                for end in self._unsubscribe:
                    end()
                self._display.close()
                self._tally.close()
            # A script may have closed stderr.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._warn_of_checkpoint()
                self._say_goodbye()

    def _warn_of_checkpoint(self) -> None:
        if self._checkpoint is None or self.built or self.failed or self.interrupted:
            return
        from gpurun.dropin_checkpoint import used

        if not used() and not self._saved_by_script():
            say(
                f"warning: nothing was saved to {self._checkpoint}, because the script made no "
                "device.run. Sessions are saved by session.run_for and gpurun.present."
            )

    def _saved_by_script(self) -> bool:
        """Whether the script has written the file itself, such as with gpurun.present."""
        assert self._checkpoint is not None
        try:
            return Path(self._checkpoint).stat().st_mtime >= self._began
        except OSError:
            return False

    def _say_goodbye(self) -> None:
        if self._quiet or self.takeover is None or self.built:
            return
        worked = self._tally.runs or self._tally.builds
        if worked or self._standalone_used:
            wall_time = time.perf_counter() - self._started
            say(closing_line(self._tally, wall_time, interrupted=self.interrupted))
        elif self.interrupted:
            say("interrupted")
        if self._left_alone and not (worked or self._standalone_used or self.failed):
            say(_LEFT_ALONE)
        if self._plain_runs and slow_to_build(self._tally):
            say(
                f"building took {seconds(self._tally.build_time)} for "
                f"{seconds(self._tally.run_time)} of simulation. It is in the cache now; for "
                "scripts as short as this, --device runtime may be faster."
            )


def slow_to_build(tally: Tally) -> bool:
    """Whether compiling took so much longer than simulating that the user should know."""
    compiled = tally.builds > tally.cached
    return compiled and tally.build_time > max(_SHORT, 2 * tally.run_time)
