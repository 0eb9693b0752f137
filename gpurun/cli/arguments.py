"""Which words of the command line are gpurun's and which are the script's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gpurun.config import DeviceSpec, parse_device
from gpurun.errors import ConfigError, GpurunError

SUBCOMMANDS = ("bench", "build", "devices", "cache", "doctor", "inspect", "report", "top")

USAGE = """\
usage: gpurun [options] SCRIPT [script arguments]
       gpurun build [options] SCRIPT [script arguments]
       gpurun check [options] SCRIPT [script arguments]
       gpurun devices
       gpurun cache list | prune [--max-size SIZE] [--older-than TIME] | clear
       gpurun inspect FILE [--json]
       gpurun report LOG [-o PICTURE] [--run N] [--json]
       gpurun top [--once] [--period SECONDS]
       gpurun bench [--quick] [--case NAME] [--contender NAME] [--max-time SECONDS] ...
       gpurun bench compare A.json B.json
       gpurun doctor
"""

HELP = (
    USAGE
    + """
Run a Brian2 script with its model resident: compiled once, and kept in memory
from one run(...) or device.run(...) to the next.

options (before SCRIPT):
  --device auto|cpu|cuda|N|cuda:N|runtime
                    where to compute; N is the number of a card (default: auto).
                    "runtime" leaves the script to Brian2: nothing is taken over.
                    This option may also stand after SCRIPT.
  --take-over-runtime
                    also run a script resident that says set_device('runtime')
  --arch LIST       compile CUDA code for these cards, such as sm_80,sm_90
                    (default: the cards of this machine)
  --directory PATH  write the generated sources to PATH and keep them
  --seed N          seed the random numbers of a script that does not do so itself
  --checkpoint FILE save the state of the script's run to FILE now and then, at
                    Ctrl-C and at the end
  --every TIME      wall time between two checkpoints: 30s, 5min, 2h (default: 10min)
  --resume          go on from FILE if it is there. These three may also stand
                    after SCRIPT, the last two if --checkpoint is given.
  --no-cache        compile even if this model was compiled before
  -v, --verbose     say more; do not shorten tracebacks
  -q, --quiet       no progress, no closing line
  --version         show the version
  -h, --help        show this text

"gpurun build" runs the script up to where its first model is compiled, and no
further; the model is in the cache then. It needs no card: with --arch or
--device cuda it builds for cards that are elsewhere. Both options may also
stand after SCRIPT.

"gpurun check" follows the script's Python without simulating, and says which
models and runs it has, how much memory they need, and what gpurun cannot run.
The status is 1 if there is something.

Everything else after SCRIPT belongs to the script, and so does everything after
"--". A script that is called "bench", "build", "devices", "cache", "doctor",
"inspect", "report" or "top" is run with "gpurun ./devices".

examples:
  gpurun train.py --device 0 --epochs 3    the script gets --epochs 3
  gpurun train.py -- --device 0            the script gets --device 0
  gpurun --seed 1 --quiet train.py > results.txt
  gpurun build train.py --arch sm_90       where the jobs run later, nothing is compiled
  gpurun long.py --checkpoint long.h5 --every 5min --resume
                                           the same line begins, and goes on after a crash
