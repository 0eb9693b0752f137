"""Rewrites ``__shared__`` declarations.

``__shared__ T a[4], b;`` becomes, for each of its variables, a reference to memory that the
runtime keeps for the running block, under the address of a static that stands for the
declaration. ``extern __shared__ T a[];`` becomes a pointer to the block's dynamic memory.
"""

from __future__ import annotations

from .errors import Misplaced
from .lexer import IDENTIFIER, STRING, Directive, Token

# (start, end, replacement)
Edit = tuple[int, int, str]

_CLOSERS = {")": "(", "]": "[", "}": "{", ">": "<"}
_OPENERS = {opener: closer for closer, opener in _CLOSERS.items()}
_QUALIFIERS = frozenset(("const", "volatile", "__restrict__", "__restrict"))
# fmt: off
_BUILTIN = frozenset((
    "void", "bool", "char", "short", "int", "long", "float", "double", "signed", "unsigned",
    "wchar_t", "char8_t", "char16_t", "char32_t", "__int128", "_Float16", "__half",
))
# fmt: on
_CLASSES = frozenset(("struct", "class", "union", "enum"))
_STORAGE = frozenset(("extern", "static", "inline", "thread_local", "register", "__device__"))
_ALIGNMENTS = frozenset(("alignas", "__align__", "__builtin_align__", "_Alignas"))
_ATTRIBUTES = frozenset(("__attribute__", "__attribute", "__declspec"))


def _text(tokens: list[Token]) -> str:
    """Return tokens as they were written, on one line."""
    pieces: list[str] = []
    for number, token in enumerate(tokens):
        if number and token.start > tokens[number - 1].end:
            pieces.append(" ")
        pieces.append(token.text)
    return "".join(pieces)


def _group_end(tokens: list[Token], at: int) -> int:
    """Return the place behind the bracket that closes the one at `at`."""
    opener = tokens[at].text
    closers = [_OPENERS[opener]]
    position = at + 1
    while position < len(tokens) and closers:
        word = tokens[position].text
        if word == closers[-1]:
            closers.pop()
        elif word in ("(", "[", "{") or (word == "<" and opener == "<" and closers[-1] == ">"):
            closers.append(_OPENERS[word])
        position += 1
    if closers:
        raise Misplaced(tokens[at].start, f"'{opener}' is not closed")
    return position


def _declaration_start(tokens: list[Token], at: int, floor: int) -> int:
    """Return the first token of the declaration that `__shared__` at `at` is in."""
    start = at
    while start > floor:
        word = tokens[start - 1].text
        if word in (";", "{", "}", ":", "##", ","):
            break
        if word == ")":
            depth, opening = 0, start - 1
            while opening >= floor:
                depth += {")": 1, "(": -1}.get(tokens[opening].text, 0)
                if depth == 0:
                    break
                opening -= 1
            before = tokens[opening - 1].text if opening > floor else ""
            if before not in _ALIGNMENTS and before not in _ATTRIBUTES and before != "decltype":
                break
            start = opening - 1
            continue
        start -= 1
    return start


