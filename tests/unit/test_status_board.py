"""What running schedulers say, who sees it, and what becomes of the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gpurun import status_board, status_board_files
from gpurun.status_board import Board, read_boards


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the boards."""
    runtime, temporary = tmp_path / "runtime", tmp_path / "temporary"
    runtime.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    places = (runtime / "gpurun" / "boards", temporary / f"gpurun-{os.getuid()}" / "boards")
    found = status_board_files.folders()
    assert (found[0], found[-1]) == places
    # Not the one of whoever runs the tests
    monkeypatch.setattr(status_board_files, "folders", lambda: places)
    monkeypatch.setattr(status_board, "folders", lambda: places)
    return places[0]


class Clock:
    """A clock that is set by hand, and the timers that wait for it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(threading, "Timer", self.timer)

    def timer(self, seconds: float, function: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, function))
        return self.timers[-1]


class Timer:
    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.seconds, self.function = seconds, function
        self.daemon = self.started = self.cancelled = False

    def start(self) -> None:
        self.started = self.daemon

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def content(board: Board) -> dict[str, Any]:
    assert board.path is not None
    return json.loads(board.path.read_text())


def test_what_is_said_is_read(folder: Path) -> None:
    before = time.time()
    with Board(500, ["cuda:0", "cuda:1"], script="/a/train.py", period=0.0) as board:
        (entry,) = read_boards()
        assert (entry.done, entry.total, entry.rate, entry.time_left) == (0, 500, None, None)
        board.update(done=90, failed=10, rate=8.0, seats={"cuda:0": 2}, state="shrunk")
        board.update(memory={"cuda:0": np.int64(7), "cuda:1": None})
        (entry,) = read_boards()
        assert entry.pid == os.getpid()
        assert entry.process_started == psutil.Process().create_time()
        assert before <= entry.began <= entry.updated <= time.time()
        assert (entry.script, entry.devices) == ("/a/train.py", ("cuda:0", "cuda:1"))
        assert (entry.done, entry.failed, entry.total, entry.rate) == (90, 10, 500, 8.0)
        assert (entry.seats, entry.memory, entry.state) == ({"cuda:0": 2}, {"cuda:0": 7}, "shrunk")
        assert entry.time_left == 50.0
        assert board.path is not None and board.path.parent == folder
    assert read_boards() == [] and list(folder.iterdir()) == []
    board.close()
    board.update(done=3)
    assert list(folder.iterdir()) == []


def test_files_are_for_the_user_alone(folder: Path) -> None:
    with Board():
        for place in (folder, folder.parent):
            assert place.stat().st_mode & 0o777 == 0o700


def test_several_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    with Board(1) as first, Board(2), Board(3):
        assert [entry.total for entry in read_boards()] == [1, 2, 3]
        first.close()
        assert [entry.total for entry in read_boards()] == [2, 3]


def test_updates_are_cheap(clock: Clock) -> None:
    board = Board(100)
    clock.now += 0.4
    board.update(done=1)
    board.update(done=2)
    assert content(board)["done"] == 0
    (timer,) = clock.timers
    assert timer.started and timer.seconds == pytest.approx(0.6)
    # Nothing more comes for a while: the last one is written all the same
    clock.now += 0.6
    timer.function()
    assert content(board)["done"] == 2
    clock.now += 1.0
    board.update(done=3)
    assert content(board)["done"] == 3 and len(clock.timers) == 1
    board.update(done=4)
    assert len(clock.timers) == 2
    board.close()
    assert clock.timers[1].cancelled
    clock.timers[1].function()  # was under way already
    assert read_boards() == []


def test_rate_of_late(clock: Clock) -> None:
    with Board(1000, period=0.0) as board:
        for second in range(1, 101):
            clock.now += 1.0
            # Ten in a second at first, two later on
            board.update(done=10 * second if second <= 50 else 500 + 2 * (second - 50))
            if second == 20:
                assert content(board)["rate"] == pytest.approx(10.0)
        assert content(board)["rate"] == pytest.approx(2.0)
        board.update(rate=7.0)
        clock.now += 1.0
        board.update(done=700)
        assert content(board)["rate"] == 7.0


def test_threads() -> None:
    with Board(period=0.0) as board:

        def work(number: int) -> None:
            for done in range(50):
                board.update(done=done, seats={f"cuda:{number}": done})
                for entry in read_boards():
                    assert entry.done < 50

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (entry,) = read_boards()
        assert entry.done == 49


# -- other processes -------------------------------------------------------------------

_CHILD = """
import os, sys
from gpurun import status_board, status_board_files
board = status_board.Board(total=9, script="child.py")
print("ready", flush=True)
sys.stdin.readline()
os._exit(1)  # without a word
"""


def test_a_process_that_ends_without_a_word(folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        (entry,) = read_boards()
        assert (entry.pid, entry.script, entry.total) == (child.pid, "child.py", 9)
        child.stdin.write("end\n")
        child.stdin.flush()
        # It is a zombie now, and then gone
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert read_boards() == [] and list(folder.iterdir()) == []
    finally:
        child.kill()
        child.communicate()


def test_a_number_that_another_process_has_now(folder: Path) -> None:
    with Board() as board:
        facts = content(board)
        facts["process_started"] -= 60.0
        assert board.path is not None
        board.path.write_text(json.dumps(facts))
        assert read_boards() == [] and list(folder.iterdir()) == []
        # The clock may have been set a little
        facts["process_started"] += 59.0
        board.path.write_text(json.dumps(facts))
        assert len(read_boards()) == 1


def free_number() -> int:
    """The number of a process that is no more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_processes_left_half_written_is_removed(folder: Path) -> None:
    with Board():
        gone = free_number()
        (folder / f".{gone}-1.json.tmp").write_text('{"form')
        (folder / f"{gone}-2.json").write_text("")
        mine = folder / f".{os.getpid()}-99.json.tmp"
        mine.write_text('{"form')
        (folder / "README").write_text("kept")
        assert len(read_boards()) == 1
        assert {path.name for path in folder.iterdir()} >= {mine.name, "README"}
        assert not list(folder.glob(f"*{gone}-*"))


