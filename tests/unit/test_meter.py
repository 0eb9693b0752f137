"""The meters of the machine, of its control groups, and of cards."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from gpurun import meter, meter_cgroup, meter_host, nvml
from gpurun.errors import ConfigError
from gpurun.meter import CardMeter, HostMeter, MemorySample, Peak, meter_for
from gpurun.nvml import DeviceMemory

MIB = 1 << 20
GIB = 1 << 30
UUID = "GPU-00112233-4455-6677-8899-aabbccddeeff"

# -- The machine ---------------------------------------------------------------------


def test_memory_of_this_machine() -> None:
    before = time.time()
    found = HostMeter().sample()
    assert before <= found.time <= time.time()
    assert found.total is not None and found.free is not None and found.own is not None
    assert found.used == found.total - found.free
    assert 0 < found.free < found.total <= psutil.virtual_memory().total
    assert 10 * MIB < found.own < found.total


def test_own_memory_follows_what_is_used() -> None:
    before = HostMeter().sample().own
    with mmap.mmap(-1, 64 * MIB) as block:
        for page in range(0, 64 * MIB, mmap.PAGESIZE):
            block[page] = 1
        during = HostMeter().sample().own
    after = HostMeter().sample().own
    assert before is not None and during is not None and after is not None
    assert during - before > 60 * MIB
    assert during - after > 60 * MIB


CHILD = """
import subprocess, sys
block = bytearray(b"1" * (64 << 20))
if len(sys.argv) > 1:
    inner = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=-1, stdout=-1)
    inner.stdout.readline()
print("ready", flush=True)
sys.stdin.readline()
if len(sys.argv) > 1:
    inner.communicate()
