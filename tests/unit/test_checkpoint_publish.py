"""A checkpoint is there completely or not at all, whenever its writer stops."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpurun import checkpoint_publish
from gpurun.checkpoint import read_checkpoint, write_checkpoint
from gpurun.errors import CheckpointError
from tests.unit.checkpoint_states import facts, state
from tests.unit.manifests import manifest

# Little is in them, because there are as many trials as calls
FEW = ("cells.v", "cells.on")
VALUES = {name: state().values[name] for name in FEW}
OLD, NEW = (
    state(t=t, values={**VALUES, "large": np.full(3000, t)}, timed_arrays={}) for t in (1.0, 2.0)
)
DESCRIBED = manifest(clocks={}, constants={})
CALLS = {
    os: ("open", "pwrite", "ftruncate", "fsync", "replace", "preadv", "fstat", "unlink", "scandir"),
    checkpoint_publish.fcntl: ("flock",),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.h5"
    write(path, OLD)
    return path


def write(path: Path, one: Any) -> None:
    write_checkpoint(path, one, DESCRIBED, model_digest="")


def kept(path: Path) -> float:
    """The model time in the file, which has to be one of the two that were written."""
    found = read_checkpoint(path).state
    assert facts(found) in (facts(OLD), facts(NEW))
    return found.t


def others(path: Path) -> list[Path]:
    return [entry for entry in path.parent.iterdir() if entry != path]


def make_old(paths: list[Path]) -> None:
    for leftover in paths:
        os.utime(leftover, (1e9, 1e9))


@contextmanager
def watched(watch: Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]) -> Iterator[None]:
    """Let `watch` make the calls of the operating system by which files change."""
    patch = pytest.MonkeyPatch()
    for module, names in CALLS.items():
        for name in names:
            real = getattr(module, name)

            def call(*arguments: Any, _name: str = name, _real: Any = real, **more: Any) -> Any:
                return watch(_name, lambda: _real(*arguments, **more), arguments)

            patch.setattr(module, name, call)
    try:
        yield
    finally:
        patch.undo()


def count_calls(path: Path) -> int:
    """How many such calls it takes to replace a checkpoint."""
    names: list[str] = []

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        names.append(name)
        return call()

    with watched(watch):
        write(path, NEW)
    assert {"open", "pwrite", "ftruncate", "fsync", "replace", "flock"} <= set(names)
    write(path, OLD)
    return len(names)


# -- killed --------------------------------------------------------------------------


class Killed(BaseException):
    """The process is dead; whatever it would have done does not happen."""


def forget(result: Any) -> None:
    """What the system does with the files of a dead process."""
    if hasattr(result, "close"):
        result.close()


@pytest.mark.parametrize("moment", ["before", "after", "halfway"])
def test_killed_at_each_call(path: Path, moment: str) -> None:
    total = count_calls(path)
    outcomes: list[float] = []
    for last in range(total):
        done = 0

        def watch(
            name: str, call: Callable[[], Any], arguments: tuple[Any, ...], last: int = last
        ) -> Any:
            nonlocal done
            done += 1
            if done > last:
                if done == last + 1 and moment == "after":
                    forget(call())
                if done == last + 1 and moment == "halfway" and name == "pwrite":
                    descriptor, data, position = arguments
                    os.lseek(descriptor, position, os.SEEK_SET)
                    os.write(descriptor, data[: len(data) // 2])
                raise Killed
            return call()

        with watched(watch), pytest.raises(Killed):
            write(path, NEW)
        outcomes.append(kept(path))
        # The next writer does not mind what is there
        make_old(others(path))
        write(path, OLD)
        assert kept(path) == OLD.t
        assert others(path) == []
    # Renamed at some point, and from then on the new one
    assert outcomes == sorted(outcomes)
    assert outcomes[0] == OLD.t
    assert outcomes[-1] == NEW.t


def test_killed_first_writer_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "first.h5"

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        if name == "fsync":
            raise Killed
        return call()

    with watched(watch), pytest.raises(Killed):
        write(path, NEW)
    with pytest.raises(CheckpointError) as info:
        read_checkpoint(path)
    assert info.value.fields["reason"] == "missing"


_WRITER = """
import os, sys
import numpy as np
from gpurun.checkpoint import write_checkpoint
from gpurun.state import RandomState, SessionState
from tests.unit.manifests import manifest

