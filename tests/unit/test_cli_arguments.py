from __future__ import annotations

import pytest

from gpurun.cli.arguments import UsageError, parse
from gpurun.config import DeviceSpec
from gpurun.errors import ConfigError

CPU = DeviceSpec("cpu")
FIRST = DeviceSpec("cuda", 0)

# command line -> device, the script's arguments
SPLITS = {
    "train.py": (None, ""),
    "train.py --epochs 3": (None, "--epochs 3"),
    "train.py --device 0 --epochs 3": (FIRST, "--epochs 3"),
    "train.py --epochs 3 --device 0": (FIRST, "--epochs 3"),
    "train.py --epochs 3 --device=cuda:0 x": (FIRST, "--epochs 3 x"),
    "--device cpu train.py --device 0": (FIRST, ""),
    "--device 0 train.py -- --device cpu": (FIRST, "--device cpu"),
    "train.py -- --device 0": (None, "--device 0"),
    "train.py --device 0 -- --device 1 -- x": (FIRST, "--device 1 -- x"),
    "train.py a -- b -- c": (None, "a b -- c"),
    "train.py --": (None, ""),
    "-- train.py --device 0": (None, "--device 0"),
    "--device cpu -- train.py -- --device 0": (CPU, "-- --device 0"),
    "train.py --seed 1 --quiet -v --help --version": (None, "--seed 1 --quiet -v --help --version"),
    "train.py --devices 3 --device-name x -device y": (
        None,
        "--devices 3 --device-name x -device y",
    ),
    "train.py --device 1 --device 0": (FIRST, ""),
    "train.py devices": (None, "devices"),
    "--device=CPU train.py": (CPU, ""),
}


@pytest.mark.parametrize("line", SPLITS)
def test_split(line: str) -> None:
    command = parse(line.split())
    device, arguments = SPLITS[line]
    assert command.action == "run"
    assert str(command.script) == "train.py"
    assert command.device == device
    assert command.arguments == tuple(arguments.split())


def test_arguments_are_kept_as_they_are() -> None:
    command = parse(["a b.py", "", " x ", "--name=a b", "-"])
    assert str(command.script) == "a b.py"
    assert command.arguments == ("", " x ", "--name=a b", "-")


def test_own_options() -> None:
    line = ["--directory", "my build", "--seed=7", "--no-cache", "-v", "train.py", "--seed", "8"]
    command = parse(line)
    assert command.changes == {
        "directory": "my build",
        "seed": "7",
        "cache": False,
        "verbose": True,
        "quiet": False,
    }
    assert command.arguments == ("--seed", "8")


