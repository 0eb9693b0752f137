"""The examples, run as their readers run them; what they print and write is checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = Path(sys.executable).parent / "gpurun"
#: Examples that use nothing but Brian's own interface.
PLAIN = ("weights_between_runs", "timed_array_per_run", "closed_loop")
# Without these, two compilers' output may differ in the last bit, and then in a spike.
STRICT = "codegen.cpp.extra_compile_args_gcc = ['-w', '-O0', '-ffp-contract=off']\n"


def call(command: list[str | Path], cwd: Path, *, expected: int = 0) -> tuple[str, str]:
    """Run a command in `cwd`; returns what it printed and what it said on stderr."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == expected, f"{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def gpurun(name: str, cwd: Path, *arguments: str) -> tuple[str, str]:
    return call([COMMAND, EXAMPLES / f"{name}.py", *arguments], cwd)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the plain Brian examples print under gpurun, compiled without fast-math."""
    texts = {}
    for name in PLAIN:
        folder = tmp_path_factory.mktemp(name)
        (folder / "brian_preferences").write_text(STRICT)
        texts[name], said = gpurun(name, folder)
        runs = re.search(r"(\d+) runs, .* build", said)
        assert runs, said
        assert int(runs[1]) > 1, "the model was not run by gpurun"
        assert not (folder / "output" / "main").exists(), "brian2's own program was built"
    return texts


def counts_of(line: str) -> list[int]:
    """The numbers in the brackets of a line."""
    return [int(word) for word in line[line.index("[") + 1 : line.index("]")].split()]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_brian_prints_the_same(name: str, printed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "brian_preferences").write_text(STRICT)
    text, _ = call([sys.executable, EXAMPLES / f"{name}.py"], tmp_path)
    assert (tmp_path / "output" / "main").exists(), "this was not brian2's own device"
    assert printed[name] == text


def test_weights_between_runs(printed: dict[str, str]) -> None:
    _, _, *lines = printed["weights_between_runs"].splitlines()
    by_name = {line[:8].strip(): counts_of(line) for line in lines}
    totals = {line[:8].strip(): int(line[8:].split()[0]) for line in lines}
    assert list(by_name) == ["drawn", "halved", "doubled", "as drawn"]
    assert all(totals[name] == sum(counts) for name, counts in by_name.items())
    assert by_name["as drawn"] == by_name["drawn"], "the baseline did not come back"
    drawn = np.array(by_name["drawn"])
    assert (np.array(by_name["halved"]) < drawn).all()
    assert (np.array(by_name["doubled"]) > drawn).all()


def simulate(values: np.ndarray, tau: float) -> int:
    """Spikes of the neuron of timed_array_per_run.py; `values` in nA, one every 2 ms."""
    dt, v, free_from, spikes = 1e-4, 0.0, 0, 0
    for step in range(20 * len(values)):
        if step >= free_from:
            v += dt * (50e6 * values[step // 20] * 1e-9 - v) / tau
            if v > 10e-3:
                v, free_from, spikes = 0.0, step + 20, spikes + 1
    return spikes


def test_timed_array_per_run(printed: dict[str, str]) -> None:
    n = 200
    times = np.arange(n) * 2e-3
    stimuli = [
        np.zeros(n),
        np.where(times > 0.1, 0.3, 0),
        np.linspace(0, 0.6, n),
        0.3 * (1 + np.sin(2 * np.pi * 5 * times)),
        np.where(np.arange(n) % 25 < 2, 1.0, 0),
        np.zeros(n),
    ]
    _, *lines = printed["timed_array_per_run"].splitlines()
    assert len(lines) == len(stimuli)
    for line, values in zip(lines, stimuli, strict=True):
        charge, counts = float(line[10:].split()[0]), counts_of(line)
        # Python-side reads of the TimedArray are not what decides: the spikes are
        assert charge == pytest.approx(values.sum() * 2e-3, abs=6e-4)
        expected = [simulate(values, tau * 1e-3) for tau in (2, 5, 10, 20, 40)]
        assert counts == pytest.approx(expected, abs=1), line


def test_closed_loop(printed: dict[str, str]) -> None:
    pattern = re.compile(r"target (\d+) +run +(\d+) +([\d.]+) Hz +(\d+) spikes")
    asked: dict[int, list[tuple[float, int]]] = {}
    for line in printed["closed_loop"].splitlines():
        match = pattern.fullmatch(line)
        assert match, line
        asked.setdefault(int(match[1]), []).append((float(match[3]), int(match[4])))
    assert len(asked) == 3
    answers: dict[float, int] = {}
    for target, questions in asked.items():
        low, high = 0.0, 200.0
        for rate, answer in questions:
            # Each question follows from the answers to those before it
            assert rate == pytest.approx((low + high) / 2, abs=1e-4)
            assert answers.setdefault(rate, answer) == answer, "an answer depends on its history"
            low, high = (rate, high) if answer < target else (low, rate)
        assert abs(questions[-1][1] - target) <= 0.01 * target
        assert all(abs(answer - target) > 0.01 * target for _, answer in questions[:-1])
    assert len(answers) > 15


def movie(cwd: Path, *arguments: str) -> dict[str, float]:
    text, _ = gpurun("movie_larger_than_memory", cwd, *arguments)
    match = re.search(r"([\d.]+) MB as a TimedArray, ([\d.]+) MB in a chunk", text)
    spikes = re.search(r"every cell saw every frame of its pixel; (\d+) spikes in all", text)
    grown = re.search(r"memory grew by ([\d.]+) MB", text)
    assert match, text
    assert spikes, text
    assert grown, text
    return {"whole": float(match[1]), "spikes": int(spikes[1]), "grown": float(grown[1])}


def test_movie_stays_out_of_memory(tmp_path: Path) -> None:
    found = movie(tmp_path)
    assert found["whole"] > 150
    # Even as float32, the whole movie would be half of this
    assert found["grown"] < 0.3 * found["whole"]
    assert found["spikes"] > 100_000


def test_movie_does_not_depend_on_the_chunks(tmp_path: Path) -> None:
    size = ["--frames", "430", "--side", "17"]
    whole = movie(tmp_path, *size, "--chunk", "430")
    parts = movie(tmp_path, *size, "--chunk", "100")
    assert whole["spikes"] == parts["spikes"] > 1000


def test_long_run_in_segments(tmp_path: Path) -> None:
    text, said = gpurun("long_run_in_segments", tmp_path)
    assert text.startswith("40 segments of 0.1 to ")
    compared = [int(n) for n in re.findall(r"(\d+) values, the same bits", text)]
    assert len(compared) == 12
    assert compared[2] == 3 * 20_000, "the trace of 2 s"
    assert compared[8] == 3 * 23_000, "and of 300 ms more"
    assert compared[6] > compared[0] > 1000, "spikes"
    # 40 pieces, the whole, and both of them once more; none of them cut short
    assert re.search(r"\b43 runs, 4\.6 s of model time", said), said


def test_comparison_of_segments_can_fail(tmp_path: Path) -> None:
    script = (EXAMPLES / "long_run_in_segments.py").read_text(encoding="utf-8")
    changed = script.replace("pieces.run(seed=5,", "pieces.run(seed=6,")
    assert changed != script
    copy = tmp_path / "other_seed.py"
    copy.write_text(changed, encoding="utf-8")
    _, said = call([COMMAND, copy], tmp_path, expected=1)
    assert "AssertionError: spike times" in said


def test_disk_writer(tmp_path: Path) -> None:
    folder = tmp_path / "Files of ünlike runs"
    text, _ = gpurun("disk_writer", tmp_path, str(folder))
    printed = re.findall(r"run (\d): +(\d+) spikes, +(\d+) bytes, all there", text)
    assert [int(number) for number, _, _ in printed] == [1, 2, 3, 4, 5, 6]
    files = {}
    for number, spikes, size in printed:
        content = (folder / f"run_{number}.txt").read_bytes()
        assert len(content) == int(size)
        assert content.endswith(b"\n")
        neurons, times = np.loadtxt(content.decode().splitlines(), unpack=True)
        assert len(neurons) == int(spikes) > 100
        assert set(neurons) <= set(range(25))
        assert (np.diff(times) >= 0).all(), "two runs are in one file"
        assert 0 <= times[0] <= times[-1] < 0.2
        files[number] = content
    assert len(list(folder.iterdir())) == 6
    # The same stimulus and the same noise: through device.run or through a session
    assert files["1"] == files["4"]
    assert len(set(files.values())) == 5


def test_stop_and_go_on(tmp_path: Path) -> None:
    text, said = gpurun("stop_and_go_on", tmp_path)
    killed = re.findall(r"job (\d) was killed; the file is at ([\d.]+) s", text)
    assert [number for number, _ in killed] == ["1", "2", "3"]
    reached = [float(t) for _, t in killed]
    assert 0 < reached[0] < reached[1] < reached[2] < 100
    assert "the last job went on to 100.0000 s" in text
    compared = [int(n) for n in re.findall(r"(\d+) values, the same bits", text)]
    assert len(compared) == 5
    assert compared[0] == compared[1] == 1600
    assert compared[2] == compared[3] > 1000, "spikes"
    # The part of the last job, and the one that was not stopped
    assert re.search(r"\b2 runs, ", said), said


def test_comparison_after_kills_can_fail(tmp_path: Path) -> None:
    script = (EXAMPLES / "stop_and_go_on.py").read_text(encoding="utf-8")
    changed = script.replace("session.run(seed=1,", "session.run(seed=2,")
    assert changed != script
    copy = tmp_path / "other_seed.py"
    copy.write_text(changed.replace("(1, 2, 3)", "(1,)"), encoding="utf-8")
    _, said = call([COMMAND, copy], tmp_path, expected=1)
    assert "AssertionError: weights differs" in said
