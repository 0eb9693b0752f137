"""Run logs: what is written is read, whoever else writes and however a writer ends."""

from __future__ import annotations

import json
import math
import pickle
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpurun.errors import ResultsError
from gpurun.runlog import EventEntry, MemoryEntry, RunLog, StimulusEntry, read_log

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_seconds = st.floats(allow_nan=True, allow_infinity=False)
_bytes = st.none() | st.integers(0, 2**64)
stimuli = st.fixed_dictionaries(
    {
        "index": st.integers(0, 10**9),
        "attempt": st.integers(1, 9),
        "seat": st.integers(0, 99) | st.text(max_size=9),
        "device": st.text(max_size=9),
        "began": st.floats(allow_nan=False, allow_infinity=False),
        **{f"{name}_time": _seconds for name in ("queue", "upload", "reset", "loop", "read")},
        "wall_time": _seconds,
        "memory": _bytes,
        "seed": st.none() | st.integers(0, 2**32 - 1),
        "ok": st.booleans(),
        # Also what looks like the beginning of another line, and half of a pair
        "error": st.none()
        | st.text(max_size=30)
        | st.sampled_from(['{"type": "stimulus"', "a\nb\0", "\ud800"]),
    }
)
memories = st.fixed_dictionaries(
    {
        "device": st.text(max_size=9),
        "used": _bytes,
        "own": _bytes,
        "total": _bytes,
        "time": st.floats(allow_nan=False, allow_infinity=False),
    }
)
events = st.fixed_dictionaries(
    {
        "what": st.text(max_size=20),
        "text": st.text(max_size=20),
        "time": st.floats(allow_nan=False, allow_infinity=False),
    }
)
lines = st.lists(
    st.tuples(st.just("stimulus"), stimuli)
    | st.tuples(st.just("memory"), memories)
    | st.tuples(st.just("event"), events),
    max_size=8,
)


def write(log: RunLog, entries: list[tuple[str, dict[str, Any]]]) -> None:
    for kind, entry in entries:
        getattr(log, kind)(**entry)


def expected(entries: list[tuple[str, dict[str, Any]]], kind: str, make: type) -> list[Any]:
    return [make(**entry) for name, entry in entries if name == kind]


def same(found: Any, wanted: list[Any]) -> bool:
    """Equality for which nan is equal to nan."""
    return repr([astuple(one) for one in found]) == repr([astuple(one) for one in wanted])


def stimulus(log: RunLog, index: int, **more: Any) -> None:
    log.stimulus(index, **{"seat": 0, "device": "cpu", "began": 1.5, "wall_time": 0.25, **more})


def indexes(path: Path) -> list[int]:
    return [entry.index for entry in read_log(path).stimuli]


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


# -- what is written is read -----------------------------------------------------------


