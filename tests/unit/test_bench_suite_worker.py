"""benchmarks/contenders: the process that a contender lives in, and who talks to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks.contenders import _KNOWN, all_contenders, common
from benchmarks.contenders.client import ContenderFailed, ContenderTimeout, Worker
from benchmarks.contenders.named import case_named
from gpurun.bench.suite.contender import Absent
from gpurun.errors import ConfigError

CASE = """
TITLE, SOURCE = "a planted one", "nowhere"
SIZES = {"tiny": {}, "quick": {}, "full": {}}


def create():
    raise AssertionError("fakes need no network")
"""
FAKES = """
import gc, os, signal, subprocess, sys
import numpy as np
from gpurun.bench.suite.contender import Absent


class Fake:
    def __init__(self, case, size, folder):
        self.case, self.size, self.folder = case, size, folder

    def setup(self):
        print("from Python")
        os.system("echo from a child; echo and its stderr >&2")
        assert not gc.isenabled()
        return {"load": np.float32(0.5)}

    def present(self, number):
        assert not gc.isenabled()
        if number == 13:
            raise ValueError("not this one")
        if number == 99:
            # Holds the pipe open for as long as it lives
            hold = f"exec 3> {self.folder}/alive; echo $$ >&3; exec sleep 1000"
            subprocess.Popen(hold, shell=True)
            signal.pause()
        if number == 77:
            os.abort()
        if number == 55:
            sys.exit(3)
        return {"wall": number / 2}

    def result(self, number):
        assert gc.isenabled()
        return {"spikes.i": np.arange(number), "spikes.t": np.arange(number) / 4}

    def steps(self, count):
        return None

    def throughput(self, replicas, count):
        return replicas * count

    def facts(self):
        return {"case": self.case.name, "size": self.size, "cache": os.environ["GPURUN_CACHE_DIR"]}

    def energy(self, count):
        return np.float32(count / 2)

    def memory(self):
        return {"peak host memory": 1}

    def close(self):
        (self.folder / "closed").touch()


class Missing(Fake):
    def setup(self):
        raise Absent("there is none here")