"""
)

_FLAGS = {
    "--no-cache": ("cache", False),
    "--verbose": ("verbose", True),
    "-v": ("verbose", True),
    "--quiet": ("quiet", True),
    "-q": ("quiet", True),
    "--resume": ("resume", True),
    "--take-over-runtime": ("take_over_runtime", True),
}
RUNTIME = "runtime"
_VALUES = ("--device", "--directory", "--seed", "--arch", "--checkpoint", "--every")
_SETTINGS = {"--arch": "cuda_arch", "--every": "checkpoint_every"}


class UsageError(GpurunError, ValueError):
    """The command line cannot be understood."""


@dataclass(frozen=True)
class Command:
    """A parsed command line.

    Attributes
    ----------
    action : str
        What to do: "help", "version", "run", or one of `SUBCOMMANDS`.
    changes : dict
        Settings that were given as options, for :func:`gpurun.config.configure`.
    device : DeviceSpec or None
        The device asked for, or None when the command line does not say.
    runtime : bool
        Whether the script is left to Brian2's runtime mode.
    take_over_runtime : bool
        Whether ``set_device('runtime')`` does not mean that either.
    script : str or None
        The script, as it was given.
    arguments : tuple of str
        The script's (or subcommand's) arguments.
    """

    action: str
    changes: dict[str, Any] = field(default_factory=dict)
    device: DeviceSpec | None = None
    script: str | None = None
    arguments: tuple[str, ...] = ()
    runtime: bool = False
    take_over_runtime: bool = False


def parse(words: Sequence[str]) -> Command:
    """Split a command line.

    Parameters
    ----------
    words : sequence of str
        What follows the name of the program.

    Raises
    ------
    UsageError
        An unknown option, a missing value, no script.
    ConfigError
        An option has no usable value.
    """
    own, rest, protected = _split(list(words))
    action = "run"
    if rest[:1] in (["build"], ["check"]) and not protected:
        action = rest[0]
        more, rest, protected = _split(rest[1:])
        own += more
    changes: dict[str, Any] = {}
    position = 0
    while position < len(own):
        word = own[position]
        name, equals, value = word.partition("=")
        position += 1
        if word in ("-h", "--help"):
            return Command("help")
        if word == "--version":
            return Command("version")
        if word in _FLAGS:
            key, setting = _FLAGS[word]
            changes[key] = setting
        else:
            if not equals:
                value = own[position]
                position += 1
            changes[_SETTINGS.get(name, name.removeprefix("--"))] = value
    if changes.get("verbose") and changes.get("quiet"):
        raise UsageError("--verbose and --quiet exclude each other: give one of them.")
    for this, other in (("verbose", "quiet"), ("quiet", "verbose")):
        if changes.get(this):
            # The command line has the last word, also against GPURUN_QUIET=1.
            changes[other] = False
    device = changes.pop("device", None)
    take_over_runtime = bool(changes.pop("take_over_runtime", False))
    if device is None and os.environ.get("GPURUN_DEVICE", "").strip().lower() == RUNTIME:
        device = RUNTIME
    runtime = device == RUNTIME
    spec = None if device is None or runtime else _device(device)
    if not rest:
        raise UsageError(f"no script was given.\n{USAGE.rstrip()}")
    if rest[0] in SUBCOMMANDS and not protected and action == "run":
        return Command(rest[0], changes, spec, None, tuple(rest[1:]))
    late_options = ("--device", "--checkpoint")
    if action == "build":
        late_options += ("--arch",)
    if "checkpoint" in changes or _names("--checkpoint", rest[1:]):
        # Else they are the script's, many of which have options of these names
        late_options += ("--every", "--resume")
    arguments, late = _take(late_options, rest[1:], protected)
    if "--device" in late:
        device = late.pop("--device")
        runtime = device == RUNTIME
        spec = None if runtime else _device(device, after_script=True)
    for name, value in late.items():
        changes[_SETTINGS.get(name, name.removeprefix("--"))] = value
    if runtime and (take_over_runtime or action != "run"):
        raise UsageError(
            "--device runtime leaves the script to Brian2, which goes neither with "
            "--take-over-runtime nor with 'gpurun build' or 'gpurun check'."
        )
    return Command(action, changes, spec, rest[0], tuple(arguments), runtime, take_over_runtime)


def _split(words: list[str]) -> tuple[list[str], list[str], bool]:
    """Return own options, the script and what follows, and whether "--" came before it."""
    position = 0
    while position < len(words):
        word = words[position]
        name, equals, _ = word.partition("=")
        if word == "--":
            return words[:position], words[position + 1 :], True
        if not word.startswith("-") or word == "-":
            break
        if word in _VALUES:
            if position + 1 == len(words) or words[position + 1].startswith("--"):
                raise UsageError(f"{word} needs a value, such as {_EXAMPLES[word]}.")
            position += 2
        elif word in _FLAGS or (equals and name in _VALUES):
            position += 1
        elif word in ("-h", "--help", "--version"):
            # What follows does not matter, and need not be valid.
            return words[: position + 1], [], False
        else:
            raise UsageError(
                f"unknown option {word}: gpurun's own options are listed by 'gpurun --help'; "
                f"options of the script stand after it (gpurun SCRIPT {word} ...)."
            )
    return words[:position], words[position:], False


_EXAMPLES = {
    "--device": "--device cpu",
    "--directory": "--directory build",
    "--seed": "--seed 1",
    "--arch": "--arch sm_90",
    "--checkpoint": "--checkpoint run.h5",
    "--every": "--every 5min",
}


def _names(option: str, words: list[str]) -> bool:
    """Whether `option` is among `words`, in front of the first ``--``."""
    own = words[: words.index("--")] if "--" in words else words
    return any(word.partition("=")[0] == option for word in own)


def _take(
    options: tuple[str, ...], words: list[str], protected: bool
) -> tuple[list[str], dict[str, Any]]:
    """Take `options` and their values out of the script's arguments, and the first ``--``."""
    if protected:
        return words, {}
    kept: list[str] = []
    taken: dict[str, Any] = {}
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            kept.extend(words[position + 1 :])
            break
        name, equals, value = word.partition("=")
        if word in options and word in _FLAGS:
            taken[word] = _FLAGS[word][1]
            position += 1
            continue
        if word in options:
            if position + 1 == len(words) or words[position + 1].startswith("--"):
                raise UsageError(
                    f"{word} needs a value, such as {_EXAMPLES[word]}.{_for_the_script(word)}"
                )
            taken[word] = words[position + 1]
            position += 2
            continue
        if equals and name in options and name not in _FLAGS:
            taken[name] = value
        else:
            kept.append(word)
        position += 1
    return kept, taken


def _for_the_script(option: str) -> str:
    return (
        " To give the script an option of this name, put it after '--': "
        f"gpurun SCRIPT -- {option} ..."
    )


def _device(text: str, *, after_script: bool = False) -> DeviceSpec:
    try:
        return parse_device(text)
    except ConfigError as error:
        message = f"--device: {error.message}" + (
            _for_the_script("--device") if after_script else ""
        )
        raise ConfigError(message, **error.fields) from None
