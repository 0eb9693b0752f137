"""The command line on emulated cards: the driver's list of them is emulated, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cuda_emulator.driver import prepare
from tests.emulated.programs import TOOLKIT

STANDALONE = """
import sys
from brian2 import *
set_device("cpp_standalone", build_on_run=False)
cells = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
cells.v = 1
run(1*ms)
device.build(run=False)
device.run()
print(type(get_device()).__name__, cells.v[0])
device.run(run_args={cells.v: 2})
print(cells.v[0])
"""

SESSION = """
import sys
from brian2 import *
import gpurun
set_device("gpurun", build_on_run=False, **eval(sys.argv[1]))
cells = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
cells.v = 1
run(1*ms)
model = gpurun.build()
for device in sys.argv[2:]:
    try:
        with model.session(device) as session:
            result = session.run({cells.v: 2}, record=[cells.v])
            print(result.device, result[cells.v][0])
    except gpurun.GpurunError as error:
        print(type(error).__name__, error)
"""

ONE, TWO = f"{1 * 2.718281828459045**-0.1:.6f}", f"{2 * 2.718281828459045**-0.1:.6f}"


class Machine:
    """Where the ``gpurun`` command is called; models are kept from one test to the next."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        unwanted = ("CUDA_", "LD_LIBRARY_PATH", "GPURUN_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        kept = {"CUDA_EMULATOR_CACHE", "CUDA_EMULATOR_PYTHON"} & os.environ.keys()
        self.environment = {
            **clean,
            **{name: os.environ[name] for name in kept},
            "GPURUN_CACHE_DIR": str(cache),
            "LD_LIBRARY_PATH": str(prepare.nvml()),
            "CUDA_PATH": str(TOOLKIT),
            "CUDA_EMULATOR": "devices=2 strict=on leaks=fatal",
        }
        (folder / "standalone.py").write_text(STANDALONE)
        (folder / "session.py").write_text(SESSION)

    def __call__(
        self, *words: str, status: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "gpurun"), *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def gpurun(tmp_path: Path, cache: Path) -> Machine:
    return Machine(tmp_path, cache)