described = manifest()
print("ready", flush=True)
number = int(sys.argv[2])
while True:
    number += 1
    values = {name: np.full(100_000, float(number)) for name in ("a", "b", "c")}
    one = SessionState(values, {}, {}, {}, RandomState("philox", str(number).encode()), number)
    write_checkpoint(sys.argv[1], one, described, model_digest="")
"""


def test_killed_for_real(tmp_path: Path) -> None:
    path = tmp_path / "loop.h5"
    delays = random.Random(1)
    number = 0
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(number)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                before = number
                while number == before:
                    time.sleep(delays.uniform(0, 0.03))
                    if path.exists():
                        number = int(read_checkpoint(path).state.t)
                    assert process.poll() is None
            finally:
                process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        found = read_checkpoint(path).state
        assert found.t >= number
        number = int(found.t)
        assert found.random.text == str(number).encode()
        for array in found.values.values():
            assert np.all(array == number)
    make_old(others(path))
    write(path, OLD)
    assert others(path) == []


# -- failing calls -------------------------------------------------------------------


def failure(path: Path, watch: Callable[..., Any]) -> CheckpointError | None:
    try:
        with watched(watch):
            write(path, NEW)
    except CheckpointError as error:
        return error
    return None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_failure_of_each_call(path: Path, number: int) -> None:
    total = count_calls(path)
    failed = set()
    for place in range(total):
        done = 0

        def watch(name: str, call: Callable[[], Any], _: Any, place: int = place) -> Any:
            nonlocal done
            done += 1
            if done == place + 1:
                failed.add(name)
                raise OSError(number, os.strerror(number))
            return call()

        error = failure(path, watch)
        if error is not None:
            assert error.fields["reason"] == "not_written"
            assert error.fields["errno"] == number
            assert os.strerror(number) in str(error)
            if kept(path) == OLD.t:
                assert "The file that was there before is unchanged." in str(error)
                assert ("MiB are needed" in str(error)) == (number == errno.ENOSPC)
            else:
                assert "might be lost in a power failure" in str(error)
        else:
            # Nothing that matters to the writer
            assert kept(path) == NEW.t
        assert others(path) == []
        write(path, OLD)
    assert {"open", "pwrite", "ftruncate", "fsync", "replace"} <= failed


def test_system_that_writes_little_at_a_time(path: Path) -> None:
    write_little = os.pwrite
    short: list[int] = []

    def watch(name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        if name != "pwrite":
            return call()
        descriptor, data, position = arguments
        short.append(len(data) - 100)
        return write_little(descriptor, data[:100], position)

    with watched(watch):
        write(path, NEW)
    assert max(short) > 0
    assert kept(path) == NEW.t


_LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from gpurun.checkpoint import read_checkpoint, write_checkpoint
from gpurun.errors import CheckpointError
from tests.unit.checkpoint_states import state
from tests.unit.manifests import manifest

path = Path(sys.argv[1])
write_checkpoint(path, state(), manifest(), model_digest="")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
large = state(values={"a": np.zeros(4 << 20, dtype=np.uint8), "b": np.zeros(10)}, t=2.0)
# Over these HDF5 would crash
many = state(values={f"v{number}": np.zeros(3) for number in range(3000)}, t=2.0)
for one in (large, many, large):
    try:
        write_checkpoint(path, one, manifest(), model_digest="")
    except CheckpointError as error:
        print(error)
assert read_checkpoint(path).state.t == state().t
write_checkpoint(path, state(t=3.0), manifest(), model_digest="")
assert read_checkpoint(path).state.t == 3.0
"""


def test_file_that_the_system_does_not_let_grow(tmp_path: Path) -> None:
    """HDF5 has to survive it, at the end of the process, too."""
    path = tmp_path / "full.h5"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("cannot be written: File too large (about " in line for line in lines)
    assert ["4.0 MiB are needed" in line for line in lines] == [True, False, True]
    assert others(path) == []


