"""Finds C++ functions of the user that may keep state between calls.

A ``static`` variable in a function (an open file, a counter) survives a run in a
resident library, but not in the process per run that brian2 starts. Models with
such functions are reloaded for every run (DESIGN, section 5). The search is a
superset: it looks at the text, it does not parse C++.
"""

from __future__ import annotations

import re
from typing import Any

from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_STATIC = re.compile(r"\bstatic\b(?!\s+(?:inline|constexpr|const)\b)")
# Statements at file level that declare no variable
_HARMLESS = re.compile(
    r"^\s*(?:$|using\b|typedef\b|template\b|extern\b|namespace\b|struct\b|class\b|enum\b|"
    r"(?:static\s+)?(?:inline\s+)?(?:const|constexpr)\b|[\w:<>*&\s,]+\([^;{}]*\)\s*$)"
)


def holds_state(code: str) -> bool:
    """Whether C++ text declares a variable that outlives the function's call."""
    text = _STRING.sub('""', _COMMENT.sub(" ", code))
    text = re.sub(r"^\s*#[^\n]*$", " ", text, flags=re.MULTILINE)
    depth = 0
    statement = ""
    for character in text:
        if character == "{":
            depth += 1
            statement = ""
        elif character == "}":
            depth = max(depth - 1, 0)
            statement = ""
        elif character == ";":
            if depth > 0:
                if _STATIC.search(statement):
                    return True
            elif not _HARMLESS.match(statement):
                return True
            statement = ""
        else:
            statement += character
    return False


def _code_of(function: Function, codeobj: Any) -> str:
    try:
        implementation = function.implementations[type(codeobj)]
    except KeyError:
        return ""
    code = implementation.get_code(codeobj.owner)
    if code is None:
        return ""
    return code if isinstance(code, str) else "\n".join(str(part) for part in code.values())


def functions_with_state(codeobjects: list[Any]) -> tuple[str, ...]:
    """Names of user functions in `codeobjects` that may hold state, sorted.

    External sources and libraries count as well: their text is not looked at.
    """
    builtin = set(map(id, DEFAULT_FUNCTIONS.values()))
    found: set[str] = set()
    for codeobj in codeobjects:
        for name, function in codeobj.variables.items():
            if not isinstance(function, Function) or id(function) in builtin:
                continue
            if isinstance(function, TimedArray | BinomialFunction):
                continue
            if holds_state(_code_of(function, codeobj)):
                found.add(name)
        if any(codeobj.compiler_kwds.get(key) for key in ("sources", "libraries")):
            found.add(codeobj.name)
    return tuple(sorted(found))