def rounded(text: str) -> list[str]:
    def one(word: str) -> str:
        try:
            return f"{float(word):.6f}"
        except ValueError:
            return word

    return [" ".join(one(word) for word in line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("device", ["cuda", "1", "auto"])
@pytest.mark.parametrize("name", ["cpp_standalone", "cuda_standalone"])
def test_standalone_script_on_a_card(gpurun: Machine, device: str, name: str) -> None:
    (gpurun.folder / "standalone.py").write_text(STANDALONE.replace("cpp_standalone", name))
    done = gpurun("standalone.py", "--device", device)
    assert rounded(done.stdout) == [f"CUDAStandaloneDevice {ONE}", TWO]
    assert "2 runs" in done.stderr


def test_standalone_script_that_imports_brian2cuda(gpurun: Machine) -> None:
    text = STANDALONE.replace("cpp_standalone", "cuda_standalone")
    (gpurun.folder / "standalone.py").write_text(
        text.replace("from brian2 import *", "from brian2 import *\nimport brian2cuda")
    )
    done = gpurun("standalone.py", "--device", "cuda")
    assert rounded(done.stdout) == [f"CUDAStandaloneDevice {ONE}", TWO]
    done = gpurun("standalone.py", "--device", "cpu")
    assert rounded(done.stdout) == [f"CPPStandaloneDevice {ONE}", TWO]


@pytest.mark.parametrize(("device", "there"), [("cuda", 1), ("cuda:0", 0)])
def test_a_script_names_its_card_unless_the_command_does(
    gpurun: Machine, device: str, there: int
) -> None:
    text = STANDALONE.replace("cpp_standalone", "cuda_standalone").replace(
        "from brian2 import *",
        "from brian2 import *\nimport brian2cuda\n"
        "prefs.devices.cuda_standalone.cuda_backend.gpu_id = 1\n"
        "prefs.devices.cuda_standalone.parallel_blocks = 3",
    )
    (gpurun.folder / "standalone.py").write_text(text + "print(device.last_result.device)")
    done = gpurun("standalone.py", "--device", device)
    assert rounded(done.stdout) == [f"CUDAStandaloneDevice {ONE}", TWO, f"cuda:{there}"]
    assert "'devices.cuda_standalone.parallel_blocks' has no effect" in done.stderr


def test_auto_without_a_card(gpurun: Machine) -> None:
    done = gpurun("standalone.py", CUDA_EMULATOR="devices=0")
    assert rounded(done.stdout)[0] == f"CPPStandaloneDevice {ONE}"
    assert "running on the CPU (" in done.stderr


@pytest.mark.parametrize("device", ["2", "cuda:7"])
def test_card_that_is_not_there(gpurun: Machine, device: str) -> None:
    done = gpurun("standalone.py", "--device", device, status=2)
    assert done.stdout == ""
    assert "only cuda:0, cuda:1" in done.stderr


def test_sessions(gpurun: Machine) -> None:
    done = gpurun("session.py", "{}", "auto", "cuda", "cuda:1", "cuda:7", "cpu")
    lines = rounded(done.stdout)
    assert lines[:3] == [f"cuda:0 {TWO}", f"cuda:0 {TWO}", f"cuda:1 {TWO}"]
    assert lines[3].startswith("DeviceUnavailableError The device 'cuda:7' cannot be used")
    assert "cudaErrorInvalidDevice" in lines[3]
    assert lines[4].startswith("DeviceUnavailableError The device 'cpu' was asked for")
    assert len(lines) == 5


def test_the_command_line_chooses_the_card_of_a_session(gpurun: Machine) -> None:
    done = gpurun("session.py", "{}", "auto", "cuda:0", "--device", "1")
    assert rounded(done.stdout) == [f"cuda:1 {TWO}", f"cuda:0 {TWO}"]


def test_a_script_that_chooses_the_cpu(gpurun: Machine) -> None:
    done = gpurun("session.py", "{'backend': 'cpu'}", "cpu", "cuda")
    lines = rounded(done.stdout)
    assert lines[0] == f"cpu {TWO}"
    assert "backend='cuda'" in lines[1]


def test_built_where_there_is_no_card(gpurun: Machine, tmp_path: Path) -> None:
    environment = {"GPURUN_CACHE_DIR": str(tmp_path / "own cache ü")}
    without = {**environment, "CUDA_EMULATOR": "devices=0", "LD_LIBRARY_PATH": ""}
    done = gpurun("build", "standalone.py", "--arch", "sm_90", **without)
    assert done.stdout == ""
    assert "built for cuda" in done.stderr
    done = gpurun("standalone.py", "--device", "cuda", GPURUN_CUDA_ARCH="sm_90", **environment)
    assert rounded(done.stdout) == [f"CUDAStandaloneDevice {ONE}", TWO]
    assert "(from the cache)" in done.stderr
    # The emulated card is of this architecture
    done = gpurun("standalone.py", "--device", "cuda", **environment)
    assert "(from the cache)" in done.stderr


# The second card of the emulator by its number, its name, and the beginning of that
@pytest.mark.parametrize("visible", ["1", "GPU-e10c0de0-c0da-4e00-8e00-000000000001", "GPU-e1"])
def test_a_card_that_is_hidden(gpurun: Machine, visible: str) -> None:
    gpurun("standalone.py", "--device", "cuda", status=2, CUDA_VISIBLE_DEVICES="")
    done = gpurun("session.py", "{}", "auto", "cuda:1", CUDA_VISIBLE_DEVICES=visible)
    lines = rounded(done.stdout)
    assert lines[0] == f"cuda:0 {TWO}"
    assert "cudaErrorInvalidDevice" in lines[1]


def test_doctor(gpurun: Machine) -> None:
    done = gpurun("doctor")
    assert "CUDA backend: usable" in done.stdout
