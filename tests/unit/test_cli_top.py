"""`gpurun top`, with machines that are made up, and once on a terminal."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from gpurun import cli, nvml, status_board_files
from gpurun.cli import top
from gpurun.cli.top_view import Frame, Host, render
from gpurun.config import settings
from gpurun.nvml_types import Card, MigInstance, Snapshot
from gpurun.status_board import Board, BoardEntry

GIB = 1 << 30
NOW = 1_700_000_000.0
NO_DRIVER = Snapshot(problem="no NVIDIA driver is installed")
CARD = Card(
    0,
    cuda_index=1,
    name="NVIDIA H100",
    uuid="GPU-1",
    memory_total=80 * GIB,
    memory_used=20 * GIB,
    memory_free=60 * GIB,
    utilisation_gpu=93,
    utilisation_memory=41,
    temperature=67,
    power=512.4,
    power_limit=700.0,
    clock_sm=1980,
    throttle_reasons=("power cap", "sync boost"),
)
DRIVER = Snapshot("580.65", (13, 0), (CARD,), None)
HOST = Host(cpu=12.0, cores=16, memory_used=3 * GIB, memory_total=128 * GIB)
BOARD = BoardEntry(
    4711,
    NOW - 100,
    NOW - 60,
    NOW - 1,
    "/home/me/train [v2].py",
    ("cuda:0", "cuda:1"),
    done=250,
    failed=2,
    total=1000,
    rate=10.0,
    seats={"cuda:1": 3},
    memory={"cuda:1": 12 * GIB},
)


@pytest.fixture(autouse=True)
def restored_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gpurun.config._current", settings())
    places = (tmp_path / "runtime" / "gpurun" / "boards",)
    (tmp_path / "runtime").mkdir()
    monkeypatch.setattr(status_board_files, "folders", lambda: places)
    monkeypatch.setattr("gpurun.status_board.folders", lambda: places)


def shown(
    boards: tuple[BoardEntry, ...] = (), snapshot: Snapshot = NO_DRIVER, width: int = 200
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(render(Frame(NOW, boards, snapshot, HOST)))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def without_bars(line: str) -> str:
    return " ".join(word for word in line.split() if set(word) - set("━╸╺"))


# -- frames ----------------------------------------------------------------------------


def test_a_machine_without_cards_or_schedulers() -> None:
    lines = shown()
    assert lines[0].startswith("gpurun top 2023-11-1")
    assert lines[0].endswith("no card can be used: no NVIDIA driver is installed")
    assert without_bars(lines[3]) == "cpu 16 cores 3.0 GiB / 128.0 GiB 12 %"
    assert lines[4:] == ["", "no scheduler is running"]


def test_a_card() -> None:
    lines = shown(snapshot=DRIVER)
    assert lines[0].endswith("driver 580.65, CUDA up to 13.0")
    assert without_bars(lines[4]) == (
        "cuda:1 NVIDIA H100 20.0 GiB / 80.0 GiB 93 % 41 % 67 °C 512 / 700 W 1980 MHz "
        "power cap, sync boost"
    )
    # A quarter of 16 places
    assert lines[4].count("━") + lines[4].count("╸") + lines[4].count("╺") == 4


def test_figures_that_a_card_does_not_have() -> None:
    bare = Card(3)
    lines = shown(snapshot=Snapshot("580.65", None, (bare,), "CUDA sees none of these cards"))
    assert lines[0].endswith("driver 580.65 no card can be used: CUDA sees none of these cards")
    assert lines[4] == "(card 3) (does not answer) – – – – – – –"
    part = replace(bare, memory_total=GIB, power=80.0, throttle_reasons=())
    assert shown(snapshot=Snapshot(cards=(part,)))[4] == (
        "(card 3) (does not answer) – / 1.0 GiB – – – 80 W –"
    )


def test_slices_of_a_card() -> None:
    slices = (
        MigInstance(0, 0, "MIG 1g.10gb", "MIG-1", 10 * GIB, 2 * GIB, 8 * GIB, {os.getpid(): GIB}),
        MigInstance(1, None, "MIG 2g.20gb"),
    )
    divided = replace(CARD, cuda_index=0, mig=True, mig_instances=slices, utilisation_gpu=None)
    lines = [without_bars(line) for line in shown(snapshot=Snapshot("1", (13, 0), (divided,)))]
    assert lines[5] == "cuda:0 MIG 1g.10gb 2.0 GiB / 10.0 GiB"
    assert lines[6] == "slice 1 MIG 2g.20gb –"
    (process,) = [line for line in lines if line.startswith(f"cuda:0 {os.getpid()} ")]
    assert process.startswith(f"cuda:0 {os.getpid()} 1.0 GiB ")


def test_a_scheduler() -> None:
    lines = [without_bars(line) for line in shown((BOARD,))]
    assert lines[6] == (
        "4711 train [v2].py 3 on cuda:1, cuda:0 250 / 1000 2 10 1 min 15 s cuda:1 12.0 GiB running"
    )


def test_a_scheduler_that_knows_little() -> None:
    board = BoardEntry(1, NOW, NOW, NOW - 95, "", state="waiting for memory")
    lines = [without_bars(line) for line in shown((board, BOARD))]
    assert lines[6] == "1 – – 0 / – 0 – – – waiting for memory (said 1 min 35 s ago)"
    assert lines[7].startswith("4711 train")


def test_processes_of_a_card() -> None:
    own = os.getpid()
    card = replace(CARD, processes={own: GIB, 2**22 + 5: 3 * GIB, 2**22 + 4: None})
    lines = shown(snapshot=replace(DRIVER, cards=(card,)))
    start = lines.index("card pid memory program")
    assert lines[start + 1] == f"cuda:1 {2**22 + 5} 3.0 GiB –"
    name = os.path.basename(psutil.Process().cmdline()[0])
    assert lines[start + 2].startswith(f"cuda:1 {own} 1.0 GiB {name}")
    assert lines[start + 3] == f"cuda:1 {2**22 + 4} – –"


def test_a_narrow_terminal() -> None:
    assert all(len(line) <= 60 for line in shown((BOARD,), DRIVER, width=60))


# -- the command -----------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--once"]])
def test_once(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nvml, "snapshot", lambda like=None: DRIVER)
    with Board(total=77, script="train.py"):
        assert cli.main(["top", *words]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("gpurun top") == 1 and "\x1b" not in printed.out
    rows = [line.split() for line in printed.out.splitlines()]
    assert any(row[:2] == [str(os.getpid()), "train.py"] and "77" in row for row in rows)
    (host,) = [row for row in rows if row[:1] == ["cpu"]]
    total = psutil.virtual_memory().total / GIB
    assert f"{total:.1f}" in host and "%" in host


def test_until_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier: list[Snapshot | None] = []

    def snapshot(like: Snapshot | None = None) -> Snapshot:
        earlier.append(like)
        return DRIVER

    waits: list[float] = []

    def wait(period: float) -> None:
        waits.append(period)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(nvml, "snapshot", snapshot)
    monkeypatch.setattr(top, "_wait", wait)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    monkeypatch.setenv("TERM", "xterm")
    assert cli.main(["top", "--period", "0.25"]) == 0
    assert waits == [0.25, 0.25, 0.25]
    # CUDA is asked for its numbers once
    assert earlier == [None, DRIVER, DRIVER]
    assert capsys.readouterr().out.count("gpurun top") == 3


def test_interrupted_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(like: Snapshot | None = None) -> Snapshot:
        raise KeyboardInterrupt

    monkeypatch.setattr(nvml, "snapshot", interrupt)
    assert cli.main(["top"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["now"], "unrecognized arguments: now"),
        (["--period", "0"], "--period 0: expected a positive number of seconds"),
        (["--period=-1"], "--period -1: expected a positive number"),
        (["--period", "nan"], "--period nan: expected a positive number"),
        (["--period", "often"], "invalid float value: 'often'"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", *words]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("gpurun: error: ") and said in printed.err
    assert printed.out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", "--help"]) == 0
    assert "usage: gpurun top" in capsys.readouterr().out


def read_until(terminal: int, done: Callable[[bytes], bool]) -> bytes:
    """What a terminal receives, until that is enough or the other side has hung up."""
    data = b""
    limit = time.monotonic() + 60
    while not done(data) and time.monotonic() < limit:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                data += os.read(terminal, 65536)
            except OSError:  # Linux: hung up
                break
    return data


def test_on_a_terminal(tmp_path: Path) -> None:
    """Frames follow each other, Ctrl-C ends it with status 0, and the terminal is as before."""
    environment = {
        **os.environ,
        "TERM": "xterm",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "TMPDIR": tempfile.gettempdir(),
    }
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gpurun", "top", "--period", "0.02"],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment,
        start_new_session=True,
    )
    os.close(other)
    try:
        seen = read_until(terminal, lambda data: data.count(b"gpurun top") >= 3)
        assert seen.count(b"gpurun top") >= 3
        assert b"\x1b[?1049h" in seen  # a screen of its own
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, lambda data: b"\x1b[?1049l" in data and b"\x1b[?25h" in data)
        assert b"\x1b[?1049l" in rest and b"\x1b[?25h" in rest and b"Traceback" not in rest
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