def test_quiet_overrules_a_verbose_environment() -> None:
    assert parse(["-q", "train.py"]).changes == {"quiet": True, "verbose": False}


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("--help", "help"),
        ("-h", "help"),
        ("-h --unknown", "help"),
        ("--version", "version"),
        ("--version train.py", "version"),
        ("devices", "devices"),
        ("cache list", "cache"),
        ("cache prune --max-size 2G", "cache"),
        ("--verbose doctor", "doctor"),
        ("./devices", "run"),
        ("./cache list", "run"),
        ("-- doctor", "run"),
    ],
)
def test_action(line: str, action: str) -> None:
    assert parse(line.split()).action == action


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no script"),
        ("--quiet", "no script"),
        ("--", "no script"),
        ("--epochs 3 train.py", "unknown option --epochs"),
        ("-x train.py", "unknown option -x"),
        ("--dev cpu train.py", "unknown option --dev"),
        ("--quiet=1 train.py", "unknown option --quiet=1"),
        ("--device", "--device needs a value"),
        ("--seed --quiet train.py", "--seed needs a value"),
        ("train.py --device", "gpurun SCRIPT -- --device"),
        ("train.py --device --epochs 3", "--device needs a value"),
        ("--quiet --verbose train.py", "exclude each other"),
    ],
)
def test_usage_errors(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(line.split())


@pytest.mark.parametrize("value", ["gpu", "-1", "cuda:", "cuda:x", "1.5", ""])
@pytest.mark.parametrize("after", [False, True])
def test_bad_device(value: str, after: bool) -> None:
    line = ["train.py", f"--device={value}"] if after else [f"--device={value}", "train.py"]
    with pytest.raises(ConfigError, match=r"--device: .*expected 'auto'") as info:
        parse(line)
    assert ("-- --device" in str(info.value)) == after


# -- checkpoints ---------------------------------------------------------------------

CHECKPOINT = {"checkpoint": "f.h5"}
# command line -> settings, the script's arguments
CHECKPOINTS = {
    "train.py --checkpoint f.h5": (CHECKPOINT, ""),
    "train.py --checkpoint=f.h5 --every 5min --resume x": (
        {**CHECKPOINT, "checkpoint_every": "5min", "resume": True},
        "x",
    ),
    "train.py --resume --every=5min --checkpoint f.h5": (
        {**CHECKPOINT, "checkpoint_every": "5min", "resume": True},
        "",
    ),
    "--checkpoint f.h5 --resume train.py --epochs 3": (
        {**CHECKPOINT, "resume": True},
        "--epochs 3",
    ),
    "--checkpoint f.h5 train.py --resume": ({**CHECKPOINT, "resume": True}, ""),
    "--checkpoint g.h5 train.py --checkpoint f.h5": (CHECKPOINT, ""),
    "--every 1h --resume train.py": ({"checkpoint_every": "1h", "resume": True}, ""),
    # The script's own options
    "train.py --resume --every 3": ({}, "--resume --every 3"),
    "train.py --resume -- --checkpoint f.h5": ({}, "--resume --checkpoint f.h5"),
    "train.py --checkpoint f.h5 -- --resume": (CHECKPOINT, "--resume"),
    "--checkpoint f.h5 -- train.py --resume": (CHECKPOINT, "--resume"),
    "train.py --checkpoint f.h5 --resume=auto": (CHECKPOINT, "--resume=auto"),
}


@pytest.mark.parametrize("line", CHECKPOINTS)
def test_checkpoints(line: str) -> None:
    command = parse(line.split())
    changes, arguments = CHECKPOINTS[line]
    assert (command.action, command.script) == ("run", "train.py")
    assert command.changes == changes
    assert command.arguments == tuple(arguments.split())


@pytest.mark.parametrize("option", ["--checkpoint", "--every"])
def test_checkpoints_need_values(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} needs a value, such as {option}"):
        parse(["--checkpoint", "f.h5", "train.py", option, "--resume"])
    with pytest.raises(UsageError, match=f"{option} needs a value"):
        parse([option])


# -- gpurun build --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "device", "arch", "arguments"),
    [
        ("build train.py", None, None, ""),
        ("build train.py --arch sm_90", None, "sm_90", ""),
        ("build train.py --arch=sm_90 --device cuda x", DeviceSpec("cuda"), "sm_90", "x"),
        ("build --arch sm_80 train.py --arch sm_90", None, "sm_90", ""),
        ("--arch sm_80 build train.py", None, "sm_80", ""),
        ("build train.py -- --arch sm_90", None, None, "--arch sm_90"),
        ("build --quiet -- train.py --device 0", None, None, "--device 0"),
    ],
)
def test_build(line: str, device: DeviceSpec | None, arch: str | None, arguments: str) -> None:
    command = parse(line.split())
    assert (command.action, command.script) == ("build", "train.py")
    assert command.device == device
    assert command.changes.get("cuda_arch") == arch
    assert command.changes.get("quiet", False) == ("--quiet" in line)
    assert command.arguments == tuple(arguments.split())


def test_arch_after_the_script_is_the_scripts_own_unless_it_is_only_built() -> None:
    command = parse(["train.py", "--arch", "resnet"])
    assert command.arguments == ("--arch", "resnet")
    assert command.changes == {}


def test_build_alone_and_a_script_of_that_name() -> None:
    with pytest.raises(UsageError, match="no script"):
        parse(["build"])
    assert parse(["./build"]).action == "run"
    assert parse(["--", "build"]).script == "build"
    assert parse(["build", "build"]).script == "build"


def test_arch_needs_a_value() -> None:
    with pytest.raises(UsageError, match=r"--arch sm_90.*gpurun SCRIPT -- --arch"):
        parse(["build", "train.py", "--arch"])