"""


@pytest.mark.parametrize("from_proc", [True, False])
def test_children_of_children_count(from_proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not from_proc:  # as on kernels without CONFIG_PROC_CHILDREN
        monkeypatch.setattr(meter_host.Path, "exists", lambda path: False)
    before = meter_host.resident(os.getpid())
    command = [sys.executable, "-S", "-c", CHILD, "-S", "-c", CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = meter_host.resident(os.getpid())
        child.communicate()
    assert before is not None and during is not None
    assert during - before > 120 * MIB


def test_process_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as child:
        pass
    assert meter_host.resident(child.pid) is None


def test_machine_that_has_more_than_a_control_group_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        meter_host.psutil,
        "virtual_memory",
        lambda: SimpleNamespace(total=64 * GIB, available=3 * GIB),
    )
    write(tmp_path, "proc/self/cgroup", "0::/")
    write(tmp_path, "proc/self/mountinfo", V2)
    groups_file(tmp_path, "sys/fs/cgroup", 8 * GIB, 6 * GIB)
    here = HostMeter(tmp_path)
    # 2 GiB of the group are left, 3 GiB of the machine
    found = here.sample()
    assert (found.total, found.used, found.free) == (8 * GIB, 6 * GIB, 2 * GIB)
    groups_file(tmp_path, "sys/fs/cgroup", 8 * GIB, GIB)  # others use the machine
    found = here.sample()
    assert (found.total, found.used, found.free) == (8 * GIB, 5 * GIB, 3 * GIB)
    groups_file(tmp_path, "sys/fs/cgroup", "max", GIB)
    found = here.sample()
    assert (found.total, found.free) == (64 * GIB, 3 * GIB)


# -- Control groups ------------------------------------------------------------------

V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n"
)


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def groups_file(root: Path, folder: str, limit: object, used: int, inactive: int = 0) -> None:
    write(root, f"{folder}/memory.max", f"{limit}\n")
    write(root, f"{folder}/memory.current", f"{used}\n")
    write(root, f"{folder}/memory.stat", f"anon 5\ninactive_file {inactive}\nfile 9\n")


def old_groups_file(root: Path, folder: str, limit: int, used: int, inactive: int = 0) -> None:
    write(root, f"{folder}/memory.limit_in_bytes", f"{limit}\n")
    write(root, f"{folder}/memory.usage_in_bytes", f"{used}\n")
    stat = f"inactive_file 1\ntotal_inactive_file {inactive}\n"
    write(root, f"{folder}/memory.stat", stat)


def room(root: Path) -> tuple[int, int] | None:
    return meter_cgroup.room(meter_cgroup.find(root))


def test_limits_of_all_groups_above_count(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/job/step/task\n")
    write(tmp_path, "proc/self/mountinfo", V2)
    groups_file(tmp_path, "sys/fs/cgroup/job/step/task", "max", MIB)
    groups_file(tmp_path, "sys/fs/cgroup/job/step", 100 * MIB, 10 * MIB)
    groups_file(tmp_path, "sys/fs/cgroup/job", 120 * MIB, 90 * MIB)  # other steps use it
    groups_file(tmp_path, "sys/fs/cgroup/other", MIB, MIB)
    assert room(tmp_path) == (100 * MIB, 30 * MIB)


def test_pages_of_files_can_be_given_up(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/job\n")
    write(tmp_path, "proc/self/mountinfo", V2)
    groups_file(tmp_path, "sys/fs/cgroup/job", 100 * MIB, 99 * MIB, inactive=60 * MIB)
    assert room(tmp_path) == (100 * MIB, 61 * MIB)
    (tmp_path / "sys/fs/cgroup/job/memory.stat").unlink()
    assert room(tmp_path) == (100 * MIB, MIB)
    groups_file(tmp_path, "sys/fs/cgroup/job", 100 * MIB, 110 * MIB)  # it has just been lowered
    assert room(tmp_path) == (100 * MIB, 0)


def test_groups_of_version_1(tmp_path: Path) -> None:
    write(
        tmp_path, "proc/self/cgroup", "5:cpu:/x\n4:memory:/slurm/job\n1:name=systemd:/a:b\n0::/\n"
    )
    write(tmp_path, "proc/self/mountinfo", V1)
    unlimited = 9223372036854771712
    old_groups_file(tmp_path, "sys/fs/cgroup/memory", unlimited, GIB)
    old_groups_file(tmp_path, "sys/fs/cgroup/memory/slurm", unlimited, GIB)
    folder = "sys/fs/cgroup/memory/slurm/job"
    old_groups_file(tmp_path, folder, GIB, 600 * MIB, 100 * MIB)
    assert room(tmp_path) == (GIB, 524 * MIB)


@pytest.mark.parametrize(
    ("own", "mounted"),
    [
        ("/", "/"),  # a namespace of its own
        ("/docker/abc", "/docker/abc"),  # the mount shows the host's group
        ("/docker/abc", "/docker"),
        ("/docker/abc", "/"),  # the host's path, of which nothing is to be seen
        ("/../../docker/abc", "/"),  # outside of the namespace
        ("/docker/abc", "/elsewhere"),
    ],
)
def test_containers(tmp_path: Path, own: str, mounted: str) -> None:
    write(tmp_path, "proc/self/cgroup", f"0::{own}\n")
    line = f"30 24 0:26 {mounted} /sys/fs/my\\040groups ro - cgroup2 cgroup rw\n"
    write(tmp_path, "proc/self/mountinfo", line)
    groups_file(tmp_path, "sys/fs", 1, 1)  # not part of it
    inside = "/abc" if mounted == "/docker" else ""
    groups_file(tmp_path, f"sys/fs/my groups{inside}", 100, 60)
    assert room(tmp_path) == (100, 40)


@pytest.mark.parametrize("text", [None, "", "0::/\n", "nonsense\n", "0::/\x00\n"])
def test_machines_without_groups(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path, "proc/self/cgroup", text)
        write(tmp_path, "proc/self/mountinfo", text)
    assert room(tmp_path) is None
    assert HostMeter(tmp_path).sample().total == psutil.virtual_memory().total


# -- Cards ---------------------------------------------------------------------------


class PlayedWatch:
    """In place of `nvml.Watch`."""

    found = DeviceMemory(100, 60, 40, {})
    opened: tuple[str, ...] = ()
    closed = 0

    def __init__(self, uuid: str) -> None:
        type(self).opened += (uuid,)

    def memory(self) -> DeviceMemory:
        return self.found

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> type[PlayedWatch]:
    watch = type("Watch", (PlayedWatch,), {})
    monkeypatch.setattr(nvml, "Watch", watch)
    monkeypatch.setattr(nvml, "uuid_of", lambda index: (UUID, None))
    monkeypatch.setattr(meter, "_driver_knows_our_ids", lambda: True)
    return watch


def test_memory_of_a_card(watch: type[PlayedWatch]) -> None:
    me = os.getpid()
    watch.found = DeviceMemory(100, 60, 40, {me: 10, me + 1: 20})
    before = time.time()
    card = CardMeter(3)
    found = card.sample()
    assert before <= found.time <= time.time()
    assert found == MemorySample(found.time, 100, 60, 40, 10)
    assert (card.device, card.uuid, card.problem) == ("cuda:3", UUID, None)
    card.close()
    assert (watch.opened, watch.closed) == ((UUID,), 1)


@pytest.mark.parametrize(
    ("processes", "ids_are_known", "own"),
    [
        ({1: 5, 2: 6}, True, 11),
        ({1: 5, 3: 9}, True, 5),
        ({1: 5, 3: None}, True, 5),
        ({1: 5, 2: None}, True, None),  # the sum is not known
        ({}, True, 0),
        ({3: 9}, True, 0),
        (None, True, None),
        ({1: 5}, False, 5),
        ({}, False, None),  # a container: whether it is hidden or not there is not to be told
        ({3: 9}, False, None),
        (None, False, None),
    ],
)
def test_what_is_own(
    watch: type[PlayedWatch],
    monkeypatch: pytest.MonkeyPatch,
    processes: dict[int, int | None] | None,
    ids_are_known: bool,
    own: int | None,
) -> None:
    monkeypatch.setattr(meter, "_driver_knows_our_ids", lambda: ids_are_known)
    watch.found = DeviceMemory(100, 60, 40, processes)
    found = CardMeter(0, pids=iter((1, 2))).sample()
    assert (found.used, found.own) == (60, own)


@pytest.mark.parametrize(
    ("namespace", "windows", "known"),
    [
        ("pid:[4026531836]", False, True),
        ("pid:[4026532201]", False, False),
        ("pid:[4026531836]", True, False),
        (None, False, False),
    ],
)
def test_whose_process_ids_these_are(
    monkeypatch: pytest.MonkeyPatch, namespace: str | None, windows: bool, known: bool
) -> None:
    def readlink(path: str) -> str:
        assert path == "/proc/self/ns/pid"
        if namespace is None:
            raise PermissionError
        return namespace

    monkeypatch.setattr(meter.os, "readlink", readlink)
    monkeypatch.setattr(meter.os.path, "exists", lambda path: windows and path == "/dev/dxg")
    assert meter._driver_knows_our_ids() is known


def test_card_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "uuid_of", lambda index: (None, "CUDA sees no card"))
    card = CardMeter(0)
    found = card.sample()
    assert found == MemorySample(found.time)
    assert card.problem == "CUDA sees no card"
    card.close()


# -- Choosing ------------------------------------------------------------------------


def test_meter_of_a_device(watch: type[PlayedWatch]) -> None:
    assert isinstance(meter_for("cpu"), HostMeter)
    assert meter_for("cuda:1").device == "cuda:1"
    assert meter_for("cuda").device == "cuda:0"
    for device in ("auto", "gpu", ""):
        with pytest.raises(ConfigError):
            meter_for(device)


def test_peaks_join_what_is_known() -> None:
    assert Peak().joined(MemorySample(0.0)) == Peak()
    assert Peak().joined(MemorySample(0.0, used=3)) == Peak(3, None)
    assert Peak(5, 1).joined(MemorySample(0.0, used=3, own=2)) == Peak(5, 2)
    assert Peak(5, 1).joined(MemorySample(0.0, used=None, own=None)) == Peak(5, 1)
