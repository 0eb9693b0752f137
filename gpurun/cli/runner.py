"""``gpurun SCRIPT``: takes Brian2's standalone devices over and runs the script.

``gpurun build SCRIPT`` is the same, up to the end of the first build.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import types
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gpurun import events
from gpurun.cli import children, devices, progress, script
from gpurun.cli.arguments import Command, UsageError
from gpurun.cli.clashes import find_clashes
from gpurun.cli.tally import Tally
from gpurun.cli.wording import closing_line, say
from gpurun.config import Settings, configure, parse_device
from gpurun.errors import GpurunError

_PLAIN = """\
this script does not use Brian2's standalone mode, so gpurun did not speed it up.
  Add this before the network is created:
      set_device('cpp_standalone', build_on_run=False)
  and this after the last run(...):
      device.build(run=False)
      device.run(run_args={...})    # once per stimulus"""


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
    settings = configure(**changes)
    path = Path(command.script)
    script.check(path)
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
    inheritance = children.Inheritance(changes, device, directory, seed, str(tally.relay))

    ending = _Ending(tally, display, quiet=settings.quiet, checkpoint=settings.checkpoint)
    if building:
        ending.unsubscribe_from(events.subscribe(_stop_after_build))
    # weakref's own exit function, behind which no library is closed any more, is registered by
    # the first finalizer; what is registered first comes last.
    weakref.finalize(ending, int).atexit = False
    # At the very end: threads and exit functions of the script may still run models.
    atexit.register(ending)
    module = script.become_main(command.script, command.arguments)
    ending.module = module
    try:
        from gpurun.brian import takeover

        ending.takeover = takeover.install(device=device, directory=directory, seed=seed)
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
        self.module: types.ModuleType | None = None
        self.interrupted = False
        self.failed = False
        self.built = False  # and nothing else was wanted
        self._standalone_used = False
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
        if not (worked or self._standalone_used or self.failed) and self._imports_brian():
            say(_PLAIN)

    def _imports_brian(self) -> bool:
        """Whether the script itself, not only gpurun, uses Brian2."""
        for value in list(vars(self.module).values() if self.module else ()):
            owner = value.__name__ if isinstance(value, types.ModuleType) else None
            owner = owner or getattr(value, "__module__", None)
            if isinstance(owner, str) and owner.partition(".")[0] == "brian2":
                return True
        return False
