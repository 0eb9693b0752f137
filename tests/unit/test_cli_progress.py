"""Progress in plain lines, and on a terminal that is emulated well enough to read it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from gpurun import events
from gpurun.cli import progress, tally
from gpurun.cli.progress import PlainLines, Silence, choose_display, describe, time_left
from gpurun.cli.tally import Tally
from tests.unit.cli_fakes import CommandLine


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(tally, "time", clock)
    return clock


def test_plain_lines_are_occasional(clock: Clock) -> None:
    counts = Tally()
    lines: list[str] = []
    plain = PlainLines(counts, interval=10.0, write=lines.append)

    def emit(event: events.Event) -> None:
        counts(event)
        plain(event)

    emit(events.BuildStarted())
    clock.now += 14
    emit(events.BuildFinished("key", 14.0, 13.0, cached=False))
    assert lines == ["building the model", "model compiled in 14.0 s"]
    for _ in range(3500):
        emit(events.RunStarted(0.35))
        clock.now += 1 / 128  # exact in binary
        emit(events.RunFinished(0.35, 1 / 128, 1.0))
    assert lines[2:] == ["1280 runs done, 128 stimuli/s", "2560 runs done, 128 stimuli/s"]
    emit(events.RunStarted(100.0))
    for step in range(1, 21):
        clock.now += 1
        emit(events.RunProgress(step / 100, float(step)))
    assert lines[-1].endswith(", this run 13 %, 1 min 27 s left")


def test_cached_build_is_not_called_compiled() -> None:
    lines: list[str] = []
    plain = PlainLines(Tally(), write=lines.append)
    plain(events.BuildFinished("key", 0.1, 0.0, cached=True))
    assert lines == ["model taken from the cache in 0.100 s"]


def test_time_left() -> None:
    assert time_left(0.0, 5.0) is None
    assert time_left(0.25, 5.0) == pytest.approx(15)
    assert time_left(1.0, 5.0) is None


def test_runs_side_by_side_are_counted(clock: Clock) -> None:
    counts = Tally()
    counts._active = {1: tally.ActiveRun(clock.now - 9), 2: tally.ActiveRun(clock.now - 9)}
    assert describe(counts) == ["0 runs done", "2 running"]


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_display(Tally(), quiet=True), Silence)
    assert isinstance(choose_display(Tally(), quiet=False), PlainLines)  # pytest has no terminal
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(choose_display(Tally(), quiet=False), PlainLines)


# -- on a terminal -------------------------------------------------------------------


class Screen:
    """What a terminal shows after it received `text`."""

    def __init__(self, text: str) -> None:
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_visible = True
        for token in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\x1b.|[\r\n]|[^\x1b\r\n]+", text):
            self._take(token)

    def _take(self, token: str) -> None:
        if token == "\r":
            self.column = 0
        elif token == "\n":
            self.row += 1
            self.lines.extend([""] * (self.row + 1 - len(self.lines)))
        elif token in ("\x1b[?25l", "\x1b[?25h"):
            self.cursor_visible = token.endswith("h")
        elif token.startswith("\x1b[") and token.endswith("m"):
            pass
        elif token == "\x1b[2K":
            self.lines[self.row] = ""
        elif match := re.fullmatch(r"\x1b\[(\d+)A", token):
            self.row -= int(match[1])
        elif token.startswith("\x1b"):
            raise AssertionError(f"unexpected sequence {token!r}")
        else:
            line = self.lines[self.row].ljust(self.column)
            end = self.column + len(token)
            self.lines[self.row] = line[: self.column] + token + line[end:]
            self.column = end


def on_terminal(
    gpurun: CommandLine, *words: str, stdout: bool = True, answer: str = "", term: str = "xterm"
) -> tuple[str, str, int]:
    """Return what the terminal got, what a redirected stdout got, and the exit status."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        gpurun.command(words),
        cwd=gpurun.directory,
        env={**gpurun.environment, "TERM": term, "COLUMNS": "100", "NO_COLOR": "1"},
        stdin=follower,
        stdout=follower if stdout else subprocess.PIPE,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        if answer:
            os.write(leader, answer.encode())
        received = bytearray()
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # Linux says that all writers are gone
                break
            if not data:
                break
            received += data
        printed = process.stdout.read().decode() if process.stdout else ""
    os.close(leader)
    return received.decode(), printed, process.returncode


HEADER = """
import os, sys, time
from gpurun import events
from gpurun.brian import takeover
takeover.current.standalone_used = True
def present(wall=0.005, steps=0):
    events.emit(events.RunStarted(0.35))
    for step in range(steps):
        time.sleep(wall / steps)
        events.emit(events.RunProgress((step + 1) / steps, wall * (step + 1) / steps))
    events.emit(events.RunFinished(0.35, wall, 1.0))
"""


