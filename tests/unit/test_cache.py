from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpurun import cache as cache_module
from gpurun import cache_entry, config
from gpurun.cache import Cache, CacheWarning
from gpurun.cache_temporary import TemporaryRoot
from gpurun.errors import BuildError, CacheError

KEY = "0123456789abcdef"
OTHER = "fedcba9876543210"
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TemporaryRoot:
    """An own substitute directory, because there is one for each process."""
    fresh = TemporaryRoot()
    monkeypatch.setattr(cache_module, "TEMPORARY", fresh)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return fresh


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "Ein Cache mit Ä", enabled=True)


def fill(directory: Path, text: str = "content") -> None:
    (directory / "sub folder").mkdir()
    (directory / "model.so").write_text(text)
    (directory / "sub folder" / "wéights.bin").write_bytes(bytes(1000))


def refuse(directory: Path) -> None:
    raise AssertionError(f"{directory}: nothing should be built")


def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which entries were found intact, as a new process would."""
    monkeypatch.setattr(cache_entry, "_verified", {})


# -- publishing and finding -----------------------------------------------------------


def test_entry_is_found_after_it_was_published(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.entry("code", KEY) is None
    path = cache.build("code", KEY, fill)
    assert path == cache.root / "code" / KEY[:2] / KEY
    new_process(monkeypatch)
    assert cache.entry("code", KEY) == path
    assert (path / "model.so").read_text() == "content"
    assert (path / "sub folder" / "wéights.bin").read_bytes() == bytes(1000)
    assert cache.build("code", KEY, refuse) == path
    assert cache.entry("data", KEY) is None
    assert cache.entry("code", OTHER) is None


def test_nothing_is_seen_before_publish_and_no_build_directory_stays(cache: Cache) -> None:
    with cache.building("code", KEY) as builder:
        fill(builder.directory)
        assert builder.existing is None
        assert cache.entry("code", KEY) is None
        assert cache.list() == []
        path = builder.publish()
        assert cache.entry("code", KEY) == path
        assert builder.publish() == path
        assert builder.published == path
    assert list((cache.root / "builds").iterdir()) == []


def test_builder_that_does_not_publish_leaves_nothing(cache: Cache) -> None:
    with cache.building("code", KEY) as builder:
        fill(builder.directory)
    assert not builder.directory.exists()
    assert cache.entry("code", KEY) is None


def test_second_builder_is_told_of_the_first(cache: Cache) -> None:
    path = cache.build("code", KEY, fill)
    with cache.building("code", KEY) as builder:
        assert builder.existing == path
        assert builder.publish() == path
    assert cache.entry("code", KEY) == path


def test_exception_in_a_block_with_an_existing_entry_does_not_touch_it(cache: Cache) -> None:
    path = cache.build("code", KEY, fill)
    before = sorted(path.rglob("*"))
    with pytest.raises(RuntimeError, match="mine"), cache.building("code", KEY):
        raise RuntimeError("mine")
    assert sorted(path.rglob("*")) == before


def test_publisher_without_a_lock_may_be_faster(cache: Cache) -> None:
    with cache.building("code", KEY) as builder:
        fill(builder.directory, "mine")
        place = cache.root / "code" / KEY[:2] / KEY
        place.mkdir(parents=True)
        fill(place, "theirs")
        cache_entry.seal(place, kind="code", key=KEY, created=0.0)
        assert builder.publish() == place
    assert (place / "model.so").read_text() == "theirs"
    assert list((cache.root / "builds").iterdir()) == []


def test_broken_directory_in_the_way_is_replaced(cache: Cache) -> None:
    with cache.building("code", KEY) as builder:
        fill(builder.directory, "mine")
        place = cache.root / "code" / KEY[:2] / KEY
        place.mkdir(parents=True)
        (place / "model.so").write_text("half")
        assert builder.publish() == place
    assert (place / "model.so").read_text() == "mine"
    assert cache.entry("code", KEY) == place


@pytest.mark.parametrize(
    ("kind", "key"),
    [("code", ""), ("code", "ab"), ("code", "../../etc"), ("code", "a" * 129), ("other", KEY)],
)
def test_names_that_are_no_keys_are_refused(cache: Cache, kind: str, key: str) -> None:
    with pytest.raises(CacheError, match="does not name a cache entry"):
        cache.entry(kind, key)
    with pytest.raises(CacheError, match="does not name a cache entry"):
        cache.build(kind, key, refuse)


# -- damage ---------------------------------------------------------------------------


def _truncate(path: Path) -> None:
    os.truncate(path / "model.so", 3)


def _flip(path: Path) -> None:
    (path / "model.so").write_text("cantent")


def _delete(path: Path) -> None:
    (path / "sub folder" / "wéights.bin").unlink()


def _garble(path: Path) -> None:
    (path / "entry.json").write_text('{"format": 1, "files": [')


def _unseal(path: Path) -> None:
    (path / "entry.json").unlink()


def _age(path: Path) -> None:
    text = (path / "entry.json").read_text()
    (path / "entry.json").write_text(text.replace('"format": 1', '"format": 0'))


def _escape(path: Path) -> None:
    text = (path / "entry.json").read_text()
    (path / "entry.json").write_text(text.replace('"model.so"', '"../model.so"'))


def _swap(path: Path) -> None:
    text = (path / "entry.json").read_text()
    (path / "entry.json").write_text(text.replace(KEY, OTHER))


def _flatten(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file where a directory should be")


@pytest.mark.parametrize(
    "damage", [_truncate, _flip, _delete, _garble, _unseal, _age, _escape, _swap, _flatten]
)
def test_damaged_entry_is_a_miss_and_is_built_again(
    cache: Cache, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cache.build("code", KEY, fill)
    damage(path)
    new_process(monkeypatch)
    assert cache.entry("code", KEY) is None
    made: list[Path] = []

    def again(directory: Path) -> None:
        made.append(directory)
        fill(directory)

    assert cache.build("code", KEY, again) == path
    assert len(made) == 1
    new_process(monkeypatch)
    assert cache.entry("code", KEY) == path
    assert (path / "model.so").read_text() == "content"
    assert not list(cache.root.glob("trash/*"))


def test_file_changed_later_in_the_process_is_noticed(cache: Cache) -> None:
    path = cache.build("code", KEY, fill)
    assert cache.entry("code", KEY) == path
    _flip(path)
    os.utime(path / "model.so", ns=(0, 0))
    assert cache.entry("code", KEY) is None


def test_digests_are_computed_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.build("code", KEY, fill)
    hashed: list[Path] = []
    original = cache_entry._sha256

    def count(path: Path) -> str:
        hashed.append(path)
        return original(path)

    monkeypatch.setattr(cache_entry, "_sha256", count)
    for _ in range(3):
        assert cache.entry("code", KEY) is not None
    assert len(hashed) == 2  # each of the two files


# -- several processes ----------------------------------------------------------------

BUILD = """\
import sys, time
from pathlib import Path
from gpurun.cache import Cache