class _Parser:
    """Takes a declaration apart: ``specifiers declarator, declarator``."""

    def __init__(self, tokens: list[Token]):
        self.tokens = tokens
        self.at = 0
        self.dynamic = False
        self.alignments: list[str] = []
        self.kind: list[Token] = []

    def word(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place].text if place < len(self.tokens) else ""

    def fail(self, text: str) -> Misplaced:
        place = min(self.at, len(self.tokens) - 1)
        return Misplaced(self.tokens[place].start, text)

    def take(self, count: int = 1) -> None:
        self.kind += self.tokens[self.at : self.at + count]
        self.at += count

    def skip_attributes(self) -> bool:
        """Pass one attribute, keeping an alignment."""
        word = self.word()
        if word == "[" and self.word(1) == "[":
            self.at = _group_end(self.tokens, self.at)
            return True
        if word not in _ALIGNMENTS and word not in _ATTRIBUTES:
            return False
        if self.word(1) != "(":
            raise self.fail(f"'(' expected after {word}")
        end = _group_end(self.tokens, self.at + 1)
        inside = self.tokens[self.at + 2 : end - 1]
        if word in _ATTRIBUTES:
            names = [token.text for token in inside]
            place = next((i for i, n in enumerate(names) if n in ("aligned", "__aligned__")), None)
            if place is not None and names[place + 1 : place + 2] == ["("]:
                self.alignments.append(_text(inside[place + 2 : _group_end(inside, place + 1) - 1]))
        else:
            self.alignments.append(_text(inside))
        self.at = end
        return True

    def qualified_name(self) -> None:
        if self.word() == "typename":
            self.take()
        if self.word() == "::":
            self.take()
        while True:
            if self.word() == "template":
                self.take()
            self.take()
            while self.word() == "##":
                self.take(2)
            if self.word() == "<":
                self.take(_group_end(self.tokens, self.at) - self.at)
            if self.word() != "::":
                return
            self.take()

    def specifiers(self) -> None:
        complete = builtin = False
        while self.at < len(self.tokens):
            word = self.word()
            if self.skip_attributes():
                continue
            if word == "__shared__" or word in _STORAGE:
                self.dynamic = self.dynamic or word == "extern"
                self.at += 1
            elif word in _QUALIFIERS:
                self.take()
            elif word in _BUILTIN and (builtin or not complete):
                self.take()
                complete = builtin = True
            elif complete:
                return
            elif word in _CLASSES:
                self.take()
                while self.skip_attributes():
                    pass
                if self.word() != "{":
                    self.qualified_name()
                if self.word() == "{":
                    self.take(_group_end(self.tokens, self.at) - self.at)
                complete = True
            elif word in ("decltype", "typeof", "__typeof__"):
                self.take()
                self.take(_group_end(self.tokens, self.at) - self.at)
                complete = True
            elif word == "::" or self.tokens[self.at].kind == IDENTIFIER:
                self.qualified_name()
                complete = True
            else:
                return

    def declarator(self) -> tuple[str, list[Token], str]:
        """Return what stands before the name, the name and what stands behind it."""
        start = self.at
        while self.word() in ("*", "&") or self.word() in _QUALIFIERS:
            self.at += 1
        before = _text(self.tokens[start : self.at])
        while self.skip_attributes():
            pass
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != IDENTIFIER:
            raise self.fail("this __shared__ declaration cannot be understood")
        start = self.at
        self.at += 1
        while self.word() == "##":
            self.at += 2
        name = self.tokens[start : self.at]
        arrays = ""
        while self.at < len(self.tokens) and self.word() != ",":
            if self.skip_attributes():
                continue
            if self.word() != "[":
                what = "initializer not allowed for" if self.word() in "={(" else "unclear"
                raise self.fail(f"{what} __shared__ variable")
            end = _group_end(self.tokens, self.at)
            arrays += _text(self.tokens[self.at : end])
            self.at = end
        self.at += 1
        return before, name, arrays


def _declare_static(kind: str, name: str, label: str, arrays: str, alignments: list[str]) -> str:
    alias = f"cuda_shared_type_{name}"
    aligned, extra = alias, ""
    if alignments:
        aligned = f"cuda_shared_aligned_{name}"
        words = " ".join(f"alignas({one})" for one in (f"alignof({alias})", *alignments))
        extra = f"struct {words} {aligned} {{}}; "
    return (
        f"static char cuda_shared_{name}; using {alias} = {kind}{arrays}; {extra}"
        f"{alias}& {name} = *static_cast<{alias}*>(::cuda_emulator::static_shared("
        f"&cuda_shared_{name}, sizeof({alias}), alignof({aligned}), {label}))"
    )


def _declare_dynamic(kind: str, name: str, arrays: str) -> str:
    memory = "::cuda_emulator::dynamic_shared()"
    inner = arrays[arrays.index("]") + 1 :] if arrays else ""
    if not arrays:
        return f"{kind}& {name} = *static_cast<{kind}*>({memory})"
    if inner:
        alias = f"cuda_shared_type_{name}"
        return f"using {alias} = {kind}{inner}; {alias}* {name} = static_cast<{alias}*>({memory})"
    return f"{kind}* {name} = static_cast<{kind}*>({memory})"


