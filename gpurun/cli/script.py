"""Runs a script in this process, as ``python SCRIPT`` would."""

from __future__ import annotations

import builtins
import io
import os
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.machinery import SourceFileLoader
from pathlib import Path

from gpurun.errors import GpurunError, ScriptError

_FRONT = Path(__file__).parent


def check(path: Path) -> None:
    """Make sure that `path` is something to run.

    Raises
    ------
    ScriptError
        Missing, unreadable, a directory, or a notebook.
    """
    if path.is_dir():
        raise ScriptError(f"{path} is a directory; expected the path of a Python script.")
    if not path.exists():
        raise ScriptError(
            f"there is no script {path} in {Path.cwd()}. 'gpurun --help' shows the usage."
        )
    if path.suffix == ".ipynb":
        raise ScriptError(
            f"{path} is a notebook. Convert it first: jupyter nbconvert --to script {path}; in a "
            "notebook itself, use set_device('gpurun')."
        )
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ScriptError(f"the script {path} cannot be read: {error.strerror}.") from error


def become_main(path: str, arguments: Sequence[str]) -> types.ModuleType:
    """Set up ``sys.argv``, ``sys.path`` and the module ``__main__`` for a script.

    Parameters
    ----------
    path : str
        The script, as it was given.
    arguments : sequence of str
        Its arguments.

    Returns
    -------
    module
        The new ``__main__``. Functions and classes of the script can be pickled, and a
        process that multiprocessing spawns finds the script through its ``__file__``.
    """
    # Not normalised: the script finds what it would find under plain Python.
    absolute = os.path.join(Path.cwd(), path)
    sys.argv[:] = [path, *arguments]
    if not sys.flags.safe_path:
        # Python puts the script's own directory there, links resolved.
        sys.path[0] = str(Path(path).resolve().parent)
    module = types.ModuleType("__main__")
    module.__file__ = absolute
    module.__loader__ = SourceFileLoader("__main__", absolute)
    vars(module).update(__builtins__=builtins, __cached__=None)
    # multiprocessing sets its own name for it when it is imported, and unpickles by it.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    return module


def execute(module: types.ModuleType) -> None:
    """Run the script of which `module` was made; its exceptions pass through."""
    path = module.__file__
    assert path is not None
    with io.open_code(path) as file:
        source = file.read()
    # An exception, because the flags of this file would be inherited otherwise.
    exec(compile(source, path, "exec", dont_inherit=True), vars(module))


def exit_status(code: object) -> int:
    """Turn the code of a SystemExit into a status, as Python does."""
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF
    print(code, file=sys.stderr)
    return 1


def report(error: BaseException, *, verbose: bool) -> None:
    """Print the traceback of a script's uncaught exception.

    It goes through ``sys.excepthook``, which Brian2 and others replace. Frames of the
    command line are left out, and with an error that gpurun raises on purpose also the
    frames below the script's call, as the message says what there is to say. Brian2 then
    does not ask for a report to its developers.

    Parameters
    ----------
    error : BaseException
        The exception.
    verbose : bool
        Leave the traceback as it is.
    """
    if not verbose:
        _shorten(error, set())
    with _unasked() if _on_purpose(error, set()) else nullcontext():
        sys.excepthook(type(error), error, error.__traceback__)


def _on_purpose(error: BaseException | None, seen: set[int]) -> bool:
    """Whether gpurun raised `error`, or Brian raised it because of one of gpurun's."""
    if error is None or id(error) in seen:
        return False
    seen.add(id(error))
    return isinstance(error, GpurunError) or _on_purpose(error.__cause__, seen)


@contextmanager
def _unasked() -> Iterator[None]:
    """Have Brian2 show the traceback alone, as its own preference says."""
    brian2 = sys.modules.get("brian2")
    if brian2 is None:
        yield
        return
    name, preferences = "logging.display_brian_error_message", brian2.prefs
    before = preferences[name]
    preferences[name] = False
    try:
        yield
    finally:
        preferences[name] = before


def _shorten(error: BaseException | None, seen: set[int]) -> None:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    hidden = [_FRONT]
    if isinstance(error, GpurunError):
        # Also those of Brian's that call gpurun
        modules = [sys.modules.get(name) for name in ("gpurun", "brian2")]
        hidden = [Path(m.__file__).parent for m in modules if m is not None and m.__file__]
    frames: list[types.TracebackType] = []
    entry = error.__traceback__
    while entry is not None:
        path = Path(entry.tb_frame.f_code.co_filename)
        if not any(map(path.is_relative_to, hidden)):
            frames.append(entry)
        entry = entry.tb_next
    shortened: types.TracebackType | None = None
    for entry in reversed(frames):
        shortened = types.TracebackType(shortened, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = shortened
    _shorten(error.__cause__, seen)
    _shorten(error.__context__, seen)
