"""Turns the two constructs of CUDA that no C++ compiler takes into C++.

- ``k<<<grid, block>>>(x)`` becomes ``::cuda_emulator::launch(k, grid, block)(x)``. Nothing but
  the four places around the configuration is touched, so arguments need no parsing.
- A ``__shared__`` variable becomes a reference (or pointer) to memory that the running block
  is asked for.

Nothing moves to another line, so what the compiler says about lines stays true.
"""

from __future__ import annotations

from .errors import Misplaced, SourceError
from .lexer import IDENTIFIER, STRING, Token, line_of, tokenize
from .shared import rewrite_shared

# (start, end, replacement)
Edit = tuple[int, int, str]

LAUNCH = "::cuda_emulator::launch("
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = {"(", "[", "{"}
# A parenthesis after one of these does not hold the arguments of a call.
# fmt: off
_STATEMENTS = frozenset((
    "if", "while", "for", "switch", "return", "else", "do", "case", "throw", "co_return",
    "co_await", "co_yield", "constexpr", "catch", "and", "or", "not", "new", "delete", "sizeof",
    "alignof", "goto",
))
# fmt: on


class Unclear(Exception):  # noqa: N818
    """The tokens make no sense here."""


def _open_of(tokens: list[Token], at: int, floor: int) -> int:
    """Return where the bracket opens that closes at `at`."""
    expected: list[str] = []
    while at >= floor:
        word = tokens[at].text
        if word in _CLOSERS:
            expected.append(_CLOSERS[word])
        elif word in _OPENERS:
            if expected.pop() != word:
                break
            if not expected:
                return at
        at -= 1
    raise Unclear


def _template_open_of(tokens: list[Token], at: int, floor: int) -> int:
    """Return where the template arguments open that close at `at`."""
    depth = 0
    while at >= floor:
        word = tokens[at].text
        if word == ">":
            depth += 1
        elif word == "<":
            depth -= 1
            if depth == 0:
                return at
        elif word in _CLOSERS:
            at = _open_of(tokens, at, floor)
        elif word in (";", "{", "(", "["):
            break
        at -= 1
    raise Unclear


def _primary_start(tokens: list[Token], at: int, floor: int) -> int:
    """Return where the name, call or parenthesis begins that ends at `at`."""
    if at < floor:
        raise Unclear
    token = tokens[at]
    if token.kind == IDENTIFIER:
        if token.text in _STATEMENTS:
            raise Unclear
        return at
    if token.text == ">":
        name = _template_open_of(tokens, at, floor) - 1
        if name < floor or tokens[name].kind != IDENTIFIER:
            raise Unclear
        return name
    if token.text == "]":
        return _primary_start(tokens, _open_of(tokens, at, floor) - 1, floor)
    if token.text == ")":
        start = _open_of(tokens, at, floor)
        before = start - 1
        if before < floor:
            return start
        if tokens[before].text == ")":
            # `get()(1)` goes on; `if (x) (*f)` and the cast in `(T)(*f)` do not.
            opening = _open_of(tokens, before, floor)
            name = opening - 1
            if name < floor or tokens[name].kind != IDENTIFIER or tokens[name].text in _STATEMENTS:
                return start
            return _primary_start(tokens, before, floor)
        if tokens[before].kind == IDENTIFIER and tokens[before].text not in _STATEMENTS:
            return before
        if tokens[before].text in ("]", ">"):
            try:
                return _primary_start(tokens, before, floor)
            except Unclear:
                return start
        return start
    raise Unclear


def _kernel_start(tokens: list[Token], at: int, floor: int) -> int:
    """Return the first token of the expression that ends before `at`."""
    position = _primary_start(tokens, at - 1, floor)
    while position > floor:
        link = tokens[position - 1].text
        if link == "template" and position - 2 >= floor:
            position -= 1
            link = tokens[position - 1].text
        if link not in ("::", ".", "->", "##"):
            break
        if link == "::":
            left = tokens[position - 2] if position - 2 >= floor else None
            named = left is not None and (
                (left.kind == IDENTIFIER and left.text not in _STATEMENTS) or left.text == ">"
            )
            if not named:
                return position - 1  # ::k
        position = _primary_start(tokens, position - 2, floor)
    return position


def _is_three(tokens: list[Token], at: int, word: str) -> bool:
    """Tell whether three of a kind stand here side by side."""
    return (
        at >= 0
        and at + 2 < len(tokens)
        and all(tokens[at + i].text == word for i in range(3))
        and tokens[at].start + 2 == tokens[at + 2].start
    )


