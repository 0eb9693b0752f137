"""The process that a contender lives in.

``python -m gpurun.bench_contenders.worker CASE SIZE CONTENDER FOLDER`` takes requests as JSON, one
a line, and answers each with a line: ``{"ok": value}``, ``{"absent": why}`` or
``{"failed": message}``. It ends after ``close``, and at the end of its input.

``{"do": "setup"}``
    What it took, by measure.
``{"do": "present", "number": k}``, ``{"do": "present", "number": k, "count": n}``
    Measures; with a count, a list of those of each of n stimuli from k on.
``{"do": "result", "number": k, "file": PATH}``
    Names of the arrays that are in the file (npz) now.
``{"do": "steps", "count": n}``, ``{"do": "throughput", "replicas": r, "count": n}``
    Seconds, or null.
``{"do": "energy", "count": n}``
    Joules, or null.
``{"do": "facts"}``, ``{"do": "memory"}``
    What `Contender` says.
``{"do": "close"}``
    Null.

What the contender and its children print goes to ``FOLDER/log``. Everything that is compiled is
kept in FOLDER, so that it is compiled anew in a new one. Python collects no garbage while something
is measured, and does not look through what was there after ``setup``: Brian2's runtime mode, which
collects garbage in each ``run``, gains by that.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gpurun.bench.suite.contender import Absent, Contender
from gpurun.errors import ConfigError

from .named import case_named, maker_named

LOG = "log"
CACHE = "cache"


class Server:
    """Answers requests with a contender that is made for the first of them.

    Parameters
    ----------
    make : callable
        Returns the contender.
    """

    def __init__(self, make: Callable[[], Contender]) -> None:
        self._make = make
        self._made: Contender | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what was asked for; whatever goes wrong is in the answer."""
        try:
            return {"ok": self._do(request)}
        except Absent as why:
            return {"absent": str(why)}
        # A library may end the process where it should raise
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            return {"failed": message(error)}

    def close(self) -> None:
        """Close the contender, if there is one."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _do(self, request: Mapping[str, Any]) -> Any:
        what = request["do"]
        if what == "close":
            return self.close()
        if what == "setup":
            if self._made is not None:
                raise ConfigError("This contender has been set up already.")
            taken = self._setup()
            # What is there now stays, and need not be looked through before each presentation
            gc.freeze()
            return taken
        made = self._made
        if made is None:
            raise ConfigError(f"There is no contender for {what!r}: 'setup' comes first.")
        if what == "present":
            first = request["number"]
            with undisturbed():
                measured = [made.present(first + k) for k in range(request.get("count", 1))]
            found = [numbers(one) for one in measured]
            return found if "count" in request else found[0]
        if what == "result":
            arrays: dict[str, Any] = dict(made.result(request["number"]))
            np.savez(request["file"], **arrays)
            return sorted(arrays)
        if what == "steps":
            with undisturbed():
                return number(made.steps(request["count"]))
        if what == "throughput":
            with undisturbed():
                return number(made.throughput(request["replicas"], request["count"]))
        if what == "energy":
            with undisturbed():
                return number(made.energy(request["count"]))
        if what == "facts":
            return dict(made.facts())
        if what == "memory":
            return numbers(made.memory())
        raise ConfigError(f"Contenders do not know the request {what!r}.")

    def _setup(self) -> dict[str, float]:
        with undisturbed():
            made = self._make()
            try:
                taken = numbers(made.setup())
            except BaseException:
                made.close()
                raise
        self._made = made
        return taken


def number(value: float | None) -> float | None:
    """As JSON has it, also if it was NumPy's."""
    return None if value is None else float(value)


def numbers(values: Mapping[str, float]) -> dict[str, float]:
    """As JSON has them."""
    return {name: float(value) for name, value in values.items()}


def message(error: BaseException) -> str:
    """Type, text, and where it was raised."""
    text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    last = frames[-1]
    return f"{text} ({last.filename}:{last.lineno}, in {last.name}: {last.line})"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have no garbage collected in the block, but before it."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def serve(server: Server, requests: Iterable[str], answers: TextIO) -> None:
    """Answer requests until ``close`` or the end."""
    try:
        for line in requests:
            request = json.loads(line)
            answers.write(json.dumps(server.answer(request)) + "\n")
            answers.flush()
            if request["do"] == "close":
                break
    finally:
        server.close()


def _take_channel(log: Path) -> tuple[TextIO, TextIO]:
    """Keep what were stdin and stdout, and let whatever is printed go to `log`."""
    sys.stdout.flush()
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for descriptor, number_of in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(descriptor, number_of)
    os.close(nothing)
    os.close(file)
    # In the order in which it was printed, and there if the process is killed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    return requests, answers


def main(arguments: list[str]) -> None:
    """Serve one contender; see the module's description."""
    case, size, contender, name = arguments
    folder = Path(name).resolve()
    requests, answers = _take_channel(folder / LOG)
    os.environ["GPURUN_CACHE_DIR"] = str(folder / CACHE)
    # Where the compiler is a link to it
    os.environ["CCACHE_DISABLE"] = "1"

    def make() -> Contender:
        # Looked for here, so that what is wrong with them is an answer
        return maker_named(contender)(case_named(case), size, folder)

    # Whoever has asked may be gone
    with suppress(BrokenPipeError):
        serve(Server(make), requests, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