@pytest.fixture
def gpurun(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_line_shows_runs_and_leaves_no_trace(gpurun: CommandLine) -> None:
    body = """
        events.emit(events.BuildStarted())
        time.sleep(0.5)
        events.emit(events.BuildFinished("key", 0.5, 0.4, False))
        for i in range(200):
            time.sleep(0.005)
            present()
        present(1.5, steps=30)
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    text, _, status = on_terminal(gpurun, "--device", "cpu", name)
    assert status == 0
    assert "building the model, 0." in text
    assert re.search(r"\d+ runs done · \d+(\.\d+)? stimuli/s · \d\.\d s elapsed", text)
    assert re.search(r"this run \d\d % · 0\.\d+ s left ━", text)
    screen = Screen(text)
    assert screen.cursor_visible
    (closing,) = filter(None, screen.lines)
    assert closing.startswith("gpurun: 201 runs, 1 min 10 s of model time")


def test_the_scripts_output_stays_whole(gpurun: CommandLine) -> None:
    body = """
        for i in range(40):
            present(0.05, steps=5)
            print("line", i)
            time.sleep(0.02)
        for i in range(20):
            present(0.05, steps=2)
            print(".", end="", flush=True)
        print()
        print("an error message", file=sys.stderr)
        sys.stdout.writelines(["one\\n", "two\\n"])
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    text, _, status = on_terminal(gpurun, "--device", "cpu", name)
    assert status == 0
    lines = [line.rstrip() for line in Screen(text).lines if line.strip()]
    assert lines[:-1] == [
        *(f"line {i}" for i in range(40)),
        "." * 20,
        "an error message",
        "one",
        "two",
    ]
    assert lines[-1].startswith("gpurun: 60 runs")


def test_redirected_output_is_untouched(gpurun: CommandLine) -> None:
    body = """
        for i in range(3):
            present(0.2, steps=5)
            print("line", i, sys.stdout.isatty())
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    text, printed, _ = on_terminal(gpurun, "--device", "cpu", name, stdout=False)
    assert printed == "".join(f"line {i} False\n" for i in range(3))
    assert "line" not in text
    assert "runs done" in text


def test_a_question_is_not_overwritten(gpurun: CommandLine) -> None:
    body = """
        present(0.5, steps=5)
        answer = input("go on? ")
        print("answer:", answer)
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    text, _, status = on_terminal(gpurun, "--device", "cpu", name, answer="yes\n")
    assert status == 0
    asked = text.index("go on? ")
    # Nothing is drawn between the question and what the script prints next.
    assert "done" not in text[asked : text.index("answer: yes")]
    # The terminal's own echo of the answer came before; there is no line after the question.
    assert "go on? answer: yes" in [line.strip() for line in Screen(text).lines]


def test_traceback_after_a_line(gpurun: CommandLine) -> None:
    name = gpurun.script(HEADER + "present(0.5, steps=5)\n1 / 0\n")
    text, _, status = on_terminal(gpurun, "--device", "cpu", name)
    assert status == 1
    lines = [line.rstrip() for line in Screen(text).lines if line.strip()]
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert lines[-1].startswith("gpurun: 1 run,")


def test_streams_are_the_scripts_own(gpurun: CommandLine) -> None:
    body = """
        import io
        assert sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
        assert isinstance(sys.stdout, io.TextIOWrapper)
        present(0.3, steps=3)
        sys.stdout.reconfigure(line_buffering=True)
        sys.stdout.buffer.write(b"bytes\\n")
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    _, _, status = on_terminal(gpurun, "--device", "cpu", name)
    assert status == 0


def test_fork_beside_the_line(gpurun: CommandLine) -> None:
    body = """
        import multiprocessing, warnings
        warnings.simplefilter("error")  # Python warns of a fork beside a thread
        def work(i):
            present(0.02, steps=2)
            print("child", i, flush=True)
        present(0.5, steps=5)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(work, range(10), chunksize=1)
        present(0.5, steps=5)
        """
    name = gpurun.script(HEADER + textwrap.dedent(body))
    text, _, status = on_terminal(gpurun, "--device", "cpu", name)
    assert status == 0
    screen = Screen(text)
    lines = sorted(line.strip() for line in screen.lines if line.strip())
    assert lines[:10] == sorted(f"child {i}" for i in range(10))
    assert lines[10].startswith("gpurun: 12 runs")
    assert screen.cursor_visible


def test_dumb_terminal_gets_plain_lines(gpurun: CommandLine) -> None:
    name = gpurun.script(HEADER + "present(0.5, steps=5)\n")
    text, _, _ = on_terminal(gpurun, "--device", "cpu", name, term="dumb")
    assert "\x1b" not in text
    assert text.startswith("gpurun: 1 run,")


def test_quiet_terminal(gpurun: CommandLine) -> None:
    name = gpurun.script(HEADER + "present(0.5, steps=5)\n")
    assert on_terminal(gpurun, "-q", name)[0] == ""


def test_events_cost_microseconds() -> None:
    """A run of a small model takes a millisecond; watching it must not show."""
    counts = Tally()
    display: Any = choose_display(counts, quiet=False)
    started = time.perf_counter()
    for _ in range(10_000):
        for event in (events.RunStarted(0.1), events.RunFinished(0.1, 0.1, 1.0)):
            counts(event)
            display(event)
    assert (time.perf_counter() - started) / 10_000 < 200e-6
