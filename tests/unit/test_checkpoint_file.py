"""A file that is not exactly as it was written is refused, and the error says why."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gpurun import checkpoint_file
from gpurun.checkpoint import read_checkpoint, read_header, write_checkpoint
from gpurun.errors import CheckpointError
from tests.unit.checkpoint_states import facts, state
from tests.unit.manifests import manifest

BLOCK = checkpoint_file.USER_BLOCK


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.h5"
    write_checkpoint(path, state(), manifest(), model_digest="d")
    return path


@pytest.fixture
def bad(good: Path) -> Path:
    return Path(shutil.copy(good, good.with_name("bad.h5")))


def refusal(path: Path) -> CheckpointError:
    """The error that a file causes, the same one in all ways of reading."""
    with pytest.raises(CheckpointError) as info:
        read_checkpoint(path)
    with pytest.raises(CheckpointError) as other:
        read_header(path)
    assert str(other.value) == str(info.value)
    assert str(path) in str(info.value)
    assert info.value.fields["path"] == str(path)
    copy = pickle.loads(pickle.dumps(info.value))
    assert (str(copy), copy.fields) == (str(info.value), info.value.fields)
    return info.value


def reason(path: Path) -> str:
    return refusal(path).fields["reason"]


# -- what is wrong -------------------------------------------------------------------


def test_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path / "none.h5")
    assert (error.fields["reason"], error.fields["errno"]) == ("missing", errno.ENOENT)


@pytest.mark.parametrize("data", [b"x" * 2000, b"GPURUN checkpoint\n", b"\x89HDF\r\n\x1a\n"])
def test_another_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert reason(tmp_path / "x") == "not_a_checkpoint"


def test_an_hdf5_file_of_somebody_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["variables/cells.v"] = np.zeros(4)
    assert reason(tmp_path / "x.h5") == "not_a_checkpoint"


def test_directory_and_pipe(tmp_path: Path) -> None:
    assert reason(tmp_path) == "not_a_checkpoint"
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "not_a_checkpoint"


def test_unreadable(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(checkpoint_file.os, "preadv", refuse)
    error = refusal(good)
    assert (error.fields["reason"], error.fields["errno"]) == ("unreadable", errno.EIO)


def test_disk_that_fails_while_hdf5_reads(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = checkpoint_file.open_hdf5
    # There is nothing that can be read at its beginning
    monkeypatch.setattr(checkpoint_file, "open_hdf5", lambda path: opened("/proc/self/mem"))
    with pytest.raises(CheckpointError) as info:
        read_checkpoint(good)
    assert (info.value.fields["reason"], info.value.fields["errno"]) == ("unreadable", errno.EIO)


def replaced_before_opening(
    monkeypatch: pytest.MonkeyPatch, replacements: Iterator[Callable[[], object]]
) -> None:
    """Let something happen to the file each time that it was verified."""
    opened = checkpoint_file.open_hdf5

    def open_late(path: str) -> Any:
        next(replacements, lambda: None)()
        return opened(path)

    monkeypatch.setattr(checkpoint_file, "open_hdf5", open_late)


def test_replaced_between_verifying_and_reading(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(t: float) -> Callable[[], None]:
        return lambda: write_checkpoint(good, state(t=t), manifest(), model_digest="d")

    replaced_before_opening(monkeypatch, iter([write(1.0), write(2.0)]))
    assert facts(read_checkpoint(good).state) == facts(state(t=2.0))
    replaced_before_opening(monkeypatch, iter([write(3.0)] * 1000))
    error = refusal(good)
    assert error.fields["reason"] == "unreadable"
    assert "replaced all the time" in str(error)


def test_replaced_by_a_damaged_file(good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Any = h5py.File(bad, "r+")
    with opened as file:
        file["variables/cells.kind"][0] = 7
    replaced_before_opening(monkeypatch, iter([lambda: os.replace(bad, good)]))
    assert reason(good) == "damaged"


def test_removed_between_verifying_and_reading(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced_before_opening(monkeypatch, iter([good.unlink]))
    assert reason(good) == "missing"


def test_file_that_the_user_has_open(good: Path) -> None:
    with h5py.File(good, "r"):
        assert facts(read_checkpoint(good).state) == facts(state())


@pytest.mark.parametrize("keep", [0, 1, 10, BLOCK - 1, BLOCK, BLOCK + 1, -1])
def test_truncated(bad: Path, keep: int) -> None:
    bad.write_bytes(bad.read_bytes()[:keep])
    assert reason(bad) == "truncated"


def test_longer(bad: Path) -> None:
    bad.write_bytes(bad.read_bytes() + b"\0")
    assert "1 bytes behind its end" in str(refusal(bad))
    assert reason(bad) == "damaged"


def test_edited_with_h5py(bad: Path) -> None:
    opened: Any = h5py.File(bad, "r+")
    with opened as file:
        file["variables/cells.kind"][0] = 7
    assert reason(bad) == "damaged"


def test_first_block_of_another_checkpoint(good: Path, bad: Path) -> None:
    write_checkpoint(bad, state(t=0.4), manifest(), model_digest="d")
    assert good.stat().st_size == bad.stat().st_size
    bad.write_bytes(good.read_bytes()[:BLOCK] + bad.read_bytes()[BLOCK:])
    assert reason(bad) == "damaged"


def test_newer_format(bad: Path) -> None:
    data = bad.read_bytes()
    newer = checkpoint_file.Seal(checkpoint_file.FORMAT + 1, len(data), "0" * 64)
    bad.write_bytes(newer.block() + data[BLOCK:])
    error = refusal(bad)
    assert error.fields["reason"] == "newer_format"
    assert f"the format {checkpoint_file.FORMAT + 1}" in str(error)
    assert "Update gpurun" in str(error)
    # What a later version has behind its first two lines is not known
    block = newer.block().replace(b"blake2b", b"sha3-xx")
    checked = block[: BLOCK - 17]
    block = checked + checkpoint_file._check_digits(checked) + b"\n"
    bad.write_bytes(block)
    assert reason(bad) == "newer_format"


# -- fuzz ----------------------------------------------------------------------------


def flipped(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    places = [*range(BLOCK), *random.integers(BLOCK, len(data), 500)]
    for place in places:
        edited = bytearray(data)
        edited[place] ^= 1 << int(random.integers(8))
        yield bytes(edited)


def cut(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    for length in [*range(0, BLOCK, 7), *random.integers(BLOCK, len(data), 500)]:
        yield data[:length]


def zeroed(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    """A sector that never reached the disk, as after a power failure."""
    for start in range(0, len(data), 512):
        edited = data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]
        if edited != data:
            yield edited


def shifted(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    for place in random.integers(0, len(data), 100):
        yield data[:place] + data[place + 1 :]
        yield data[:place] + b"\0" + data[place:]
        yield data[:place] + data[place + 1 :] + b"\0"


@pytest.mark.parametrize("damage", [flipped, cut, zeroed, shifted])
def test_fuzz(
    good: Path, bad: Path, damage: Callable[[bytes, np.random.Generator], Iterator[bytes]]
) -> None:
    data = good.read_bytes()
    seen: set[str] = set()
    count = 0
    for edited in damage(data, np.random.default_rng(1)):
        if edited == data:
            continue
        bad.write_bytes(edited)
        with pytest.raises(CheckpointError) as info:
            read_checkpoint(bad)
        seen.add(info.value.fields["reason"])
        count += 1
    assert count > 40
    assert seen <= {"truncated", "damaged", "not_a_checkpoint"}
    assert facts(read_checkpoint(good).state) == facts(state())


def test_hdf5_sees_no_damaged_file(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("HDF5 has been asked")

    data = bytearray(bad.read_bytes())
    data[-1] ^= 1
    bad.write_bytes(data)
    monkeypatch.setattr(checkpoint_file, "open_hdf5", refuse)
    assert reason(bad) == "damaged"


# -- sealed, but not ours ------------------------------------------------------------


def remove(name: str) -> Callable[[Any], None]:
    def edit(file: Any) -> None:
        del file[name]

    return edit


def replace(name: str, value: Any) -> Callable[[Any], None]:
    def edit(file: Any) -> None:
        del file[name]
        file[name] = value

    return edit


def attribute(where: str, name: str, value: Any) -> Callable[[Any], None]:
    def edit(file: Any) -> None:
        file[where].attrs[name] = value

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        remove("variables"),
        remove("queues/links_pre/steps"),
        remove("random/state"),
        replace("queues", 3.0),
        replace("variables/cells.v", np.zeros(4)),
        replace("networks/network", np.zeros(3)),
        replace("extra", "[1, 2"),
        replace("extra", "[1, 2]"),
        replace("overridden", "[1]"),
        replace("queues/links_pre/steps", np.zeros(2, dtype=np.int32)),
        replace("constants/tau", 0.01),
        replace("clocks/defaultclock", "0.1"),
        attribute("/", "created", "yesterday"),
        attribute("/", "t", "0.3"),
        attribute("/", "backend", 1),
        attribute("random", "kind", np.zeros(2)),
        attribute("variables/cells.v", "dtype", "float32"),
        attribute("variables/cells.v", "shape", [2, 2]),
    ],
)
def test_sealed_nonsense(bad: Path, edit: Callable[[Any], None]) -> None:
    opened: Any = h5py.File(bad, "r+")
    with opened as file:
        edit(file)
    with bad.open("r+b") as raw:
        checkpoint_file.seal(raw.fileno())
    with pytest.raises(CheckpointError, match="does not hold what it should") as info:
        read_checkpoint(bad)
    assert info.value.fields["reason"] == "damaged"


def test_sealed_and_no_hdf5_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(BLOCK) + b"something else")
    with path.open("r+b") as raw:
        checkpoint_file.seal(raw.fileno())
    assert reason(path) == "damaged"


def test_more_than_expected_is_no_harm(bad: Path) -> None:
    """A later version may add data sets and attributes without a new format."""
    opened: Any = h5py.File(bad, "r+")
    with opened as file:
        file["weather"] = "rain"
        file["variables/cells.v"].attrs["colour"] = "red"
    with bad.open("r+b") as raw:
        checkpoint_file.seal(raw.fileno())
    assert facts(read_checkpoint(bad).state) == facts(state())
