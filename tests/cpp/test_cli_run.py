"""The command line over the real core: scripts as Brian2 users have them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "gpurun")
Run = Callable[..., subprocess.CompletedProcess[str]]

MODEL = """
import json, sys
from brian2 import *
set_device("cpp_standalone", build_on_run=False)
group = NeuronGroup(10, "dv/dt = (I - v)/(10*ms) : 1\\nI : 1", threshold="v > 1", reset="v = 0",
                    method="exact")
group.I = "1.5 + 0.5*rand()"
spikes = SpikeMonitor(group)
"""
LOOP = (
    MODEL
    + """
run(100*ms)
device.build(run=False)
counts = []
for drive in (0.5, 2.0, 3.0):
    device.run(run_args={group.I: drive})
    counts.append(int(spikes.num_spikes))
print(json.dumps(counts))
"""
)


@pytest.fixture
def gpurun(tmp_path: Path) -> Run:
    def call(text: str, *words: str, name: str = "train.py") -> subprocess.CompletedProcess[str]:
        (tmp_path / name).write_text(text)
        return subprocess.run(
            [COMMAND, "--device", "cpu", *words[:-1], name, *words[-1:]]
            if words
            else [COMMAND, "--device", "cpu", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


def lines_of_gpurun(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("gpurun: ")]


def test_run_args_loop(gpurun: Run) -> None:
    done = gpurun(LOOP)
    assert done.returncode == 0, done.stderr
    none, some, more = json.loads(done.stdout)
    assert none == 0 < some < more
    closing = lines_of_gpurun(done.stderr)[-1]
    assert re.fullmatch(
        r"gpurun: 3 runs, 0\.300 s of model time, .* of wall time \(.* in runs\), build .*", closing
    )
    again = gpurun(LOOP)
    assert again.stdout == done.stdout
    assert lines_of_gpurun(again.stderr)[-1].endswith("(from the cache)")


def test_cuda_standalone_scripts_run_too(gpurun: Run) -> None:
    done = gpurun(LOOP.replace('"cpp_standalone"', '"cuda_standalone"'))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(gpurun(LOOP).stdout)


def test_build_on_run(gpurun: Run) -> None:
    text = MODEL.replace(", build_on_run=False", "") + "run(100*ms)\nprint(spikes.num_spikes)\n"
    done = gpurun(text)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    assert "gpurun: 1 run, 0.100 s of model time" in done.stderr


def test_seed_option_makes_an_unseeded_script_repeatable(gpurun: Run) -> None:
    text = MODEL + "run(100*ms)\ndevice.build()\nprint(list(group.I[:]))\n"
    first, second, other = (gpurun(text, "--seed", n, "x").stdout for n in ("1", "1", "2"))
    assert first
    assert first == second != other


def test_no_cache(gpurun: Run) -> None:
    gpurun(LOOP)
    done = gpurun(LOOP, "--no-cache", "x")
    assert done.returncode == 0, done.stderr
    assert "from the cache" not in done.stderr


def test_directory(gpurun: Run, tmp_path: Path) -> None:
    done = gpurun(LOOP, "--directory", "sources", "x")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "sources").rglob("*.cpp"))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pool_over_device_run(gpurun: Run, method: str) -> None:
    text = (
        LOOP.partition("counts = []")[0]
        + f"""
def work(drive):
    device.run(run_args={{group.I: drive}})
    return int(spikes.num_spikes)
if __name__ == "__main__":
    import multiprocessing
    alone = [work(drive) for drive in (0.5, 2.0, 3.0)]
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(work, [0.5, 2.0, 3.0]) == alone, type(device).__module__)
"""
    )
    done = gpurun(text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True"), done.stdout + done.stderr
    assert "gpurun: 6 runs, 0.600 s of model time" in done.stderr


def test_interrupt_stops_a_long_run_and_keeps_the_finished_ones(tmp_path: Path) -> None:
    text = LOOP.replace("run(100*ms)", "run(float(sys.argv[1])*second)").replace(
        "counts.append", "open(f'done{len(counts)}', 'w').close(); counts.append"
    )
    (tmp_path / "train.py").write_text(text)
    with subprocess.Popen(
        [COMMAND, "--device", "cpu", "train.py", "20000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while "model " not in said:
            line = process.stderr.readline()
            said += line
            assert line, said
        time.sleep(1.0)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[1]
    assert time.monotonic() - asked < 10
    assert process.returncode == 130, rest
    assert not (tmp_path / "done0").exists()
    assert "gpurun: interrupted; " in rest
    assert "Traceback" not in rest


def test_finished_runs_survive_an_interrupt(tmp_path: Path) -> None:
    text = LOOP.replace("for drive in (0.5, 2.0, 3.0):", "while True:\n    drive = 2.0").replace(
        "counts.append(", "print('done', file=open('log', 'a')); counts.append("
    )
    (tmp_path / "train.py").write_text(text)
    with subprocess.Popen(
        [COMMAND, "--device", "cpu", "train.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 240
        log = tmp_path / "log"
        while not log.exists() or log.stat().st_size < 500:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    match = re.search(r"gpurun: interrupted; (\d+) runs", said)
    assert match, said
    assert int(match[1]) - len(log.read_text().splitlines()) in (0, 1)


def test_errors_of_the_core_end_at_the_users_line(gpurun: Run) -> None:
    done = gpurun(LOOP.replace("{group.I: drive}", "{group.I: drive*volt}"))
    assert done.returncode == 1
    frames = [line for line in done.stderr.splitlines() if line.lstrip().startswith("File ")]
    assert len(frames) == 1
    assert "train.py" in frames[0]


PLAIN = (
    "from brian2 import *\nprefs.codegen.target = 'numpy'\n"
    "{first}\n"
    "group = NeuronGroup(1, 'dv/dt = -v/(10*ms) : 1', method='exact')\ngroup.v = 1\n"
    "run(10*ms)\nprint(round(float(group.v[0]), 4))\n"
)


def test_plain_scripts_run_resident(gpurun: Run) -> None:
    done = gpurun(PLAIN.format(first=""))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.3679\n"
    assert "gpurun: 1 run, 0.010 s of model time" in done.stderr
    assert "set_device" not in done.stderr


def test_a_script_that_chooses_runtime_mode_is_left_to_brian(gpurun: Run) -> None:
    done = gpurun(PLAIN.format(first="set_device('runtime')"))
    assert (done.returncode, done.stdout) == (0, "0.3679\n"), done.stderr
    assert "gpurun --take-over-runtime SCRIPT" in done.stderr
    assert " run, " not in done.stderr
    done = gpurun(PLAIN.format(first="set_device('runtime')"), "--take-over-runtime", "word")
    assert (done.returncode, done.stdout) == (0, "0.3679\n"), done.stderr
    assert "gpurun: 1 run, " in done.stderr


def test_a_script_called_random(gpurun: Run) -> None:
    done = gpurun(LOOP, name="random.py")
    assert lines_of_gpurun(done.stderr)[0].startswith("gpurun: warning: the script random.py")


def test_paths_with_spaces_and_letters(tmp_path: Path) -> None:
    folder = tmp_path / "Täglich Ω run"
    folder.mkdir()
    (folder / "mein Skript.py").write_text(LOOP)
    done = subprocess.run(
        [COMMAND, "--device", "cpu", "--directory", "Quellen Ω", "mein Skript.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 3