def _configuration_end(tokens: list[Token], at: int) -> int:
    """Return where the `>>>` is that ends the configuration beginning at `at`.

    In ``k<<<f<a<b<int>>>(), 1>>>()`` the first one closes templates: the right one is the
    first with as many opening as closing angles before it.
    """
    depth = angles = 0
    first = -1
    position = at
    while position < len(tokens):
        word = tokens[position].text
        if word in _OPENERS:
            depth += 1
        elif word in _CLOSERS:
            depth -= 1
            if depth < 0:
                break
        elif depth == 0:
            if word == ";":
                break
            if word == "<":
                angles += 1
            elif word == ">":
                if _is_three(tokens, position, ">"):
                    # Of `>>>>` the first closes a template.
                    longer = _is_three(tokens, position + 1, ">")
                    if not longer and angles == 0:
                        return position
                    if not longer and first < 0:
                        first = position
                angles -= 1
        position += 1
    if first < 0:
        raise Unclear
    return first


def _launches(tokens: list[Token], floor: int) -> list[Edit]:
    """Return the edits for all launches among these tokens."""
    edits: list[Edit] = []
    at = floor
    while at < len(tokens) - 2:
        token = tokens[at]
        if token.text != "<" or not _is_three(tokens, at, "<"):
            at += 1
            continue
        if at > floor and tokens[at - 1].text == "operator":
            at += 3
            continue
        try:
            kernel = tokens[_kernel_start(tokens, at, floor)]
            end = _configuration_end(tokens, at + 3)
        except (Unclear, IndexError):
            raise Misplaced(token.start, "this launch cannot be understood") from None
        edits.append((kernel.start, kernel.start, LAUNCH))
        edits.append((token.start, tokens[at + 2].end, ", "))
        edits.append((tokens[end].start, tokens[end + 2].end, ")"))
        at += 3
    return edits


def macro_body(tokens: list[Token]) -> tuple[int, frozenset[str]]:
    """Return where the body of a ``#define`` begins, and the names of its parameters."""
    if len(tokens) < 2 or tokens[1].text != "(" or tokens[0].end != tokens[1].start:
        return min(1, len(tokens)), frozenset()
    names: set[str] = set()
    for position in range(2, len(tokens)):
        if tokens[position].text == ")":
            return position + 1, frozenset(names)
        if tokens[position].kind == IDENTIFIER:
            names.add(tokens[position].text)
    return len(tokens), frozenset(names)


def needs_rewriting(text: str) -> bool:
    """Tell whether there may be something to rewrite."""
    return "<<<" in text or "__shared__" in text


def edits_of(text: str, path: str) -> list[Edit]:
    """Return the edits that make a text C++.

    Raises
    ------
    SourceError
        For what cannot be understood, with the line in `path`.
    """
    if not needs_rewriting(text):
        return []
    code, directives = tokenize(text)
    try:
        edits = _launches(code, 0) + rewrite_shared(text, code, 0, None, directives)
        for directive in directives:
            if directive.name == "define":
                start, parameters = macro_body(directive.tokens)
                edits += _launches(directive.tokens, start)
                edits += rewrite_shared(text, directive.tokens, start, parameters, [])
    except Misplaced as error:
        raise SourceError(path, line_of(text, error.position), error.text) from None
    return edits


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Return the text with its edits made."""
    pieces: list[str] = []
    done = 0
    # By start only: of several insertions at one place the outer one was noted first.
    for start, end, replacement in sorted(edits, key=lambda edit: edit[0]):
        pieces += (text[done:start], replacement)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def rewrite(text: str, path: str = "<text>") -> str:
    """Return the text as C++, line for line."""
    return apply_edits(text, edits_of(text, path))


def defines_kernel(text: str) -> bool:
    """Tell whether a text defines (does not only declare) a ``__global__`` function."""
    if "__global__" not in text:
        return False
    code, directives = tokenize(text)
    for directive in directives:
        if directive.name == "define" and any(
            token.text == "__global__" for token in directive.tokens[1:]
        ):
            return True
    waiting = False
    depth = 0
    for token in code:
        if token.text == "__global__":
            waiting, depth = True, 0
        elif waiting and token.kind != STRING:
            if token.text in "([":
                depth += 1
            elif token.text in ")]":
                depth -= 1
            elif token.text == "{" and depth == 0:
                return True
            elif token.text == ";" and depth == 0:
                waiting = False
    return False
