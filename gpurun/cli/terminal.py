"""A line at the bottom of the terminal that whatever is printed cannot damage.

The last row is taken out of the region that scrolls, as package managers do. A line that
shares the region with the script's output would have to be removed before each write, and
compiled code and child processes write without asking (Brian's ``report='text'`` does).
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
from typing import Any

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gpurun import events
from gpurun.cli.progress import LONG_RUN, describe
from gpurun.cli.tally import Tally
from gpurun.cli.wording import seconds

_PERIOD = 0.2  # seconds between two drawings
_FEWEST_ROWS = 4

_SAVE, _RESTORE = "\x1b7", "\x1b8"
# Down and up again: at the very bottom this makes room, and it keeps the column.
_MAKE_ROOM = "\x1bD\x1b[A"
_WHOLE_SCREEN = "\x1b[r"


class BottomLine:
    """Shows the counts in the last row of a terminal.

    Parameters
    ----------
    tally : Tally
        What to show.
    descriptor : int
        The terminal's file descriptor; a copy is used.
    """

    def __init__(self, tally: Tally, descriptor: int) -> None:
        self._tally = tally
        self._descriptor = os.dup(descriptor)
        self._pid = os.getpid()
        self._started = time.monotonic()
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()
        self._rows = 0  # of the terminal, while its last row is reserved
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._closed = False
        # A process must not be forked beside a thread; the next event starts it again.
        os.register_at_fork(before=self._rest)

    def __call__(self, event: events.Event) -> None:
        """Make sure that the line is drawn from now on."""
        if self._thread is None and os.getpid() == self._pid and not self._closed:
            with self._lock:
                if self._thread is None:
                    self._stop.clear()
                    self._thread = threading.Thread(target=self._draw_on, daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Remove the line and give the row back."""
        if os.getpid() != self._pid or self._closed:
            return
        self._rest()
        self._closed = True
        if self._rows:
            last_row = f"\x1b[{self._rows};1H\x1b[2K"
            self._write(f"{_SAVE}{_WHOLE_SCREEN}{last_row}{_RESTORE}")
        os.close(self._descriptor)

    def _rest(self) -> None:
        if os.getpid() != self._pid:
            return
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._stop.set()
                thread.join()

    def _draw_on(self) -> None:
        while not self._stop.is_set():
            try:
                self._draw()
            except OSError:  # the terminal was closed
                return
            self._stop.wait(_PERIOD)

    def _draw(self) -> None:
        columns, rows = os.get_terminal_size(self._descriptor)
        if rows < _FEWEST_ROWS:
            return
        text = ""
        if rows != self._rows:
            text = f"{_SAVE}{_WHOLE_SCREEN}{_RESTORE}" if self._rows else ""
            text += f"{_MAKE_ROOM}{_SAVE}\x1b[1;{rows - 1}r{_RESTORE}"
            self._rows = rows
        line = self._render(max(columns - 1, 1))
        # In one piece, so that nobody else's output can come between.
        self._write(f"{text}{_SAVE}\x1b[{rows};1H\x1b[2K{line}{_RESTORE}")

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def _render(self, width: int) -> str:
        console = Console(file=io.StringIO(), force_terminal=True, width=width, height=1)
        with console.capture() as capture:
            console.print(self._row(), end="", no_wrap=True, crop=True)
        return capture.get().partition("\n")[0]

    def _row(self) -> Table:
        now = time.monotonic()
        cells: list[Any] = [self._spinner]
        building = self._tally.building
        if building is not None:
            cells.append(Text(f"building the model, {seconds(now - building)}"))
        else:
            # Runs of a Pool do not raise events here.
            self._tally.collect()
            parts = describe(self._tally)
            parts.insert(2, f"{seconds(now - self._started)} elapsed")
            cells.append(Text(" · ".join(parts), no_wrap=True, overflow="ellipsis"))
            long = [run for run in self._tally.active() if now - run.started >= LONG_RUN]
            if len(long) == 1:
                cells.append(ProgressBar(total=1, completed=long[0].completed, width=20))
        grid = Table.grid(padding=(0, 1))
        for _ in cells:
            grid.add_column(no_wrap=True)
        grid.add_row(*cells)
        return grid
