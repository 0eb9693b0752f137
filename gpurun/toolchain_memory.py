"""Remembers what compilers answered, so that a warm build starts none.

An answer is kept in the cache directory together with the size and the time of every file
that it depends on, and forgotten as soon as one of them differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpurun.config import settings

FOLDER = "tools"
_FORMAT = 1
# These decide which program answers to a name, or which parts of itself a compiler calls.
_VARIABLES = ("PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")


def _stamp(path: str) -> list[Any] | None:
    """What tells one version of a file from another; None if there is no such file."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return [os.path.realpath(path), stat.st_size, stat.st_mtime_ns]


def _place(question: Sequence[str]) -> Path:
    environment = [os.environ.get(name, "") for name in _VARIABLES]
    text = json.dumps([_FORMAT, *question, *environment])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return settings().cache_dir / FOLDER / f"{digest}.json"


def _recall(place: Path) -> Any:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        if all(_stamp(path) == stamp for path, stamp in kept["files"].items()):
            return kept["answer"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # not there, or written by something else
    return None


def remembered(
    question: Sequence[str],
    ask: Callable[[], Any],
    files: Callable[[Any], Sequence[str]],
) -> Any:
    """Return the answer to `question`, asking only if it is not known.

    Parameters
    ----------
    question : sequence of str
        What is asked, and of what. ``PATH`` is part of it.
    ask : callable
        Finds the answer: something that JSON can hold. None is not remembered.
    files : callable
        The files that an answer depends on.
    """
    if not settings().cache:
        return ask()
    place = _place(question)
    answer = _recall(place)
    if answer is None:
        answer = ask()
        if answer is not None:
            _keep(place, answer, files(answer))
    return answer


def _keep(place: Path, answer: Any, files: Sequence[str]) -> None:
    stamps = {path: _stamp(path) for path in files}
    if None in stamps.values():
        return
    # Without a place to keep it, it is asked again the next time.
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=place.parent, prefix="new-")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({"files": stamps, "answer": answer}, file)
            os.replace(fresh, place)
        except BaseException:
            os.unlink(fresh)
            raise
