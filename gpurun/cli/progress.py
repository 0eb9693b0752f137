"""Shows what the script is doing, on stderr, while it is doing it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO, cast

from gpurun import events
from gpurun.cli.tally import Tally
from gpurun.cli.wording import number, say, seconds

_LONG_RUN = 0.5  # seconds after which a run gets a bar of its own
_REST = 0.15  # seconds without output of the script before the line comes back


class Display(Protocol):
    """Something that follows the events."""

    def __call__(self, event: events.Event) -> None:
        """Take note of an event that `Tally` has counted already."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Silence:
    """The display of ``--quiet``."""

    def __call__(self, event: events.Event) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def choose_display(tally: Tally, *, quiet: bool) -> Display:
    """Return the display that fits where stderr goes."""
    if quiet:
        return Silence()
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if terminal and os.environ.get("TERM") != "dumb":
        return LiveLine(tally)
    return PlainLines(tally)


class PlainLines:
    """Occasional plain lines, for logs: builds, and one line every few seconds.

    Parameters
    ----------
    tally : Tally
        The counts to report.
    interval : float, optional
        Seconds of wall time between two lines.
    write : callable, optional
        Takes a line.
    """

    def __init__(
        self, tally: Tally, interval: float = 10.0, write: Callable[[str], None] = say
    ) -> None:
        self._tally = tally
        self._interval = interval
        self._write = write
        self._pid = os.getpid()
        self._last = time.monotonic()

    def __call__(self, event: events.Event) -> None:
        """Write a line if it is time for one."""
        if os.getpid() != self._pid:
            return
        if isinstance(event, events.BuildStarted):
            self._write("building the model")
        elif isinstance(event, events.BuildFinished):
            how = "taken from the cache" if event.cached else "compiled"
            self._write(f"model {how} in {seconds(event.wall_time)}")
            self._last = time.monotonic()
        elif time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            self._write(", ".join(describe(self._tally)))

    def close(self) -> None:
        """Do nothing: every line is complete."""


def describe(tally: Tally) -> list[str]:
    """Return the parts of a progress line: runs done, rate, run under way."""
    parts = [number(tally.runs, "run") + " done"]
    rate = tally.rate()
    if rate is not None:
        parts.append(f"{rate:.3g} stimuli/s")
    active = tally.active()
    long = [run for run in active if time.monotonic() - run.started >= _LONG_RUN]
    if len(long) == 1:
        run = long[0]
        parts.append(f"this run {100 * run.completed:.0f} %")
        left = time_left(run.completed, time.monotonic() - run.started)
        if left is not None:
            parts.append(f"{seconds(left)} left")
    elif len(active) > 1:
        parts.append(f"{len(active)} running")
    return parts


def time_left(completed: float, elapsed: float) -> float | None:
    """Estimate the seconds that a run will still take, or None while unknown."""
    if not 0.005 < completed < 1:
        return None
    # Whole seconds below a minute would suggest more than is known.
    return max(elapsed * (1 - completed) / completed, 0.1)


class LiveLine:
    """One line at the bottom of the terminal, drawn by rich.

    The line disappears before the script writes to the same terminal and comes back
    a moment later, so that neither damages the other. It is never in the way of a
    question that the script asks (``input()`` flushes the streams first).
    """

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._resume_at = 0.0
        self._at_line_start = True
        self._closed = False
        # Console would look sys.stderr up anew, and find the hook below.
        self._console = Console(file=cast(TextIO, _Unhooked(sys.stderr)), force_terminal=True)
        self._new_live = lambda: Live(
            get_renderable=self._render,
            console=self._console,
            transient=True,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live: Live | None = None
        self._hooks = [_Hook(sys.stderr, self)]
        if sys.stdout is not None and sys.stdout.isatty():
            self._hooks.append(_Hook(sys.stdout, self))
        # rich draws in a thread, and a process must not be forked beside one.
        os.register_at_fork(before=self._before_fork)

    def __call__(self, event: events.Event) -> None:
        """Make sure that the line is there, if it may be."""
        if os.getpid() != self._pid:
            return
        if self._live is None and self._at_line_start and time.monotonic() >= self._resume_at:
            with self._lock:
                if self._live is None and not self._closed:
                    live = self._new_live()
                    live.start(refresh=True)
                    self._live = live

    def hide(self) -> None:
        """Remove the line until the next event."""
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()

    def before_write(self, text: str) -> None:
        """Make room for what the script writes."""
        if os.getpid() != self._pid or not text:
            return
        self.hide()
        self._at_line_start = text.endswith("\n")
        self._resume_at = time.monotonic() + _REST

    def before_flush(self) -> None:
        """Make room for a question of the script."""
        if os.getpid() == self._pid and not self._tally.busy():
            self.hide()

    def _before_fork(self) -> None:
        if os.getpid() == self._pid and not self._closed:
            self.hide()

    def close(self) -> None:
        """Remove the line for good and give the streams back."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            self.hide()
            self._closed = True
            for hook in self._hooks:
                hook.remove()

    def _render(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        cells: list[Any] = [Spinner("dots")]
        building = self._tally.building
        if building is not None:
            cells.append(Text(f"building the model, {seconds(now - building)}"))
        else:
            # Runs of a Pool do not raise events here.
            self._tally.collect()
            parts = describe(self._tally)
            parts.insert(2, f"{seconds(now - self._started)} elapsed")
            cells.append(Text(" · ".join(parts), no_wrap=True, overflow="ellipsis"))
            long = [run for run in self._tally.active() if now - run.started >= _LONG_RUN]
            if len(long) == 1:
                cells.append(ProgressBar(total=1, completed=long[0].completed, width=20))
        grid = Table.grid(padding=(0, 1))
        for _ in cells:
            grid.add_column(no_wrap=True)
        grid.add_row(*cells)
        return grid


class _Hook:
    """Calls a display before anything is written to a stream.

    The stream stays the same object, so that whatever a script does with it works.
    """

    def __init__(self, stream: TextIO, display: LiveLine) -> None:
        self._stream = stream
        write, flush = stream.write, stream.flush

        def hooked_write(text: str) -> int:
            display.before_write(text)
            return write(text)

        def hooked_flush() -> None:
            display.before_flush()
            flush()

        vars(stream).update(write=hooked_write, flush=hooked_flush)

    def remove(self) -> None:
        for name in ("write", "flush"):
            vars(self._stream).pop(name, None)


class _Unhooked:
    """A stream as it was before it was hooked; what rich writes to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.write = stream.write
        self.flush = stream.flush

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