root, log = Path(sys.argv[1]), Path(sys.argv[2])

def make(directory):
    with log.open("a") as file:
        file.write("built\\n")
    time.sleep(0.5)
    (directory / "model.so").write_text("content")

print("ready", flush=True)
sys.stdin.readline()
print(Cache(root, enabled=True).build("code", sys.argv[3], make), flush=True)
"""

HANG = """\
import sys, time
from pathlib import Path
from gpurun.cache import Cache

with Cache(Path(sys.argv[1]), enabled=True).building("code", sys.argv[2]) as builder:
    (builder.directory / "half").write_text("")
    print(builder.directory, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def say(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_do_the_work_once(
    cache: Cache, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    log = tmp_path / "log"
    processes = [start(BUILD, cache.root, log, KEY) for _ in range(2)]
    assert [say(process) for process in processes] == ["ready", "ready"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {say(process) for process in processes}
    assert [process.wait(60) for process in processes] == [0, 0]
    assert answers == {str(cache.entry("code", KEY))}
    assert log.read_text() == "built\n"


def test_other_keys_do_not_wait(cache: Cache, start: Callable[..., subprocess.Popen[str]]) -> None:
    assert say(start(HANG, cache.root, KEY))
    assert cache.build("code", OTHER, fill).is_dir()
    assert cache.build("data", KEY, fill).is_dir()


def test_killed_builder_blocks_nobody(
    cache: Cache, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start(HANG, cache.root, KEY)
    left = Path(say(process))
    assert left.is_dir()
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    started = time.monotonic()
    path = cache.build("code", KEY, fill)
    assert time.monotonic() - started < 60
    assert cache.entry("code", KEY) == path
    assert not left.exists()


# -- failed builds --------------------------------------------------------------------


def test_failed_build_keeps_its_directory(cache: Cache) -> None:
    made: list[Path] = []

    def fail(directory: Path) -> None:
        made.append(directory)
        (directory / "main.cpp").write_text("int")
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        cache.build("code", KEY, fail)
    assert (made[0] / "main.cpp").read_text() == "int"
    assert cache.entry("code", KEY) is None
    # The next attempt neither uses it nor removes it.
    cache.build("code", KEY, fill)
    assert (made[0] / "main.cpp").exists()


def test_interrupted_build_leaves_nothing(cache: Cache) -> None:
    with pytest.raises(KeyboardInterrupt), cache.building("code", KEY) as builder:
        raise KeyboardInterrupt
    assert not builder.directory.exists()


@pytest.mark.parametrize(("days", "kept"), [(6, True), (8, False)])
def test_failed_builds_are_pruned_after_a_week(cache: Cache, days: int, kept: bool) -> None:
    with pytest.raises(RuntimeError), cache.building("code", KEY) as builder:
        raise RuntimeError
    then = time.time() - days * 24 * 3600
    os.utime(builder.directory, (then, then))
    cache.build("code", OTHER, fill)
    assert builder.directory.exists() == kept


# -- no cache, no rights, no space ----------------------------------------------------


def test_disabled_cache_finds_nothing_and_leaves_nothing(
    cache: Cache, temporary: TemporaryRoot
) -> None:
    kept = cache.build("code", KEY, fill)
    disabled = Cache(cache.root, enabled=False)
    assert disabled.entry("code", KEY) is None
    first = disabled.build("code", KEY, lambda directory: fill(directory, "first"))
    second = disabled.build("code", KEY, lambda directory: fill(directory, "second"))
    assert (first / "model.so").read_text() == "first"
    assert (second / "model.so").read_text() == "second"
    assert cache.root not in first.parents
    root = temporary.peek()
    assert root is not None
    assert root in first.parents
    temporary._remove(root, os.getpid())
    assert not first.exists()
    assert cache.entry("code", KEY) == kept


def test_forked_child_does_not_remove_the_temporary_directory(temporary: TemporaryRoot) -> None:
    root = temporary.get()
    temporary._remove(root, os.getpid() + 1)
    assert root.is_dir()


def test_enabled_follows_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_current", None)
    config.configure(cache=False, cache_dir=tmp_path / "x")
    assert (Cache().enabled, Cache().root) == (False, tmp_path / "x")
    config.configure(cache=True)
    assert Cache().enabled


def _below_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root.write_text("")
    return root / "cache"


def _is_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root.write_text("")
    return root


def _read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if os.geteuid() == 0:  # root may write everywhere: let the system say no
        refused = OSError(errno.EROFS, "Read-only file system")
        original = Path.mkdir

        def mkdir(
            path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False
        ) -> None:
            if root in path.parents:
                raise refused
            original(path, mode, parents, exist_ok)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        root.mkdir()
    else:
        root.mkdir()
        root.chmod(0o555)
    return root


def _almost_full(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    return root


@pytest.mark.parametrize("make", [_below_a_file, _is_a_file, _read_only, _almost_full])
def test_unusable_root_falls_back_with_one_warning(
    tmp_path: Path,
    make: Callable[[Path, pytest.MonkeyPatch], Path],
    temporary: TemporaryRoot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make(tmp_path / "root", monkeypatch)
    cache = Cache(root, enabled=True)
    with pytest.warns(CacheWarning, match="GPURUN_CACHE_DIR") as caught:
        path = cache.build("code", KEY, fill)
    assert len(caught) == 1
    assert str(root) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert temporary.peek() in path.parents
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.entry("code", KEY) == path
        # Another object for the same root, as another part of the program would make it.
        assert Cache(root, enabled=True).build("code", KEY, refuse) == path
        assert Cache(root, enabled=True).build("code", OTHER, fill).is_dir()


def test_entries_of_a_read_only_cache_are_used(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, temporary: TemporaryRoot
) -> None:
    path = cache.build("code", KEY, fill)
    (path / ".used").unlink(missing_ok=True)

    def touch(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "touch", touch)
    assert cache.build("code", KEY, refuse) == path
    assert temporary.peek() is None


def test_disk_full_while_publishing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, temporary: TemporaryRoot
) -> None:
    original = cache_entry.seal

    def seal(directory: Path, **facts: object) -> None:
        if cache.root in directory.parents:
            raise FULL
        original(directory, **facts)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(cache_entry, "seal", seal)
    with cache.building("code", KEY) as builder:
        fill(builder.directory)
        with pytest.warns(CacheWarning, match="No space left on device"):
            path = builder.publish()
    assert temporary.peek() in path.parents
    assert (path / "sub folder" / "wéights.bin").read_bytes() == bytes(1000)
    assert cache.entry("code", KEY) == path
    assert list((cache.root / "builds").iterdir()) == []


def _compiler_error() -> BuildError:
    output = "/tmp/cc.s: fatal error: No space left on device"
    return BuildError("failed", command=["c++"], directory="", returncode=1, output=output)


@pytest.mark.parametrize("error", [FULL, OSError(errno.EDQUOT, "quota"), _compiler_error()])
def test_disk_full_while_building_builds_again_elsewhere(
    cache: Cache, error: Exception, temporary: TemporaryRoot
) -> None:
    def make(directory: Path) -> None:
        fill(directory)
        if cache.root in directory.parents:
            raise error

    with pytest.warns(CacheWarning, match="the disk is full"):
        path = cache.build("code", KEY, make)
    assert temporary.peek() in path.parents
    assert cache.entry("code", KEY) == path
    assert list((cache.root / "builds").iterdir()) == []


def test_other_errors_while_building_are_not_tried_again(cache: Cache) -> None:
    made: list[Path] = []

    def make(directory: Path) -> None:
        made.append(directory)
        raise FileNotFoundError(errno.ENOENT, "a header")

    with pytest.raises(FileNotFoundError):
        cache.build("code", KEY, make)
    assert len(made) == 1


def test_no_space_anywhere_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdtemp(**options: object) -> str:
        raise FULL

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="TMPDIR") as caught:
        Cache(tmp_path / "file" / "cache", enabled=True).build("code", KEY, refuse)
    assert "No space left on device" in str(caught.value)


def test_publishing_fails_everywhere(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def seal(directory: Path, **facts: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(cache_entry, "seal", seal)
    with (
        pytest.warns(CacheWarning),
        pytest.raises(CacheError, match="cannot be published"),
        cache.building("code", KEY) as builder,
    ):
        builder.publish()


# -- housekeeping ---------------------------------------------------------------------


def make_entries(cache: Cache, ages: dict[str, float]) -> None:
    """Publish entries of about 10 kB each, last used so many seconds ago."""
    now = time.time()
    for key, age in ages.items():
        path = cache.build("data", key, lambda d: (d / "x").write_bytes(bytes(10_000)))
        (path / ".used").touch()
        os.utime(path / ".used", (now - age, now - age))


def keys(cache: Cache) -> list[str]:
    return [info.key for info in cache.list()]


def test_list(cache: Cache) -> None:
    assert cache.list() == []
    before = time.time()
    code = cache.build("code", KEY, fill)
    make_entries(cache, {OTHER: 100})
    first, second = cache.list()
    assert (first.kind, first.key, first.path) == ("code", KEY, code)
    assert (second.kind, second.key) == ("data", OTHER)
    assert second.last_used == pytest.approx(before - 100, abs=10)
    assert before - 1 <= first.created <= time.time()
    assert first.bytes == sum(p.stat().st_size for p in code.rglob("*") if p.is_file()) > 1007


def test_use_is_remembered(cache: Cache) -> None:
    make_entries(cache, {"aaaa": 100, "bbbb": 50})
    assert keys(cache) == ["bbbb", "aaaa"]
    assert cache.entry("data", "aaaa")
    assert keys(cache) == ["aaaa", "bbbb"]


def test_prune_by_age(cache: Cache) -> None:
    make_entries(cache, {"aaaa": 1000, "bbbb": 500, "cccc": 10})
    assert [info.key for info in cache.prune(older_than=400)] == ["aaaa", "bbbb"]
    assert keys(cache) == ["cccc"]


def test_prune_by_size_takes_the_least_recently_used(cache: Cache) -> None:
    make_entries(cache, {"aaaa": 10, "bbbb": 1000, "cccc": 100})
    assert [info.key for info in cache.prune(max_bytes=15_000)] == ["bbbb", "cccc"]
    assert keys(cache) == ["aaaa"]
    assert cache.prune(max_bytes=15_000) == []
    assert cache.entry("data", "aaaa") is not None
    assert not list(cache.root.glob("trash/*"))


def test_prune_without_limits_uses_the_setting(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", None)
    make_entries(cache, {"aaaa": 10, "bbbb": 1000})
    assert cache.prune() == []
    config.configure(cache_max_bytes=15_000)
    assert [info.key for info in cache.prune()] == ["bbbb"]


def test_publishing_keeps_the_cache_at_its_size(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 24 * 3600
    monkeypatch.setattr(config, "_current", None)
    make_entries(cache, {"aaaa": 3 * day, "bbbb": 2 * day, "cccc": 60})
    config.configure(cache_max_bytes=35_000)
    make_entries(cache, {"dddd": 0})
    assert keys(cache) == ["dddd", "cccc", "bbbb"]
    # What was used today may still be open.
    config.configure(cache_max_bytes=0)
    make_entries(cache, {"eeee": 0})
    assert keys(cache) == ["eeee", "dddd", "cccc"]


def test_clear(cache: Cache) -> None:
    make_entries(cache, {"aaaa": 10, "bbbb": 1000})
    with pytest.raises(RuntimeError), cache.building("code", KEY) as failed:
        raise RuntimeError
    with cache.building("code", OTHER) as running:
        fill(running.directory)
        assert cache.clear() == 2
        assert not failed.directory.exists()
        assert running.publish().is_dir()
    assert keys(cache) == [OTHER]
    assert cache.entry("data", "aaaa") is None


def test_damaged_entries_are_listed_and_cleared(cache: Cache) -> None:
    path = cache.build("code", KEY, fill)
    _garble(path)
    assert keys(cache) == [KEY]
    assert cache.clear() == 1
    assert cache.clear() == 0
