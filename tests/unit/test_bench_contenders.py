"""gpurun/bench: turns, clocks, machine, cases and the command."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gpurun.bench import cases, clocks, machine
from gpurun.bench.__main__ import main
from gpurun.bench.contenders import interleave
from gpurun.errors import ConfigError


class Fake:
    def __init__(self, name: str, log: list[tuple[str, int]]) -> None:
        self.name = name
        self.log = log

    def present(self, number: int) -> Mapping[str, float]:
        assert not gc.isenabled()
        self.log.append((self.name, number))
        return {"wall": number + 0.5}


def test_contenders_take_turns_and_warmup_is_dropped() -> None:
    log: list[tuple[str, int]] = []
    ticks: list[tuple[int, int]] = []
    found = interleave(
        [Fake("a", log), Fake("b", log)], 3, warmup=1, progress=lambda *t: ticks.append(t)
    )
    assert found == {"a": {"wall": [0.5, 1.5, 2.5]}, "b": {"wall": [0.5, 1.5, 2.5]}}
    assert log == [
        ("b", -1), ("a", -1),
        ("a", 0), ("b", 0),
        ("b", 1), ("a", 1),
        ("a", 2), ("b", 2),
    ]  # fmt: skip
    assert ticks == [(1, 3), (2, 3), (3, 3)]
    assert gc.isenabled()


def test_several_rounds_in_a_row() -> None:
    log: list[tuple[str, int]] = []
    ticks: list[tuple[int, int]] = []
    fakes = [Fake("a", log), Fake("b", log)]
    found = interleave(fakes, 4, in_a_row=2, warmup=1, progress=lambda *t: ticks.append(t))
    assert found["a"] == found["b"] == {"wall": [0.5, 1.5, 2.5, 3.5]}
    assert log == [
        ("b", -1), ("a", -1),
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
        ("b", 2), ("b", 3), ("a", 2), ("a", 3),
    ]  # fmt: skip
    assert ticks == [(2, 4), (4, 4)]


def test_rounds_fill_their_turns() -> None:
    with pytest.raises(ConfigError, match="turns of 2"):
        interleave([Fake("a", [])], 3, in_a_row=2)


def test_garbage_collection_is_on_again_after_an_error() -> None:
    class Bad:
        name = "bad"

        def present(self, number: int) -> Mapping[str, float]:
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        interleave([Bad()], 1)
    assert gc.isenabled()


def test_measures_may_not_change_between_rounds() -> None:
    class Fickle:
        name = "fickle"

        def present(self, number: int) -> Mapping[str, float]:
            return {f"wall{number}": 1.0}

    with pytest.raises(ConfigError, match="fickle"):
        interleave([Fickle()], 2)


def test_names_have_to_differ() -> None:
    with pytest.raises(ConfigError, match="distinct"):
        interleave([Fake("a", []), Fake("a", [])], 1)


def test_at_least_one_round() -> None:
    with pytest.raises(ConfigError, match="round"):
        interleave([Fake("a", [])], 0)


def test_stopwatch_measures_its_block() -> None:
    with clocks.Stopwatch() as outer, clocks.Stopwatch() as inner:
        sum(range(10_000))
    assert 0 < inner.seconds <= outer.seconds


def test_resident_bytes_sees_a_large_array() -> None:
    before = clocks.resident_bytes()
    if before is None:
        pytest.skip("this system does not say how much memory is resident")
    block = bytearray(b"x" * (64 * 2**20))
    after = clocks.resident_bytes()
    assert after is not None
    assert after - before > 48 * 2**20
    assert len(block) == 64 * 2**20


def test_machine_says_what_was_used_and_nothing_private(tmp_path: Path) -> None:
    found = machine.describe()
    assert found.cores >= 1
    assert found.packages["numpy"][0].isdigit()
    assert found.quiet == (found.load_per_core <= machine.QUIET_LOAD)
    assert str(Path.home()) not in repr(found)


def test_commit_of_a_checkout_and_of_none(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True)

    assert machine.commit(tmp_path) == machine.Commit("unknown", modified=False)
    git("init", "--quiet")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "--quiet", "--message", "one")
    first = machine.commit(tmp_path)
    assert len(first.revision) == 40
    assert not first.modified
    (tmp_path / "a").write_text("2")
    assert machine.commit(tmp_path).modified


CASE = """
TITLE = "A tiny case"

def measure(recording):
    recording.parameters["rounds"] = 2
    recording.add("runs", "a", "wall", [2.0, 2.0, 2.0])
    recording.add_all("runs", {"b": {"wall": [1.0, 1.0, 1.0]}})
    recording.compare("a over b", [2.0, 2.0], [1.0, 1.0])
    recording.check("holds", HOLDS, "because")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "tiny.py").write_text(CASE.replace("HOLDS", "True"))
    (tmp_path / "benchmarks" / "broken.py").write_text(CASE.replace("HOLDS", "False"))
    (tmp_path / "benchmarks" / "empty.py").write_text("")
    (tmp_path / "docs").mkdir()
    marks = "<!-- begin tiny -->\n<!-- end tiny -->\n"
    (tmp_path / "docs" / "benchmarks.md").write_text(marks)
    return tmp_path


def test_the_command_measures_stores_and_updates_the_page(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiny", "--page", "--root", str(checkout)]) == 0
    page = (checkout / "docs" / "benchmarks.md").read_text()
    assert "| a over b | 2.00 [2.00, 2.00] |" in page
    assert len(list((checkout / "benchmarks" / "results").glob("tiny-*.json"))) == 1
    assert "| holds | yes | because |" in capsys.readouterr().out


def test_a_check_that_fails_is_the_exit_status(checkout: Path) -> None:
    assert main(["broken", "--root", str(checkout)]) == 1


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_case_that_is_none_is_an_error(
    name: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--root", str(checkout)]) == 2
    assert name in capsys.readouterr().err


def test_recording_keeps_plain_floats() -> None:
    import numpy as np

    recording = cases.Recording(quick=True)
    recording.add("g", "c", "m", np.array([1, 2], dtype=np.float32).tolist(), "B")
    assert recording.series[0].values == [1.0, 2.0]
    assert type(recording.series[0].values[0]) is float
