"""The progress line on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import textwrap
from pathlib import Path

import pytest

from tests.unit.cli_fakes import CommandLine
from tests.unit.cli_screen import Screen

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


class Terminal:
    """Runs commands on a terminal of its own."""

    def __init__(self, directory: Path) -> None:
        self.gpurun = CommandLine(directory)
        self.size: tuple[int, int] = (12, 100)
        self.answer = ""
        self.term = "xterm"
        self.redirect = False
        self.status = 0
        self.received = ""
        self.redirected = ""

    def __call__(self, text: str, *options: str) -> Screen:
        """Run a script and return what the terminal shows at the end."""
        self.run(text, *options)
        screen = Screen(*self.size, self.received)
        assert screen.region == (0, self.size[0] - 1), "the row was not given back"
        return screen

    def run(self, text: str, *options: str) -> None:
        name = self.gpurun.script(HEADER + textwrap.dedent(text))
        leader, follower = pty.openpty()
        fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", *self.size, 0, 0))
        with subprocess.Popen(
            self.gpurun.command([*options, "--device", "cpu", name]),
            cwd=self.gpurun.directory,
            env={**self.gpurun.environment, "TERM": self.term, "NO_COLOR": "1"},
            stdin=follower,
            stdout=subprocess.PIPE if self.redirect else follower,
            stderr=follower,
            start_new_session=True,
        ) as process:
            os.close(follower)
            os.write(leader, self.answer.encode())
            received = bytearray()
            while True:
                try:
                    data = os.read(leader, 65536)
                except OSError:  # Linux says so when all writers are gone
                    break
                if not data:
                    break
                received += data
            self.redirected = process.stdout.read().decode() if process.stdout else ""
        os.close(leader)
        self.status = process.returncode
        self.received = received.decode()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_line_shows_runs_and_leaves_no_trace(terminal: Terminal) -> None:
    screen = terminal("""
        events.emit(events.BuildStarted())
        time.sleep(0.5)
        events.emit(events.BuildFinished("key", 0.5, 0.4, False))
        for i in range(200):
            time.sleep(0.005)
            present()
        present(1.5, steps=30)
        """)
    assert terminal.status == 0
    shown = "\n".join(screen.history)
    assert re.search(r"building the model, 0\.\d+ s", shown)
    assert re.search(r"\d+ runs done · \d+(\.\d+)? stimuli/s · \d\.\d s elapsed", shown)
    assert re.search(r"this run \d\d % · 0\.\d+ s left ━", shown)
    (closing,) = screen.text
    assert closing.startswith("gpurun: 201 runs, 1 min 10 s of model time")


def test_output_of_all_kinds_stays_whole(terminal: Terminal) -> None:
    screen = terminal("""
        present(0.3, steps=5)
        for i in range(40):
            present(0.02, steps=5)
            print("line", i)
        for i in range(20):
            present(0.05, steps=2)
            print(".", end="", flush=True)
        print()
        print("an error message", file=sys.stderr)
        os.write(1, b"compiled code\\n")
        present(0.3, steps=2)
        os.system("echo a child; sleep 0.3; echo the end of it")
        present(0.3, steps=2)
        """)
    assert terminal.status == 0
    *text, closing = screen.text
    assert text == [
        *(f"line {i}" for i in range(40)),
        "." * 20,
        "an error message",
        "compiled code",
        "a child",
        "the end of it",
    ]
    assert closing.startswith("gpurun: 63 runs")
    assert any("runs done" in line for line in screen.history)


def test_partial_lines_and_a_question(terminal: Terminal) -> None:
    terminal.answer = "yes\n"
    screen = terminal("""
        for i in range(30):
            print("line", i)
        present(0.5, steps=5)
        print("partial", end=" ", flush=True)
        present(0.5, steps=5)
        answer = input("go on? ")
        present(0.5, steps=5)
        print("answer:", answer)
        """)
    assert terminal.status == 0
    lines = screen.text
    assert lines[1:31] == [f"line {i}" for i in range(30)]  # the terminal echoes the answer first
    assert lines[31:33] == ["partial go on? answer: yes", lines[-1]]


def test_traceback_after_a_line(terminal: Terminal) -> None:
    screen = terminal("present(0.5, steps=5)\n1 / 0\n")
    assert terminal.status == 1
    lines = screen.text
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert lines[-1].startswith("gpurun: 1 run,")


def test_redirected_output_is_untouched(terminal: Terminal) -> None:
    terminal.redirect = True
    screen = terminal("""
        for i in range(3):
            present(0.3, steps=5)
            print("line", i, sys.stdout.isatty())
        """)
    assert terminal.redirected == "".join(f"line {i} False\n" for i in range(3))
    assert "line" not in terminal.received
    assert any("runs done" in line for line in screen.history)


def test_streams_are_the_scripts_own(terminal: Terminal) -> None:
    terminal("""
        import io
        assert sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
        assert type(sys.stdout) is io.TextIOWrapper
        assert sys.stdout.isatty() and sys.stdout.fileno() == 1
        assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)
        """)
    assert terminal.status == 0


def test_fork_beside_the_line(terminal: Terminal) -> None:
    screen = terminal("""
        import multiprocessing, warnings
        warnings.simplefilter("error")  # Python warns of a fork beside a thread
        def work(i):
            present(0.02, steps=2)
            os.write(1, f"child {i}\\n".encode())  # in one piece
        present(0.5, steps=5)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(work, range(10), chunksize=1)
        present(0.5, steps=5)
        """)
    assert terminal.status == 0
    *lines, closing = screen.text
    assert sorted(lines) == [f"child {i}" for i in range(10)]
    assert closing.startswith("gpurun: 12 runs")
    assert any("11 runs done" in line for line in screen.history)


def test_narrow_terminal(terminal: Terminal) -> None:
    terminal.size = (12, 30)
    screen = terminal("present(1.2, steps=20)\nprint('ok')\n")
    assert screen.text[0] == "ok"
    assert max(len(line) for line in screen.history) < 30


@pytest.mark.parametrize("size", [(0, 0), (3, 80)])
def test_terminal_without_room(terminal: Terminal, size: tuple[int, int]) -> None:
    terminal.size = size
    terminal.run("present(0.5, steps=5)\nprint('ok')\n")
    assert terminal.status == 0
    assert "\x1b" not in terminal.received
    assert "ok" in terminal.received


def test_resized_terminal(terminal: Terminal) -> None:
    screen = terminal("""
        import fcntl, struct, termios
        present(0.5, steps=5)
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 100, 0, 0))
        present(0.8, steps=5)
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 100, 0, 0))
        present(0.8, steps=5)
        print("ok")
        """)
    assert terminal.status == 0
    assert "\x1b[1;7r" in terminal.received
    assert "ok" in screen.text[0]


def test_dumb_terminal_gets_plain_lines(terminal: Terminal) -> None:
    terminal.term = "dumb"
    terminal.run("present(0.5, steps=5)\n")
    assert "\x1b" not in terminal.received
    assert terminal.received.startswith("gpurun: 1 run,")


def test_quiet_terminal(terminal: Terminal) -> None:
    terminal("present(0.5, steps=5)\n", "--quiet")
    assert terminal.received == ""