def test_directory_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none" / "run.h5"
    with pytest.raises(CheckpointError, match="No such file or directory") as info:
        write(path, NEW)
    assert info.value.fields["reason"] == "not_written"
    assert "unchanged" not in str(info.value)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    mode = path.stat().st_mode
    with pytest.raises(CheckpointError) as info:
        write(path, NEW)
    assert info.value.fields["reason"] == "not_written"
    assert path.stat().st_mode == mode
    assert others(path) == []


class ImpatienceError(Exception):
    """What an impatient user's handler of Ctrl-C raises."""


def test_ctrl_c_while_hdf5_writes(path: Path) -> None:
    """The exception comes when HDF5 is done, not in its midst; the file stays."""

    def stop(*_: Any) -> None:
        raise ImpatienceError

    writes: list[int] = []

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        if name == "pwrite":
            writes.append(1)
            signal.raise_signal(signal.SIGINT)
        return call()

    previous = signal.signal(signal.SIGINT, stop)
    try:
        with watched(watch), pytest.raises(ImpatienceError):
            write(path, NEW)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert len(writes) > 1
    assert kept(path) == OLD.t
    assert others(path) == []


# -- around the file -----------------------------------------------------------------


def test_symbolic_link_stays(path: Path) -> None:
    link = path.with_name("latest.h5")
    link.symlink_to(path.name)
    write(link, NEW)
    assert link.is_symlink()
    assert kept(path) == NEW.t


def test_file_mode_is_that_of_other_files(path: Path) -> None:
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def leftover(path: Path, name: str) -> Path:
    place = path.with_name(name)
    place.write_bytes(b"half")
    return place


def test_leftovers(path: Path) -> None:
    names = [".run.h5.0123abcd.gpurun-tmp", ".run.h5.ffffffff.gpurun-tmp"]
    strangers = [
        ".run2.h5.0123abcd.gpurun-tmp",
        ".run.h5.0123abcd.gpurun-tmp.bak",
        ".run.h5.0123abcx.gpurun-tmp",
        "xrunxh5.0123abcd.gpurun-tmp",
        "run.h5.0123abcd.gpurun-tmp",
    ]
    old = [leftover(path, name) for name in names]
    make_old(old + [leftover(path, name) for name in strangers])
    young = leftover(path, ".run.h5.00000000.gpurun-tmp")
    write(path, NEW)
    assert {entry.name for entry in others(path)} == {*strangers, young.name}


def test_file_of_a_living_writer_stays(path: Path) -> None:
    """However long it takes."""

    def fill(descriptor: int) -> None:
        (temporary,) = others(path)
        make_old([temporary])
        write(path, OLD)
        assert others(path) == [temporary]
        os.write(descriptor, b"mine")

    checkpoint_publish.publish(path, fill)
    assert path.read_bytes() == b"mine"


def test_can_be_read_as_soon_as_it_is_there(path: Path) -> None:
    found: list[float] = []

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        result = call()
        if name == "replace":
            found.append(kept(path))
        return result

    with watched(watch):
        write(path, NEW)
    assert found == [NEW.t]


def test_where_files_cannot_be_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(checkpoint_publish.fcntl, "flock", refuse)
    hour_old = leftover(path, ".run.h5.00000000.gpurun-tmp")
    month_old = leftover(path, ".run.h5.11111111.gpurun-tmp")
    os.utime(hour_old, (time.time() - 3600,) * 2)
    os.utime(month_old, (time.time() - 30 * 86400,) * 2)
    write(path, NEW)
    assert kept(path) == NEW.t
    assert others(path) == [hour_old]


def test_directory_that_cannot_be_synchronised(path: Path) -> None:
    syncs: list[int] = []

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        if name == "fsync":
            syncs.append(1)
            if len(syncs) == 2:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return call()

    with watched(watch):
        write(path, NEW)
    assert len(syncs) == 2
    assert kept(path) == NEW.t


def test_everything_is_on_the_disk_before_the_file_is_renamed(path: Path) -> None:
    names: list[str] = []

    def watch(name: str, call: Callable[[], Any], _: Any) -> Any:
        names.append(name)
        return call()

    with watched(watch):
        write(path, NEW)
    renamed = names.index("replace")
    assert names[renamed - 1] == "fsync"
    assert "pwrite" not in names[renamed:]
    assert names[renamed:].count("fsync") == 1
