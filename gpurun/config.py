"""Settings from ``GPURUN_*`` variables and from the command line, validated once.

======================== =============================================== ==================
Variable                 Meaning                                         Default
======================== =============================================== ==================
GPURUN_CACHE_DIR         where compiled models and their data are kept   the user's cache
GPURUN_CACHE             ``0``/``off`` builds everything anew            on
GPURUN_CACHE_MAX_BYTES   size the cache is pruned to (``8G``, ``500M``)  8G
GPURUN_DEVICE            ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``N``  auto
GPURUN_CUDA_ARCH         compile for these, such as ``sm_80,sm_90``      cards found
GPURUN_SEED              seed of a script that sets none                 none
GPURUN_VERBOSE           show the compiler's output                      off
GPURUN_QUIET             no progress and no closing line                 off
GPURUN_DIRECTORY         put the generated sources here and keep them    a cache directory
GPURUN_CHECKPOINT        save the script's run to this file              none
GPURUN_CHECKPOINT_EVERY  wall time between two checkpoints (``30min``)   10min
GPURUN_RESUME            go on from the checkpoint if it is there        off
======================== =============================================== ==================
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import platformdirs

from gpurun.errors import ConfigError

PREFIX = "GPURUN_"
DEFAULT_CACHE_MAX_BYTES = 8 * 1024**3
DEFAULT_CHECKPOINT_EVERY = 600.0

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@dataclass(frozen=True)
class DeviceSpec:
    """A parsed device request.

    Attributes
    ----------
    kind : {"auto", "cpu", "cuda"}
        The backend; "auto" lets gpurun choose.
    index : int or None
        The CUDA index of the card, or None if any card will do.
    """

    kind: Literal["auto", "cpu", "cuda"]
    index: int | None = None

    def __str__(self) -> str:
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


@dataclass(frozen=True)
class Settings:
    """The settings of this process; see the module's table.

    Attributes
    ----------
    cache_dir : Path
        Absolute path; need not exist yet.
    cache : bool
        False: nothing is taken from the cache and nothing is left in it.
    cache_max_bytes : int
        Size in bytes that the cache is pruned to.
    device : str
        Normalised text of a :class:`DeviceSpec`, e.g. ``"cuda:0"``.
    seed : int or None
        In the range [0, 2**64).
    verbose, quiet : bool
        Not both.
    directory : Path or None
        Absolute path where the generated sources are kept, or None.
    cuda_arch : tuple of str
        What CUDA code is compiled for, such as ``("sm_80", "sm_90")``; empty: the cards that
        are found.
    checkpoint : Path or None
        Absolute path of the file to which a script's run is saved, or None.
    checkpoint_every : float
        Wall time between two checkpoints in seconds.
    resume : bool
        Whether the run goes on from the checkpoint, if there is one.
    """

    cache_dir: Path
    cache: bool
    cache_max_bytes: int
    device: str
    seed: int | None
    verbose: bool
    quiet: bool
    directory: Path | None
    cuda_arch: tuple[str, ...] = ()
    checkpoint: Path | None = None
    checkpoint_every: float = DEFAULT_CHECKPOINT_EVERY
    resume: bool = False


def parse_device(text: str | int) -> DeviceSpec:
    """Parse ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"1"`` or ``1``.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text >= 0:
            return DeviceSpec("cuda", text)
    elif isinstance(text, str):
        word = text.strip().lower()
        if word in ("auto", "cpu", "cuda"):
            return DeviceSpec(word)
        match = re.fullmatch(r"(?:cuda:)?([0-9]+)", word, re.ASCII)
        if match:
            return DeviceSpec("cuda", int(match[1]))
    raise ConfigError(
        f"device {text!r} is not known: expected 'auto', 'cpu', 'cuda', a card number such as "
        "'0', or 'cuda:0'. 'gpurun devices' lists the cards.",
        name="device",
        value=text,
    )


def _device(value: Any) -> str:
    return str(value if isinstance(value, DeviceSpec) else parse_device(value))


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("expected 1 or 0 (also true/false, yes/no, on/off)")


def _bytes(value: Any) -> int:
    expected = "expected a number of bytes, such as 500000000, 500M or 8G"
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        match = re.fullmatch(
            r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.I | re.ASCII
        )
        if match is None:
            raise ValueError(expected)
        number = int(float(match[1]) * _UNITS[match[2].upper()])
    if number < 0:
        raise ValueError(expected)
    return number