CONTENDERS = {"fake": Fake, "missing": Missing}
"""


@pytest.fixture
def planted(tmp_path: Path) -> tuple[str, str, Path]:
    case, fakes = tmp_path / "planted_case.py", tmp_path / "planted_fakes.py"
    case.write_text(CASE)
    fakes.write_text(FAKES)
    return str(case), str(fakes), tmp_path / "work"


@pytest.fixture
def worker(planted: tuple[str, str, Path]) -> Iterator[Worker]:
    case, fakes, folder = planted
    with Worker(case, "quick", f"{fakes}:fake", folder) as started:
        yield started


def test_what_a_contender_says_arrives_whatever_is_printed(worker: Worker) -> None:
    assert worker.ask({"do": "setup"}) == {"load": 0.5}
    assert worker.log() == "from Python\nfrom a child\nand its stderr"
    assert worker.ask({"do": "present", "number": 3}) == {"wall": 1.5}
    several = worker.ask({"do": "present", "number": 3, "count": 2})
    assert several == [{"wall": 1.5}, {"wall": 2.0}]
    found = worker.result(3)
    assert set(found) == {"spikes.i", "spikes.t"}
    np.testing.assert_array_equal(found["spikes.t"], [0.0, 0.25, 0.5])
    assert worker.ask({"do": "steps", "count": 5}) is None
    assert worker.ask({"do": "throughput", "replicas": 2, "count": 8}) == 16.0
    assert worker.ask({"do": "energy", "count": 5}) == 2.5
    assert worker.ask({"do": "memory"}) == {"peak host memory": 1.0}
    facts = worker.ask({"do": "facts"})
    assert facts["case"] == "planted_case" and facts["size"] == "quick"
    assert Path(facts["cache"]).parent == worker.folder
    worker.close()
    assert (worker.folder / "closed").exists() and not worker.running
    worker.close()


def test_a_failure_says_what_and_where_and_the_contender_lives_on(worker: Worker) -> None:
    with pytest.raises(ContenderFailed, match="'setup' comes first"):
        worker.ask({"do": "present", "number": 0})
    worker.ask({"do": "setup"})
    with pytest.raises(ContenderFailed, match=r"ValueError: not this one \(.*planted_fakes.py:"):
        worker.ask({"do": "present", "number": 13})
    with pytest.raises(ContenderFailed, match="SystemExit: 3"):
        worker.ask({"do": "present", "number": 55})
    with pytest.raises(ContenderFailed, match="do not know the request 'dance'") as caught:
        worker.ask({"do": "dance"})
    # The traceback is in the log, and its end in the error
    assert "ConfigError" in caught.value.fields["log"]
    assert worker.ask({"do": "present", "number": 2}) == {"wall": 1.0}


def test_one_that_is_absent_says_why(planted: tuple[str, str, Path]) -> None:
    case, fakes, folder = planted
    missing = Worker(case, "quick", f"{fakes}:missing", folder)
    with missing, pytest.raises(Absent, match=r"^there is none here$"):
        missing.ask({"do": "setup"})
    other = Worker(case, "quick", f"{fakes}:other", folder)
    with other, pytest.raises(ContenderFailed, match=r"no contender 'other'.*'fake', 'missing'"):
        other.ask({"do": "setup"})


def test_one_that_takes_too_long_is_ended_with_its_children(worker: Worker) -> None:
    worker.ask({"do": "setup"})
    os.mkfifo(worker.folder / "alive")
    reading = os.open(worker.folder / "alive", os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(reading, "rb") as pipe:
        with pytest.raises(ContenderTimeout, match=r"no answer to 'present' within 2 s"):
            worker.ask({"do": "present", "number": 99}, timeout=2)
        assert not worker.running
        os.set_blocking(pipe.fileno(), True)
        # The child was there, and the end comes when nobody has the pipe open any more
        assert int(pipe.read())
    with pytest.raises(ContenderFailed, match="has ended"):
        worker.ask({"do": "facts"})


def test_one_that_crashes_is_reported(worker: Worker) -> None:
    worker.ask({"do": "setup"})
    with pytest.raises(ContenderFailed, match=r"has ended \(signal SIGABRT\) during 'present'"):
        worker.ask({"do": "present", "number": 77})
    assert not worker.running


def test_every_contender_that_is_listed_is_in_its_module() -> None:
    modules: dict[str, set[str]] = {}
    for name, (module, title) in _KNOWN.items():
        assert title
        modules.setdefault(module, set()).add(name)
    for module, names in modules.items():
        assert set(import_module(f"benchmarks.contenders.{module}").CONTENDERS) == names
    assert list(all_contenders()) == list(_KNOWN)


@pytest.mark.parametrize(("name", "why"), [("pygenn", "PyGeNN"), ("bindsnet", "BindsNET")])
def test_others_are_absent_where_they_are_not_installed_or_have_no_such_model(
    name: str, why: str, planted: tuple[str, str, Path]
) -> None:
    case, _, folder = planted
    with pytest.raises(Absent, match=why):
        all_contenders()[name][1](case_named(case), "tiny", folder).setup()


def test_flags_are_exact_or_brians_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(common.FLAGS, raising=False)
    assert common.exact()
    monkeypatch.setenv(common.FLAGS, "default")
    assert not common.exact()
    monkeypatch.setenv(common.FLAGS, "fast")
    with pytest.raises(ConfigError, match=r"'exact' or 'default', not 'fast'"):
        common.exact()


def test_whoever_lists_contenders_need_not_wait_for_brian2() -> None:
    code = (
        "import sys; from gpurun.bench_contenders import all_contenders, client; "
        "assert 'brian2-cpp' in all_contenders(); print('brian2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
