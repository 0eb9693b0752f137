from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import platformdirs
import pytest

from gpurun import config
from gpurun.config import DeviceSpec, configure, from_environment, parse_device, settings
from gpurun.errors import ConfigError


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings as in a process that has not asked for them yet."""
    monkeypatch.setattr(config, "_current", None)


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("auto", DeviceSpec("auto"), "auto"),
        ("cpu", DeviceSpec("cpu"), "cpu"),
        ("cuda", DeviceSpec("cuda"), "cuda"),
        ("cuda:1", DeviceSpec("cuda", 1), "cuda:1"),
        ("CUDA:12", DeviceSpec("cuda", 12), "cuda:12"),
        (" 0 ", DeviceSpec("cuda", 0), "cuda:0"),
        (0, DeviceSpec("cuda", 0), "cuda:0"),
        (3, DeviceSpec("cuda", 3), "cuda:3"),
    ],
)
def test_device_is_parsed(text: str | int, expected: DeviceSpec, shown: str) -> None:
    assert parse_device(text) == expected
    assert str(expected) == shown
    assert parse_device(shown) == expected


@pytest.mark.parametrize(
    "text", ["", "gpu", "cpu:0", "auto:1", "cuda:", "cuda:-1", "cuda:1.5", "-1", "1 2", "٣", -1]
)
def test_unknown_device_is_named(text: str | int) -> None:
    with pytest.raises(ConfigError, match="expected 'auto', 'cpu', 'cuda'") as caught:
        parse_device(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("value", [True, None, 1.0, b"cpu"])
def test_device_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(ConfigError):
        parse_device(value)  # pyright: ignore[reportArgumentType]


def test_defaults() -> None:
    assert from_environment({}) == config.Settings(
        cache_dir=Path(platformdirs.user_cache_dir("gpurun")).absolute(),
        cache=True,
        cache_max_bytes=config.DEFAULT_CACHE_MAX_BYTES,
        device="auto",
        seed=None,
        verbose=False,
        quiet=False,
        directory=None,
    )


def test_empty_variables_are_not_set() -> None:
    names = [field.name for field in dataclasses.fields(config.Settings)]
    assert from_environment({"GPURUN_" + name.upper(): "" for name in names}) == (
        from_environment({})
    )


def test_every_variable_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "Zuhause"))
    read = from_environment(
        {
            "GPURUN_CACHE_DIR": "~/Cache mit Ü",
            "GPURUN_CACHE": "Off",
            "GPURUN_CACHE_MAX_BYTES": "1.5G",
            "GPURUN_DEVICE": "2",
            "GPURUN_SEED": str(2**64 - 1),
            "GPURUN_VERBOSE": "yes",
            "GPURUN_QUIET": "0",
            "GPURUN_DIRECTORY": "Mein Ordner",
            "GPURUN_CUDA_ARCH": "sm_90a;8.6, 90 compute_120",
            "GPURUN_CHECKPOINT": "Läufe/run.h5",
            "GPURUN_CHECKPOINT_EVERY": "1.5h",
            "GPURUN_RESUME": "1",
        }
    )
    assert read == config.Settings(
        cache_dir=tmp_path / "Zuhause" / "Cache mit Ü",
        cache=False,
        cache_max_bytes=1536 * 1024**2,
        device="cuda:2",
        seed=2**64 - 1,
        verbose=True,
        quiet=False,
        directory=tmp_path / "Mein Ordner",
        cuda_arch=("sm_86", "sm_90", "sm_90a", "sm_120"),
        checkpoint=tmp_path / "Läufe" / "run.h5",
        checkpoint_every=5400.0,
        resume=True,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("123", 123), ("2k", 2048), ("3MiB", 3 * 1024**2), ("1 TB", 1024**4)],
)
def test_sizes(text: str, expected: int) -> None:
    assert from_environment({"GPURUN_CACHE_MAX_BYTES": text}).cache_max_bytes == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("0.5 s", 0.5), ("15m", 900), ("5min", 300), ("2H", 7200), ("1d", 86400)],
)
def test_times(text: str, expected: float) -> None:
    assert from_environment({"GPURUN_CHECKPOINT_EVERY": text}).checkpoint_every == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CACHE", "maybe", "1 or 0"),
        ("CHECKPOINT", "  ", "path of a file"),
        ("CHECKPOINT_EVERY", "5", "such as 30s, 5min"),
        ("CHECKPOINT_EVERY", "0s", "such as 30s, 5min"),
        ("CHECKPOINT_EVERY", "5 minutes", "such as 30s, 5min"),
        ("CHECKPOINT_EVERY", "-5min", "such as 30s, 5min"),
        ("RESUME", "if possible", "1 or 0"),
        ("CACHE_MAX_BYTES", "many", "number of bytes"),
        ("CACHE_MAX_BYTES", "-1", "number of bytes"),
        ("CACHE_MAX_BYTES", "1e9", "number of bytes"),
        ("DEVICE", "tpu", "gpurun devices"),
        ("CUDA_ARCH", "hopper", "names such as sm_90"),
        ("CUDA_ARCH", "sm_9", "names such as sm_90"),
        ("SEED", "-1", "[0, 2**64)"),
        ("SEED", str(2**64), "[0, 2**64)"),
        ("SEED", "1.5", "[0, 2**64)"),
        ("VERBOSE", "2", "1 or 0"),
        ("CACHE_DIR", "  ", "path of a directory"),
    ],
)
def test_bad_variable_is_named_with_what_is_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment({f"GPURUN_{name}": value})
    message = str(caught.value)
    assert f"GPURUN_{name}" in message
    assert repr(value) in message
    assert expected in message
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.fields) == (message, caught.value.fields)


@pytest.mark.usefixtures("fresh")
def test_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPURUN_DEVICE", "cpu")
    assert settings().device == "cpu"
    monkeypatch.setenv("GPURUN_DEVICE", "nonsense")
    assert settings().device == "cpu"


@pytest.mark.usefixtures("fresh")
def test_configure_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPURUN_DEVICE", "cpu")
    monkeypatch.setenv("GPURUN_SEED", "7")
    assert configure(device=1, quiet=True).device == "cuda:1"
    assert settings().seed == 7
    assert configure(seed=None, device=DeviceSpec("cuda")).seed is None
    assert settings() == dataclasses.replace(
        from_environment({}),
        cache_dir=settings().cache_dir,
        device="cuda",
        quiet=True,
    )


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"devise": "cpu"}, "there is no setting 'devise'; the settings are cache_dir"),
        ({"seed": 1.0}, "setting 'seed' has no usable value (1.0)"),
        ({"seed": True}, "setting 'seed'"),
        ({"cache_max_bytes": -1}, "setting 'cache_max_bytes'"),
        ({"cache_dir": None}, "setting 'cache_dir'"),
        ({"cache_dir": b"/tmp"}, "setting 'cache_dir'"),
        ({"device": "x"}, "setting 'device': device 'x' is not known"),
        ({"quiet": True, "verbose": True}, "'verbose' and 'quiet' are both on"),
    ],
)
def test_bad_configure_changes_nothing(changes: dict[str, object], expected: str) -> None:
    before = configure(device="cpu", seed=3)
    with pytest.raises(ConfigError) as caught:
        configure(**{"device": "cuda", **changes})
    assert expected in str(caught.value)
    assert settings() == before


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings().seed = 1  # pyright: ignore[reportAttributeAccessIssue]