def _seed(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return None
    expected = "expected an integer in the range [0, 2**64), or nothing"
    try:
        # int() would silently cut a float off.
        number = int(value) if isinstance(value, str) else value.__index__()
    except (ValueError, AttributeError):
        raise ValueError(expected) from None
    if isinstance(value, bool) or not 0 <= number < 2**64:
        raise ValueError(expected)
    return number


def _architectures(value: Any) -> tuple[str, ...]:
    names = re.split(r"[,;\s]+", value) if isinstance(value, str) else [str(x) for x in value]
    names = [name.strip().lower() for name in names if name.strip()]
    if names == ["native"]:
        return ()
    found: list[str] = []
    for name in names:
        match = re.fullmatch(r"(?:(?:sm|compute)_?)?(\d+)(?:\.(\d))?([af]?)", name, re.ASCII)
        number = match and match[1] + (match[2] or "")
        if not match or not number or not 20 <= int(number) < 1000:
            raise ValueError("expected names such as sm_90 or 9.0, with commas between them")
        found.append(f"sm_{number}{match[3]}")
    # In one order, because the order does not matter
    return tuple(sorted(dict.fromkeys(found), key=architecture_number))


def architecture_number(name: str) -> tuple[int, str]:
    """Sort key for names such as "sm_90" and "sm_90a": the oldest first."""
    match = re.fullmatch(r"sm_(\d+)(\w*)", name)
    return (int(match[1]), match[2]) if match else (0, name)


def _wall_time(value: Any) -> float:
    expected = "expected a time with its unit, such as 30s, 5min, 2h or 1d"
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = re.fullmatch(
            r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d)", str(value).strip(), re.I | re.ASCII
        )
        if match is None:
            raise ValueError(expected)
        seconds = float(match[1]) * _SECONDS[match[2].lower()]
    if not 0 < seconds < math.inf:
        raise ValueError(expected)
    return seconds


def _path(value: Any, what: str = "a directory") -> Path:
    text = os.fspath(value)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected the path of {what}")
    try:
        # Absolute, because a script may change the working directory later.
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # "~" without a home directory
        raise ValueError(str(error)) from None


def _optional_path(value: Any) -> Path | None:
    return None if value is None or value == "" else _path(value)


def _optional_file(value: Any) -> Path | None:
    return None if value is None or value == "" else _path(value, "a file")


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "cache_dir": _path,
    "cache": _flag,
    "cache_max_bytes": _bytes,
    "device": _device,
    "cuda_arch": _architectures,
    "seed": _seed,
    "verbose": _flag,
    "quiet": _flag,
    "directory": _optional_path,
    "checkpoint": _optional_file,
    "checkpoint_every": _wall_time,
    "resume": _flag,
}
assert set(_CONVERT) == {field.name for field in fields(Settings)}


def _convert(name: str, value: Any, origin: str) -> Any:
    try:
        return _CONVERT[name](value)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", name=name, value=value) from None
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{origin} has no usable value ({value!r}): {error}.", name=name, value=value
        ) from None


def _check(result: Settings) -> Settings:
    if result.verbose and result.quiet:
        raise ConfigError(
            "'verbose' and 'quiet' are both on: leave one of the two out "
            f"(also as {PREFIX}VERBOSE and {PREFIX}QUIET).",
            name="verbose",
            value=True,
        )
    return result


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings from the ``GPURUN_*`` entries of `environ`.

    Raises
    ------
    ConfigError
        A variable has no usable value; the message names it and what is expected.
    """
    values: dict[str, Any] = {
        "cache_dir": None,
        "cache": True,
        "cache_max_bytes": DEFAULT_CACHE_MAX_BYTES,
        "device": "auto",
        "cuda_arch": (),
        "seed": None,
        "verbose": False,
        "quiet": False,
        "directory": None,
        "checkpoint": None,
        "checkpoint_every": DEFAULT_CHECKPOINT_EVERY,
        "resume": False,
    }
    for name in values:
        text = environ.get(PREFIX + name.upper())
        # An empty variable is how a shell script says "not set".
        if text:
            values[name] = _convert(name, text, PREFIX + name.upper())
    if values["cache_dir"] is None:
        values["cache_dir"] = _path(platformdirs.user_cache_path("gpurun"))
    return _check(Settings(**values))


_lock = threading.Lock()
_current: Settings | None = None


def settings() -> Settings:
    """Return the current settings; the environment is read at the first call only.

    Raises
    ------
    ConfigError
        See :func:`from_environment`.
    """
    global _current
    with _lock:
        if _current is None:
            _current = from_environment(os.environ)
        return _current


def configure(**changes: Any) -> Settings:
    """Change settings for the rest of the process, and return them.

    Parameters
    ----------
    **changes
        Names and values of :class:`Settings`; they take precedence over the environment.

    Raises
    ------
    ConfigError
        Unknown name or unusable value; nothing is changed then.
    """
    global _current
    converted: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in _CONVERT:
            raise ConfigError(
                f"there is no setting {name!r}; the settings are {', '.join(_CONVERT)}.",
                name=name,
                value=value,
            )
        converted[name] = _convert(name, value, f"setting {name!r}")
    base = settings()
    with _lock:
        _current = _check(replace(_current or base, **converted))
        return _current