@quick
@given(entries=lines)
def test_round_trip(entries: list[tuple[str, dict[str, Any]]], tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    with RunLog(path, model="abc") as log:
        write(log, entries)
    contents = read_log(path)
    (run,) = contents.runs
    assert contents.cut == ()
    assert same(run.stimuli, expected(entries, "stimulus", StimulusEntry))
    assert same(run.memory, expected(entries, "memory", MemoryEntry))
    assert same(run.events, expected(entries, "event", EventEntry))
    assert run.end is not None and run.end["lost"] == 0
    # One line for each, of the format that is written down
    texts = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [one["type"] for one in texts] == ["begin", *(kind for kind, _ in entries), "end"]


@quick
@given(entries=lines, part=st.floats(0, 1))
def test_a_log_is_read_up_to_where_it_was_cut(
    entries: list[tuple[str, dict[str, Any]]], part: float, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    with RunLog(path) as log:
        write(log, entries)
    data = path.read_bytes()
    kept = data[: round(part * len(data))]
    path.write_bytes(kept)
    whole = [json.loads(line) for line in data.splitlines()]
    complete = kept.count(b"\n")
    # A line that lacks nothing but its end is complete
    rest = kept.splitlines()[complete:]
    complete += rest == [data.splitlines()[complete]] if rest else 0
    contents = read_log(path)
    assert [e.index for e in contents.stimuli] == [
        one["index"] for one in whole[:complete] if one["type"] == "stimulus"
    ]
    assert len(contents.cut) == (len(kept.splitlines()) - complete)
    # The log can go on
    with RunLog(path) as log:
        stimulus(log, 77)
    again = read_log(path)
    assert len(again.runs) == len(contents.runs) + 1
    assert [entry.index for entry in again.runs[-1].stimuli] == [77]
    assert same(again.stimuli[:-1], list(contents.stimuli))
    assert again.cut == contents.cut


def test_facts_are_plain_data(tmp_path: Path) -> None:
    facts = {
        "devices": ("cuda:0", "cuda:1"),
        "count": np.int64(3),
        "rates": np.array([1.0, math.inf]),
        "script": Path("/a/b"),
        "type": "other",
        "format": 9,
    }
    with RunLog(tmp_path / "log", **facts) as log:
        stimulus(log, np.int32(4), memory=np.int64(7), ok=np.bool_(True), loop_time=np.float32(0.5))
    (run,) = read_log(tmp_path / "log").runs
    assert run.facts["devices"] == ["cuda:0", "cuda:1"]
    assert (run.facts["count"], run.facts["rates"]) == (3, [1.0, None])
    assert run.facts["script"] == "/a/b"
    assert run.facts["format"] == 1
    assert {"time", "gpurun", "host", "pid"} <= set(run.facts)
    (entry,) = run.stimuli
    assert (entry.index, entry.memory, entry.ok, entry.loop_time) == (4, 7, True, 0.5)


def test_each_opening_is_a_run(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RunLog(path, model="a") as log:
        stimulus(log, 0)
    with RunLog(path, model="b") as log:
        stimulus(log, 0, ok=False, error="no")
        log.event("worker lost", "SIGSEGV")
        with RunLog.join(path) as joined:
            stimulus(joined, 1)
    contents = read_log(path)
    assert [(run.number, run.facts["model"]) for run in contents.runs] == [(1, "a"), (2, "b")]
    assert [entry.index for entry in contents.runs[1].stimuli] == [0, 1]
    assert contents.runs[1].end is not None
    assert [event.what for event in contents.runs[1].events] == ["worker lost"]


def test_a_running_log_can_be_read(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log")
    stimulus(log, 0)
    (run,) = read_log(tmp_path / "log").runs
    assert len(run.stimuli) == 1 and run.end is None
    log.close(done=1)
    log.close()
    (run,) = read_log(tmp_path / "log").runs
    assert run.end is not None and run.end["done"] == 1
    with pytest.raises(ResultsError, match="has been closed") as caught:
        stimulus(log, 1)
    assert caught.value.fields["reason"] == "closed"


def test_the_end_says_what_ended_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), RunLog(tmp_path / "log"):
        raise ValueError("bad")
    (run,) = read_log(tmp_path / "log").runs
    assert run.end is not None and run.end["error"] == "ValueError: bad"


@pytest.mark.parametrize("data", [b"", b"\n", b"\0\0\0", b'{"type": "beg', b"{"])
def test_a_log_without_a_first_line_is_empty(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    assert read_log(path).runs == ()
    with RunLog(path) as log:
        stimulus(log, 5)
    assert indexes(path) == [5]


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RunLog(path) as log:
        stimulus(log, 0)
    line = json.loads(path.read_text().splitlines()[1])
    with path.open("a") as file:
        file.write(json.dumps({"type": "weather", "time": 1}) + "\n")
        file.write(json.dumps({**line, "index": 1, "colour": "red"}) + "\n")
    assert indexes(path) == [0, 1]


# -- several writers -------------------------------------------------------------------


def test_threads(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RunLog(path) as log:

        def work(seat: int) -> None:
            for index in range(200):
                stimulus(log, 1000 * seat + index, seat=seat, error="x" * (index * seat))

        threads = [threading.Thread(target=work, args=(seat,)) for seat in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = indexes(path)
    assert read_log(path).cut == ()
    for seat in range(6):
        own = [index for index in found if index // 1000 == seat]
        assert own == [1000 * seat + index for index in range(200)]


_CHILD = """
import pickle, sys
log = pickle.loads(bytes.fromhex(sys.argv[1]))
seat = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for index in range(300):
    log.stimulus(1000 * seat + index, seat=seat, device="cpu", began=1.0, wall_time=0.5,
                 error="x" * (50 * index % 9000))
log.close()
"""


def test_processes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RunLog(path) as log:
        words = [sys.executable, "-c", _CHILD, pickle.dumps(log).hex()]
        children = [
            subprocess.Popen(
                [*words, str(seat)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for seat in range(3)
        ]
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
        for child in children:  # now all of them at once
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            child.communicate()
            assert child.returncode == 0
    contents = read_log(path)
    (run,) = contents.runs
    assert contents.cut == () and run.end is not None
    for seat in range(3):
        own = [entry.index for entry in run.stimuli if entry.seat == seat]
        assert own == [1000 * seat + index for index in range(300)]


_FORK = """
import os, sys
from gpurun.runlog import RunLog
log = RunLog(sys.argv[1])
log._lock.acquire()  # as another thread might hold it
child = os.fork()
if child == 0:
    log.event("from the child")
    log.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
log._lock.release()
log.event("from the parent")
log.close()
"""


def test_fork(tmp_path: Path) -> None:
    done = run_program(_FORK, str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    (run,) = read_log(tmp_path / "log").runs
    assert [event.what for event in run.events] == ["from the child", "from the parent"]
    assert run.end is not None


_KILLED = """
import os, signal, sys
from gpurun.runlog import RunLog
log = RunLog.join(sys.argv[1])
log.event("whole")
real = os.write
def half(file, line):
    real(file, line[:int(sys.argv[2])])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
log.event("half", "x" * 100)
"""


@pytest.mark.parametrize("written", [1, 9, 40])
def test_a_writer_that_is_killed_within_a_line(written: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RunLog(path) as log:
        killed = run_program(_KILLED, str(path), str(written))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert read_log(path).cut == (3,)
        # This one does not know of it, and goes on in the same line
        stimulus(log, 1)
        stimulus(log, 2)
    contents = read_log(path)
    assert [event.what for event in contents.runs[0].events] == ["whole"]
    assert [entry.index for entry in contents.stimuli] == [1, 2]
    assert contents.cut == (3,)
    # One that comes later does know
    with RunLog.join(path) as log:
        stimulus(log, 3)
    assert indexes(path) == [1, 2, 3]


# -- a disk that is full ---------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_disk_stops_nothing() -> None:
    with pytest.warns(RuntimeWarning, match="'/dev/full' cannot be written .*Lines are lost"):
        log = RunLog("/dev/full")
    stimulus(log, 0)  # warnings are errors here: there is no second one
    assert log.lost == 2
    log.close()


_LIMITED = """
import resource, sys
from gpurun.runlog import RunLog
log = RunLog(sys.argv[1])
size = log.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
log.event("first", "x" * 200)
log.event("second")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.event("third")
assert log.lost == 2, log.lost
log.close()
"""


def test_room_again_after_half_a_line(tmp_path: Path) -> None:
    done = run_program(_LIMITED, str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    contents = read_log(tmp_path / "log")
    (run,) = contents.runs
    assert [event.what for event in run.events] == ["third"]
    assert contents.cut == (2,)
    assert run.end is not None and run.end["lost"] == 2


def test_warnings_as_errors_do_not_stop_a_seat() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("Linux has /dev/full")
    log = RunLog("/dev/full")  # pytest makes errors of warnings
    assert log.lost == 1


# -- other files -----------------------------------------------------------------------

BEGIN = '{"type": "begin", "format": 1}\n'
GOOD = {
    "type": "stimulus", "index": 0, "attempt": 1, "seat": 0, "device": "cpu", "began": 1.0,
    "queue_time": 0.0, "upload_time": 0.0, "reset_time": 0.0, "loop_time": 0.0, "read_time": 0.0,
    "wall_time": 0.0, "memory": None, "seed": None, "ok": True, "error": None,
}  # fmt: skip


def changed(**values: Any) -> str:
    return BEGIN + json.dumps({**GOOD, **values}) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "reason", "said"),
    [
        ("#!/bin/sh\necho\n", 1, "not_results", "it is no JSON"),
        ("[1, 2]\n", 1, "not_results", 'it is not a "begin" line'),
        ('{"time": 3}\n', 1, "not_results", 'it is not a "begin" line'),
        ('{"type": "event"}\n', 1, "not_results", 'it is not a "begin" line'),
        ('{"type": "begin"}\n', 1, "not_results", 'it is not a "begin" line'),
        ('{"type": "event", "ti', 1, "not_results", "it is no JSON"),
        ("[" * 100_000, 1, "not_results", "it is no JSON"),
        ('{"type": "begin", "format": 2}\n', 1, "newer_format", "has the format 2"),
        (BEGIN + "\n" + '{"type": "begin", "format": "x"}\n', 3, "newer_format", "format 'x'"),
        (BEGIN + "hello\n", 2, "damaged", "it is no JSON"),
        (BEGIN + 'hello {"type": "end"}\n', 2, "damaged", "it is no JSON"),
        (BEGIN + "3\n", 2, "damaged", "no object with a 'type'"),
        (BEGIN + '{"type": 3}\n', 2, "damaged", "no object with a 'type'"),
        (changed(index="0"), 2, "damaged", "its 'index' is '0', not an integer"),
        (changed(index=True), 2, "damaged", "its 'index' is True, not an integer"),
        (changed(began=None), 2, "damaged", "its 'began' is None, not a number"),
        (changed(loop_time="x"), 2, "damaged", "its 'loop_time' is 'x', not a number or null"),
        (changed(ok=1), 2, "damaged", "its 'ok' is 1, not true or false"),
        (changed(memory=1.5), 2, "damaged", "its 'memory' is 1.5, not an integer or null"),
        (changed(device=None), 2, "damaged", "its 'device' is None, not a text"),
        (BEGIN + '{"type": "memory", "device": "cpu"}\n', 2, "damaged", "its 'time' is None"),
    ],
)
def test_other_files_are_refused(
    text: str, line: int, reason: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ResultsError) as caught:
        read_log(path)
    assert f"Line {line} of '{path}'" in str(caught.value) and said in str(caught.value)
    fields = caught.value.fields
    assert (fields["path"], fields["line"], fields["reason"]) == (str(path), line, reason)


@pytest.mark.parametrize("text", ["precious\n", "[1]\n", "\x00\x01", '{"type": "event"}\n'])
def test_other_files_are_not_written_to(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    for opening in (RunLog, RunLog.join):
        with pytest.raises(ResultsError, match="Line 1 of"):
            opening(path)
    assert path.read_text() == text
    path.write_text('{"type": "begin", "format": 2}\n')
    with pytest.raises(ResultsError, match="has the format 2"):
        RunLog(path)


def test_files_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="There is no run log") as caught:
        read_log(tmp_path / "log")
    assert caught.value.fields["reason"] == "missing"
    with pytest.raises(ResultsError, match=r"cannot be read \(Is a directory\)"):
        read_log(tmp_path)
    with pytest.raises(ResultsError, match=r"cannot be written \(Is a directory\)"):
        RunLog(tmp_path)
    with pytest.raises(ResultsError, match="cannot be written") as caught:
        RunLog(tmp_path / "nowhere" / "log")
    assert caught.value.fields["reason"] == "not_written"


# -- the page --------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run_log.md"


def blocks(language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["slow"] == []
    assert [len(part) for part in (names["run"].stimuli, names["run"].memory)] == [1, 1]


def test_the_format_of_the_page_is_the_format(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (text,) = blocks("json")
    path.write_text(text)
    (run,) = read_log(path).runs
    assert run.facts["model"] == "8f5c1d7a20b94e63" and run.end is not None
    log = RunLog.join(path)
    (entry,) = run.stimuli
    log.stimulus(**asdict(entry))
    log.memory(**asdict(run.memory[0]))
    log.event(**asdict(run.events[0]))
    lines = path.read_text().splitlines()
    assert lines[5:] == lines[1:4]