def test_a_container_has_numbers_of_its_own(folder: Path) -> None:
    with Board() as board:
        facts = content(board)
        assert board.path is not None
        gone = folder / f"{free_number()}-1.json"
        gone.write_text(json.dumps({**facts, "namespace": "pid:[1]"}))
        assert len(read_boards()) == 1 and gone.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"done": None},
        {"done": "many"},
        {"seats": [1]},
        {"memory": {"cpu": None}},
        {"devices": 3},
    ],
)
def test_what_cannot_be_understood_is_passed_over(changes: dict[str, Any]) -> None:
    with Board() as board, Board(7):
        assert board.path is not None
        board.path.write_text(json.dumps({**content(board), **changes}))
        assert [entry.total for entry in read_boards()] == [7]
        board.path.write_text("[]")
        assert [entry.total for entry in read_boards()] == [7]
        board.path.write_bytes(b"\xff")
        assert [entry.total for entry in read_boards()] == [7]
        assert board.path.exists()  # its process still runs


_FORK = """
import os
from gpurun.status_board import Board, read_boards
board = Board(5, period=0.0)
board._lock.acquire()  # as another thread might hold it
child = os.fork()
if child == 0:
    board.update(done=3)
    board.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
board._lock.release()
(entry,) = read_boards()
assert entry.done == 0
board.close()
assert read_boards() == []
"""


def test_a_forked_child_says_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# -- folders ---------------------------------------------------------------------------


def test_a_folder_that_others_can_enter_is_not_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    with Board(4) as board:
        assert board.path is not None and "temporary" in str(board.path)
        assert [entry.total for entry in read_boards()] == [4]
        (folder / board.path.name).write_text(board.path.read_text())
        assert len(read_boards()) == 1


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.parent.symlink_to(elsewhere)
    with Board() as board:
        assert board.path is not None and "temporary" in str(board.path)
        assert list(elsewhere.iterdir()) == []


def test_no_folder_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = (tmp_path / "file" / "boards",)
    monkeypatch.setattr(status_board, "folders", lambda: places)
    monkeypatch.setattr(status_board_files, "folders", lambda: places)
    with Board(period=0.0) as board:
        board.update(done=1)
        assert board.path is None and read_boards() == []


def test_a_folder_that_goes_with_a_logout(folder: Path) -> None:
    with Board(3, period=0.0) as board:
        assert board.path is not None
        board.path.unlink()
        folder.rmdir()
        folder.parent.rmdir()
        folder.parent.parent.rmdir()
        board.update(done=1)
        assert "temporary" in str(board.path)
        assert [entry.done for entry in read_boards()] == [1]
    assert read_boards() == []


@pytest.mark.parametrize("given", [None, "", "relative"])
def test_runtime_directory_of_the_environment(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    if given is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    assert all(place.is_absolute() for place in status_board_files.folders())
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/absolute")
    assert status_board_files.folders()[0] == Path("/absolute/gpurun/boards")


_SCRIPT = """
from gpurun.status_board import Board, read_boards
with Board() as board:
    print(read_boards()[-1].script)
"""


def test_the_program_is_the_script(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(_SCRIPT)
    for words, said in (([str(path)], str(path)), (["-c", _SCRIPT], "-c")):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        assert done.stdout == f"{said}\n"
