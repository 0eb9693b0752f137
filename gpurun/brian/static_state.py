"""Finds C++ functions of the user that may keep state between calls.

A ``static`` variable in a function (an open file, a counter) survives a run in a
resident library, but not in the process per run that brian2 starts. Models with
such functions are reloaded for every run (DESIGN, section 5). The search is a
superset: it looks at the text, it does not parse C++.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray

# Comments and literals; whichever begins first wins
_OPAQUE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_LASTING = re.compile(r"\b(?:static|thread_local)\b(?!\s+(?:inline|constexpr|const)\b)")
_PARENTHESES = re.compile(r"\([^()]*\)")
_TYPE = re.compile(r"\b(?:struct|class|union|enum)\b")
# Statements at file level that make no variable
_NO_VARIABLE = re.compile(
    r"^(?:$|using\b|typedef\b|template\b|extern\b|friend\b|static_assert\b|"
    r"(?:struct|class|union|enum)\b[^{}]*(?:\{\})?$)"
)
_BUILT_IN = (
    r"(?:void|bool|char|short|int|long|float|double|signed|unsigned|size_t|\w+_t|std::\w+)\b"
)
_PARAMETER = re.compile(
    rf"^(?:$|\.\.\.$|(?:const\s+)?{_BUILT_IN}|(?:const\s+)?[\w:<>]+[\s*&]+(?:const\s+)?[\w\[\]]*$)"
)


def _shortened(statement: str) -> str:
    """`statement` with nothing between its parentheses."""
    previous = None
    while previous != statement:
        previous, statement = statement, _PARENTHESES.sub("\0", statement)
    return statement.replace("\0", "()")


def _is_constant(statement: str) -> bool:
    declaration = re.split(r"[={]", statement, maxsplit=1)[0]
    if re.search(r"\bconstexpr\b", declaration):
        return True
    # A pointer to constants can point to others
    return re.search(r"\bconst\b", declaration.rpartition("*")[2]) is not None


def _declares_function(statement: str) -> bool:
    if "=" in _shortened(statement):
        return False
    match = re.search(r"\w\s*\((.*)\)[\s\w]*$", statement, re.DOTALL)
    if match is None:
        return False
    # stream("file"), vector(3): arguments, so it makes an object
    parameters = (part.partition("=")[0].strip() for part in match[1].split(","))
    return all(_PARAMETER.match(part) for part in parameters)


def _is_variable(statement: str, scope: str) -> bool:
    """Whether a statement without its semicolon makes something that lasts."""
    if scope == "type":
        return (
            _LASTING.search(statement) is not None
            and not _is_constant(statement)
            and "(" not in statement
        )
    if scope != "file":
        lasting = re.search(r"\b(?:static|thread_local)\b", statement)
        return lasting is not None and not _is_constant(statement)
    plain = re.sub(r"^(?:(?:static|inline)\s+)+", "", statement.strip())
    return not (_NO_VARIABLE.match(plain) or _is_constant(plain) or _declares_function(plain))


def _scope(head: str, outer: str) -> str:
    """What a brace opens after `head`: "file", "type", "code", or "value" (an initialiser)."""
    head = _shortened(head).strip()
    if re.match(r"(?:inline\s+)?namespace\b|extern\b[^()]*$", head):
        return "file"
    if _TYPE.search(head) and "(" not in head and "=" not in head:
        return "type"
    if outer in ("file", "type"):
        return "code" if "()" in head and "=" not in head else "value"
    return (
        "code"
        if not head or re.search(r"\)$|->|\b(?:else|do|try|const|mutable)$", head)
        else "value"
    )


def holds_state(code: str) -> bool:
    """Whether C++ text declares a variable that outlives the function's call."""
    text = _OPAQUE.sub(lambda match: '""' if match[0][0] in "\"'" else " ", code)
    if any(_LASTING.search(line) for line in _DIRECTIVE.findall(text)):
        return True
    text = _DIRECTIVE.sub(" ", text)
    scopes: list[tuple[str, str]] = []  # each with what stands before its brace
    statement = ""
    parentheses = 0
    for character in text:
        scope = scopes[-1][0] if scopes else "file"
        if character == "{":
            # A body inside parentheses (a lambda) is looked at like any other
            scopes.append((_scope(statement, scope), statement))
            statement = ""
        elif character == "}":
            if not scopes:
                continue
            scope, head = scopes.pop()
            statement = head + "{}" if scope in ("type", "value") else ""
        elif character == ";" and not (parentheses and "for" in statement):
            if _is_variable(statement, scope):
                return True
            statement = ""
        else:
            parentheses += (character == "(") - (character == ")")
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


def _header_holds_state(header: str, folders: list[str]) -> bool:
    if not header.startswith('"'):
        return False  # a header of the system
    for folder in ("", *folders):
        path = Path(folder, header.strip('"'))
        if path.is_file():
            return holds_state(path.read_text(encoding="utf-8", errors="replace"))
    return True


def functions_with_state(codeobjects: list[Any]) -> tuple[str, ...]:
    """Names of user functions in `codeobjects` that may hold state, sorted.

    External sources and libraries count as well: their text is not looked at. Headers of
    the user are, but not what they include.
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
        options = codeobj.compiler_kwds
        if any(options.get(key) for key in ("sources", "libraries")) or any(
            _header_holds_state(header, options.get("include_dirs", []))
            for header in options.get("headers", [])
        ):
            found.add(codeobj.name)
    return tuple(sorted(found))
