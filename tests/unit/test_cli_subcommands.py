"""`gpurun doctor`, `devices` and `cache`, with machines that are made up."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gpurun import cli, doctor, nvml, toolchain
from gpurun.cache import Cache
from gpurun.cli import devices
from gpurun.cli.arguments import UsageError
from gpurun.cli.cache import parse_age
from gpurun.config import DeviceSpec, configure, parse_device, settings
from gpurun.errors import BuildError, ConfigError, DeviceUnavailableError, ToolchainError

CARD = nvml.Card(0, 0, "NVIDIA H100", "GPU-1", 80 << 30, 20 << 30, 60 << 30)
DRIVER = nvml.Snapshot("580.65", (13, 0), (CARD,), None)
NO_DRIVER = nvml.Snapshot(problem="no NVIDIA driver is installed")
TOOLKIT = toolchain.CudaToolkit("/cuda/bin/nvcc", "13.0", "/cuda", "system", (), (), "curand", ())


@pytest.fixture(autouse=True)
def restored_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpurun.config._current", settings())


class Machine:
    """A machine with a good compiler, a card and all packages, until told otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        compiler = toolchain.Compiler("/usr/bin/c++", "gcc", "12.2.0", "gcc", ("/usr/bin/c++",))
        self.set(doctor, "_import_problem", None)
        self.set(doctor, "_compile_problem", None)
        self.set(doctor, "_cuda_compile_problem", None)
        self.set(doctor, "_has_nvidia_hardware", True)
        self.set(toolchain, "find_cxx", compiler)
        self.set(toolchain, "find_cuda", TOOLKIT)
        self.set(nvml, "snapshot", DRIVER)

    def set(self, module: object, name: str, result: object) -> None:
        def answer(*_: object, **__: object) -> object:
            if isinstance(result, Exception):
                raise result
            return result

        self.patch.setattr(module, name, answer)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def report(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = cli.main(["doctor"])
    return status, capsys.readouterr().out


def test_everything_is_there(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(capsys)
    assert status == 0
    assert "missing" not in text
    assert "warning" not in text
    assert "gcc 12.2.0 (/usr/bin/c++)" in text
    assert "580.65, for CUDA up to 13.0" in text
    assert "NVIDIA H100, 60.0 of 80.0 GiB free" in text
    assert "CPU backend:  usable\nCUDA backend: usable\n" in text


def test_compiler_that_nvcc_does_not_accept(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "crt").mkdir()
    (tmp_path / "crt" / "host_config.h").write_text("#if __GNUC__ > 11\n")
    machine.set(toolchain, "find_cuda", replace(TOOLKIT, include_dirs=(str(tmp_path),)))
    machine.patch.setenv("CXX", "c++")
    status, text = report(capsys)
    assert status == 1
    assert "accepts gcc up to version 11, but the C++ compiler is gcc 12.2.0" in text
    assert "to mend it: export CXX=g++-11" in text
    assert "CUDA backend: not usable (see compiler for nvcc)" in text


def test_nvcc_that_does_not_work(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.set(doctor, "_cuda_compile_problem", "no cicc")
    status, text = report(capsys)
    assert status == 1
    assert "gcc 12.2.0 (/usr/bin/c++), but nvcc fails: no cicc" in text
    # Starting a script does not wait for it.
    assert devices.choose(DeviceSpec("cuda", 0), quiet=False) == "cuda:0"


def test_no_driver(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.set(nvml, "snapshot", NO_DRIVER)
    machine.patch.setattr(doctor, "_driver_fix", lambda: "sudo install driver")
    status, text = report(capsys)
    assert status == 1
    assert "to mend it: sudo install driver" in text
    machine.set(doctor, "_has_nvidia_hardware", False)
    status, text = report(capsys)
    assert status == 1
    assert "shows no NVIDIA card" in text
    assert "to mend it" not in text


def test_old_driver(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.set(nvml, "snapshot", replace(DRIVER, cuda_version=(12, 4)))
    status, text = report(capsys)
    assert status == 1
    assert "for CUDA up to 12.4, which is too old for the toolkit's 13.0" in text


def test_hidden_cards(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = replace(DRIVER, cards=(replace(CARD, cuda_index=None),), problem="CUDA sees no card")
    machine.set(nvml, "snapshot", hidden)
    machine.patch.setenv("CUDA_VISIBLE_DEVICES", "")
    status, text = report(capsys)
    assert status == 1
    assert "not visible to CUDA" in text
    assert "to mend it: unset CUDA_VISIBLE_DEVICES" in text


@pytest.mark.parametrize(
    ("toolkit", "said"),
    [
        (None, "no nvcc was found"),
        (replace(TOOLKIT, missing=("cuda_runtime.h",)), "without cuda_runtime.h"),
    ],
)
def test_toolkit(
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
    toolkit: toolchain.CudaToolkit | None,
    said: str,
) -> None:
    machine.set(toolchain, "find_cuda", toolkit)
    status, text = report(capsys)
    assert status == 1
    assert said in text
    assert '"cuda-toolkit[nvcc,cudart,cccl,crt,nvvm]==13.0.2"' in text


def test_no_compiler(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    error = ToolchainError("no C++17 compiler was found", missing="c++", fix="apt-get install g++")
    machine.set(toolchain, "find_cxx", error)
    status, text = report(capsys)
    assert status == 3
    assert "to mend it: apt-get install g++" in text
    assert "CPU backend:  not usable (see C++ compiler)" in text


def test_compiler_that_cannot_link(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.set(doctor, "_compile_problem", "ld: cannot find -lstdc++")
    status, text = report(capsys)
    assert status == 3
    assert "does not make usable libraries: ld: cannot find -lstdc++" in text


def test_the_compiler_is_really_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BuildError("ld: cannot find -lstdc++", command=[])

    def fail(*_: object, **__: object) -> float:
        raise error

    def write_nonsense(sources: list[Path], output: Path, **_: object) -> float:
        output.write_bytes(b"no library")
        return 0.0

    monkeypatch.setattr(toolchain, "compile_shared", fail)
    assert doctor._compile_problem() == error.message
    monkeypatch.setattr(toolchain, "compile_shared", write_nonsense)
    assert "answer.so" in (doctor._compile_problem() or "")


@pytest.mark.parametrize(
    ("version", "said"),
    [(None, "is not installed"), ("2.9.0", "2.9.0, but this version of gpurun")],
)
def test_brian2(
    machine: Machine, capsys: pytest.CaptureFixture[str], version: str | None, said: str
) -> None:
    real = importlib.metadata.version

    def fake(name: str) -> str:
        if name != "brian2":
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    machine.patch.setattr(importlib.metadata, "version", fake)
    status, text = report(capsys)
    assert status == 3
    assert said in text
    pinned = next(r for r in importlib.metadata.requires("gpurun") or [] if r.startswith("brian2="))
    assert doctor.pip_install(f'"{pinned}"') in text


def test_brian2cuda_is_only_needed_for_cuda(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.patch.setattr(
        doctor, "_import_problem", lambda name: "crashes" if name == "brian2cuda" else None
    )
    status, text = report(capsys)
    assert status == 1
    assert "--force-reinstall" in text


def test_import_problem_is_the_real_one() -> None:
    assert doctor._import_problem("json") is None
    assert doctor._import_problem("no_such_package") == (
        "cannot be imported: ModuleNotFoundError: No module named 'no_such_package'"
    )


def test_cache_that_cannot_be_written(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    configure(cache_dir=tmp_path / "file" / "cache")
    machine.patch.setattr(
        Path, "exists", lambda path: str(path) == str(tmp_path / "file") or os.path.lexists(path)
    )
    status, text = report(capsys)
    assert status == 0  # slower, but usable
    assert "warning" in text
    assert "cannot be written" in text
    assert "GPURUN_CACHE_DIR" in text


# -- --device ------------------------------------------------------------------------


def test_cpu_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "snapshot", lambda: pytest.fail("NVML was asked"))
    assert devices.choose(DeviceSpec("cpu"), quiet=False) == "cpu"


def test_cuda_with_all_that_it_needs(machine: Machine) -> None:
    assert devices.choose(DeviceSpec("cuda", 0), quiet=False) == "cuda:0"
    assert devices.choose(DeviceSpec("auto"), quiet=False) == "cuda"


def test_cuda_says_what_doctor_says(machine: Machine) -> None:
    machine.set(nvml, "snapshot", NO_DRIVER)
    machine.set(toolchain, "find_cuda", None)
    with pytest.raises(DeviceUnavailableError) as info:
        devices.choose(DeviceSpec("cuda"), quiet=False)
    bad = [finding for finding in doctor.examine() if not finding.ok]
    assert len(bad) == 2
    for finding in bad:
        assert finding.detail in str(info.value)
        assert finding.fix in str(info.value)


def test_card_that_does_not_exist(machine: Machine) -> None:
    with pytest.raises(DeviceUnavailableError, match="no card cuda:3, only cuda:0"):
        devices.choose(DeviceSpec("cuda", 3), quiet=False)


def test_lost_card_does_not_keep_others_from_use(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.set(nvml, "snapshot", replace(DRIVER, cards=(CARD, nvml.Card(1))))
    assert devices.choose(DeviceSpec("cuda"), quiet=False) == "cuda"
    status, text = report(capsys)
    assert status == 0
    assert "warning card 1" in text and "does not answer" in text


def test_auto_tells_why_in_one_line(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.set(nvml, "snapshot", NO_DRIVER)
    assert devices.choose(DeviceSpec("auto"), quiet=False) == "cpu"
    said = capsys.readouterr()
    assert said.err == "gpurun: running on the CPU (no NVIDIA driver is installed)\n"
    assert said.out == ""
    assert devices.choose(DeviceSpec("auto"), quiet=True) == "cpu"
    assert capsys.readouterr().err == ""
    machine.set(nvml, "snapshot", DRIVER)
    machine.set(toolchain, "find_cuda", None)
    assert devices.choose(DeviceSpec("auto"), quiet=False) == "cpu"
    assert "(there is a card, but no CUDA toolkit (nvcc) to compile for it)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("device", "architectures", "expected"),
    [
        ("cpu", (), "cpu"),
        ("cuda", (), "cuda"),
        ("cuda:5", (), "cuda"),
        ("auto", ("sm_90",), "cuda"),
        ("auto", (), "cpu"),
    ],
)
def test_a_build_needs_no_card(
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
    device: str,
    architectures: tuple[str, ...],
    expected: str,
) -> None:
    machine.set(nvml, "snapshot", NO_DRIVER)
    spec = parse_device(device)
    assert devices.choose_for_build(spec, architectures, quiet=False) == expected
    said = capsys.readouterr().err
    assert ("building for the CPU (no NVIDIA driver" in said) == (
        not architectures and device == "auto"
    )


def test_architectures_do_not_go_with_the_cpu() -> None:
    with pytest.raises(ConfigError, match=r"--arch sm_80,sm_90 .* --device cpu"):
        devices.choose_for_build(DeviceSpec("cpu"), ("sm_80", "sm_90"), quiet=False)


def test_devices(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    second = replace(CARD, nvml_index=1, cuda_index=None, memory_free=None, name=None)
    machine.set(nvml, "snapshot", replace(DRIVER, cards=(CARD, second)))
    assert cli.main(["devices"]) == 0
    _, cpu, first, other, driver = capsys.readouterr().out.splitlines()
    assert cpu.startswith("cpu ")
    assert first.split() == ["cuda:0", "NVIDIA", "H100", "60.0", "GiB", "80.0", "GiB", "0"]
    assert other.split() == ["-", "(does", "not", "answer)", "80.0", "GiB", "1"]
    assert driver.startswith("Driver 580.65, for CUDA up to 13.0.")
    machine.set(nvml, "snapshot", NO_DRIVER)
    assert cli.main(["devices"]) == 0
    assert "No card can be used: no NVIDIA driver is installed." in capsys.readouterr().out


# -- cache ---------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    configure(cache_dir=tmp_path / "cache")
    cache = Cache()
    for index, key in enumerate(("aaa111", "bbb222", "ccc333")):
        with cache.building("code", key) as builder:
            (builder.directory / "model.so").write_bytes(b"x" * 100_000)
            place = builder.publish()
        past = 1_700_000_000 + index * 86400
        (place / ".used").touch()
        os.utime(place / ".used", (past, past))
    return cache


def test_cache_list(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cache", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["code", "ccc333"],
        ["code", "bbb222"],
        ["code", "aaa111"],
    ]
    assert "2023-11-1" in lines[1]
    assert lines[4].startswith("3 entries, 29")
    assert lines[4].endswith(f"of at most 8.0 GiB, in {cache.root}")


def test_cache_prune(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cache", "prune"]) == 0
    assert capsys.readouterr().out.startswith("removed 0 entries, 0 B; 29")
    assert cli.main(["cache", "prune", "--max-size", "250K"]) == 0
    assert capsys.readouterr().out.startswith("removed 1 entry, ")
    assert [info.key for info in cache.list()] == ["ccc333", "bbb222"]
    assert cli.main(["cache", "prune", "--older-than", "1d"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 entries, ")
    assert cache.list() == []


def test_cache_clear(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.startswith("removed 3 entries, 29")
    assert cli.main(["cache", "list"]) == 0
    assert capsys.readouterr().out.startswith("0 entries, 0 B of at most")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cache"], "required: list | prune | clear"),
        (["cache", "burn"], "invalid choice: 'burn'"),
        (["cache", "prune", "--max-size", "much"], "--max-size much: expected a number of bytes"),
        (["cache", "prune", "--older-than", "30"], "--older-than 30: expected a time"),
        (["cache", "list", "now"], "unrecognized arguments: now"),
        (["devices", "all"], "gpurun ./devices"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("gpurun: error: ")
    assert said in captured.err
    assert captured.out == ""


def test_help_of_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["cache", "--help"], ["cache", "prune", "-h"], ["devices", "-h"]):
        assert cli.main(words) == 0
        assert "usage: gpurun" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1.5m", 90), ("12h", 43200), ("30d", 2592000), ("2W", 1209600)],
)
def test_age(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1 month", "1e3s"])
def test_bad_age(text: str) -> None:
    with pytest.raises(UsageError, match="expected a time with its unit"):
        parse_age(text)


def test_closed_pipe_is_no_error(cache: Cache) -> None:
    environment = {**os.environ, "GPURUN_CACHE_DIR": str(cache.root)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gpurun", "cache", "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    os.close(writer)
    assert done.returncode in (1, 141)  # 1 where rich was the first to notice
    assert done.stderr == ""