def _rewrite_one(tokens: list[Token], parameters: frozenset[str] | None, outside: bool) -> str:
    """Return the declaration made of these tokens, without its semicolon, as C++."""
    parser = _Parser(tokens)
    parser.specifiers()
    if not parser.kind or parser.at >= len(tokens):
        raise parser.fail("this __shared__ declaration cannot be understood")
    kind = _text(parser.kind)
    declared: list[str] = []
    while parser.at < len(tokens):
        before, words, arrays = parser.declarator()
        name = _text(words)
        own = f"{kind} {before}".rstrip()
        if declared and "{" in own:
            raise parser.fail("declare the type of __shared__ variables before them")
        if outside:
            if not parser.dynamic or not arrays or arrays.count("[") > 1:
                raise parser.fail("a __shared__ variable outside of functions is not emulated")
            declared.append(f"static const ::cuda_emulator::DynamicShared<{own}> {name} = {{}}")
        elif parser.dynamic:
            declared.append(_declare_dynamic(own, name, arrays))
        else:
            label = f'"{name}"'
            if parameters and len(words) > 1:
                label = '"shared"'
            elif parameters and name in parameters:
                # The name is the macro's to give: paste it where it is part of a longer one.
                label = f"#{name}"
                text = _declare_static(own, "\0", label, arrays, parser.alignments)
                declared.append(text.replace("_\0", f"_##{name}").replace("\0", name))
                continue
            declared.append(_declare_static(own, name, label, arrays, parser.alignments))
    return "; ".join(declared)


def _namespace_scopes(tokens: list[Token]) -> list[bool]:
    """Tell of each token whether only namespaces are around it."""
    around: list[bool] = []
    stack: list[bool] = []
    statement = 0
    for position, token in enumerate(tokens):
        around.append(all(stack))
        word = token.text
        if word == "{":
            words = tokens[statement:position]
            named = any(one.text == "namespace" for one in words)
            linkage = len(words) == 2 and words[0].text == "extern" and words[1].kind == STRING
            stack.append(named or linkage)
        elif word == "}" and stack:
            stack.pop()
        if word in ("{", "}", ";"):
            statement = position + 1
    return around


def rewrite_shared(
    text: str,
    tokens: list[Token],
    floor: int,
    parameters: frozenset[str] | None,
    directives: list[Directive],
) -> list[Edit]:
    """Return the edits for the ``__shared__`` declarations among these tokens.

    Parameters
    ----------
    text : str
        The whole text.
    tokens : list of Token
        Its code, or one directive.
    floor : int
        The first token to look at.
    parameters : frozenset of str or None
        The parameters, if the tokens are a macro's definition.
    directives : list of Directive
        Those that may interrupt the code.
    """
    places = [i for i in range(floor, len(tokens)) if tokens[i].text == "__shared__"]
    if not places:
        return []
    around = _namespace_scopes(tokens) if parameters is None else []
    edits: list[Edit] = []
    done = floor
    for place in places:
        if place < done:
            continue
        start = _declaration_start(tokens, place, floor)
        depth, end = 0, place
        while end < len(tokens) and not (depth == 0 and tokens[end].text == ";"):
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(tokens[end].text, 0)
            if depth < 0:
                break
            end += 1
        if parameters is None and (end == len(tokens) or tokens[end].text != ";"):
            raise Misplaced(tokens[place].start, "this __shared__ declaration does not end")
        first, last = tokens[start].start, tokens[end - 1].end
        if any(first < one.start < last for part in directives for one in part.tokens):
            raise Misplaced(first, "a directive within a __shared__ declaration is not emulated")
        replacement = _rewrite_one(
            tokens[start:end], parameters, parameters is None and around[place]
        )
        missing = text.count("\n", first, last)
        edits.append(
            (first, last, replacement + ("\\\n" if parameters is not None else "\n") * missing)
        )
        done = end
    return edits
