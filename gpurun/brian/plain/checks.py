"""What a plain script does that compiled code cannot do: named, with the line and a way out."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import brian2
from brian2.core.base import BrianObject, BrianObjectException
from brian2.core.functions import Function
from brian2.core.operations import NetworkOperation

from gpurun.brian.plain.monitors import recorded_variables
from gpurun.errors import PlainScriptError

_CREATED = re.compile(r"File '(?P<file>.+)', line (?P<line>\d+), in ")
_HIDDEN = (Path(brian2.__file__).parent, Path(__file__).parents[2])
_CANNOT_USE = re.compile(r"Cannot use function '?(?P<name>\w+)'?")
_WAY_OUT = "run the script with '--device runtime'"


def created_at(obj: Any) -> str | None:
    """Where the script has made `obj`, such as ``"figure.py, line 12"``."""
    match = _CREATED.search(getattr(obj, "_creation_stack", ""))
    return None if match is None else f"{Path(match['file']).name}, line {match['line']}"


def called_at() -> str | None:
    """Where the script is at present."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if not frame.filename.startswith("<") and not any(map(path.is_relative_to, _HIDDEN)):
            return f"{path.name}, line {frame.lineno}"
    return None


def _place(line: str | None) -> str:
    return f" ({line})" if line else ""


def refusal(obj: Any, problem: str, instead: str = "") -> PlainScriptError:
    """The error about an object of the script.

    Parameters
    ----------
    obj : BrianObject
    problem : str
        What is the matter with it, as the rest of a sentence that begins with its name.
    instead : str
        What else can be done, as a sentence's beginning that ends with a comma.
    """
    line = created_at(obj)
    way_out = f"{instead} or {_WAY_OUT}" if instead else _WAY_OUT.capitalize()
    return PlainScriptError(
        f"'{obj.name}'{_place(line)} {problem}. {way_out}.", what=obj.name, line=line
    )


def check_objects(objects: list[Any]) -> None:
    """Refuse what no code can be generated for.

    Raises
    ------
    PlainScriptError
    """
    for obj in objects:
        if obj.active:
            _check_object(obj)


def problems(objects: list[Any]) -> list[PlainScriptError]:
    """What `check_objects` would refuse, all of it."""
    found = []
    for obj in objects:
        try:
            check_objects([obj])
        except PlainScriptError as error:
            found.append(error)
    return found


def _check_object(obj: Any) -> None:
    if isinstance(obj, NetworkOperation):
        function = getattr(obj.function, "__name__", obj.name)
        raise refusal(
            obj,
            f"is the network operation '{function}', a Python function that Brian calls in every "
            "time step. Compiled code cannot",
            "Replace it by group.run_regularly('...'), by a TimedArray or by a C++ function,",
        )
    if type(obj).run is not BrianObject.run:
        raise refusal(
            obj,
            f"is a {type(obj).__name__}, whose run() is Python code that Brian calls in every time "
            "step. Compiled code cannot",
            "Replace it by group.run_regularly('...') or by a C++ function,",
        )
    method = getattr(obj, "method_choice", None)
    if isinstance(method, str) and method.startswith("gsl"):
        raise refusal(
            obj,
            f"is integrated with method='{method}', which needs the GSL library",
            "Choose another method such as 'rk4' or 'exponential_euler',",
        )


def check_monitors(objects: list[Any], owners: dict[str, str], codeobjects: list[Any]) -> None:
    """Refuse code that depends on what a monitor has recorded.

    A run begins with empty monitors in the session; only the monitor itself does not mind.
    """
    recorded = recorded_variables(objects)
    by_name = {obj.name: obj for obj in objects}
    for codeobj in codeobjects:
        owner = owners.get(codeobj.name)
        for variable in codeobj.variables.values():
            if isinstance(variable, Function) or variable not in recorded:
                continue
            if owner is not None and variable.owner.name != owner:
                raise refusal(
                    by_name[owner],
                    f"reads '{variable.name}' of the monitor '{variable.owner.name}' in every time "
                    "step, which gpurun does not support",
                )


def explained(error: BrianObjectException) -> PlainScriptError | None:
    """What to raise instead of Brian's error about an object; None where Brian says it best."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotImplementedError):
            match = _CANNOT_USE.search(str(cause))
            if match:
                return _missing_function(error, match["name"], str(cause))
        cause = cause.__cause__
    return None


def _missing_function(error: BrianObjectException, name: str, text: str) -> PlainScriptError:
    target, language = ("cuda", "CUDA") if "cuda" in text.lower() else ("cpp", "C++")
    found = _CREATED.search(str(error))
    line = None if found is None else f"{Path(found['file']).name}, line {found['line']}"
    user = error._brian_objname
    return PlainScriptError(
        f"The function '{name}', which '{user}'{_place(line)} uses, has no {language} "
        f"implementation, and compiled code cannot call Python. Give it one with "
        f"@implementation('{target}', '...'), tabulate it in a TimedArray, or {_WAY_OUT}.",
        what=name,
        line=line,
    )
