"""Splits C++ into tokens, as far as rewriting it needs.

Comments and blanks are left out. The tokens of preprocessor directives are kept apart from the
code around them, because a directive may stand in the middle of anything.
"""

from __future__ import annotations

import re

IDENTIFIER, NUMBER, STRING, PUNCTUATOR = "identifier", "number", "string", "punctuator"

_TOKEN = re.compile(
    r"""
    (?P<comment> //(?:\\\r?\n|[^\n])* | /\*.*?(?:\*/|\Z) )
  | (?P<raw> (?:u8|[uUL])?R"(?P<mark>[^()\\\s"]{0,16})\(.*?(?:\)(?P=mark)"|\Z) )
  | (?P<string> (?:u8|[uUL])?"(?:\\.|[^"\\\n])*"? | (?:u8|[uUL])?'(?:\\.|[^'\\\n])*'? )
  | (?P<number> \.?[0-9](?:[eEpP][+-]|'\w|[\w.])* )
  | (?P<identifier> [^\W\d][\w$]* )
  | (?P<newline> \n )
  | (?P<blank> (?:[^\S\n]|\\\r?\n)+ )
  | (?P<punctuator> ->|::|\#\#|. )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token:
    """A token and where it stands in the text."""

    __slots__ = ("end", "kind", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int):
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        return f"{self.text!r}@{self.start}"


class Directive:
    """A preprocessor directive: its name and the tokens behind it."""

    __slots__ = ("name", "tokens")

    def __init__(self, name: str, tokens: list[Token]):
        self.name = name
        self.tokens = tokens


def tokenize(text: str) -> tuple[list[Token], list[Directive]]:
    """Return the tokens of the code, and the directives."""
    code: list[Token] = []
    directives: list[Directive] = []
    inside: list[Token] | None = None
    at_line_start = True
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("comment", "blank"):
            continue
        if kind == "newline":
            inside = None
            at_line_start = True
            continue
        # `mark` is inside `raw`, which is the group that closed last.
        kind = STRING if kind == "raw" else str(kind)
        word = match.group()
        if at_line_start and word == "#":
            at_line_start = False
            inside = []
            directives.append(Directive("", inside))
            continue
        at_line_start = False
        token = Token(kind, word, match.start(), match.end())
        if inside is None:
            code.append(token)
        elif directives[-1].name == "" and not inside:
            directives[-1].name = word
        else:
            inside.append(token)
    return code, directives


def line_of(text: str, position: int) -> int:
    """Return the line of a position, counted from 1."""
    return text.count("\n", 0, position) + 1
