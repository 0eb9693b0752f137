"""nvcc's command line: which options there are, and what was asked for.

An option is written as nvcc wants it: its long name after two dashes or its short name after
one, a value after a blank or after "=". Anything else is an error, in nvcc's words, because a
makefile that only an emulator understands would fail where it matters.
"""

from __future__ import annotations

import re
import shlex
import sys

from .errors import Fatal

FLAG, VALUE, LIST, NUMBER, BOOL = "flag", "value", "list", "number", "bool"

# Option, short name (if it has another one), kind, and the values allowed.
TABLE: list[tuple[str, str, str, tuple[str, ...]]] = [
    # phases
    ("compile", "c", FLAG, ()),
    ("device-c", "dc", FLAG, ()),
    ("device-w", "dw", FLAG, ()),
    ("device-link", "dlink", FLAG, ()),
    ("link", "link", FLAG, ()),
    ("preprocess", "E", FLAG, ()),
    ("generate-dependencies", "M", FLAG, ()),
    ("generate-nonsystem-dependencies", "MM", FLAG, ()),
    ("generate-dependencies-with-compile", "MD", FLAG, ()),
    ("generate-nonsystem-dependencies-with-compile", "MMD", FLAG, ()),
    ("dependency-output", "MF", VALUE, ()),
    ("dependency-target-name", "MT", VALUE, ()),
    ("generate-dependency-targets", "MP", FLAG, ()),
    # files
    ("output-file", "o", VALUE, ()),
    ("output-directory", "odir", VALUE, ()),
    ("x", "x", VALUE, ("c", "c++", "cu")),
    ("options-file", "optf", LIST, ()),
    ("include-path", "I", LIST, ()),
    ("system-include", "isystem", LIST, ()),
    ("pre-include", "include", LIST, ()),
    ("library-path", "L", LIST, ()),
    ("library", "l", LIST, ()),
    ("define-macro", "D", LIST, ()),
    ("undefine-macro", "U", LIST, ()),
    ("keep", "keep", FLAG, ()),
    ("save-temps", "save-temps", FLAG, ()),
    ("keep-dir", "keep-dir", VALUE, ()),
    ("objdir-as-tempdir", "objtemp", FLAG, ()),
    # the host compiler
    ("compiler-bindir", "ccbin", VALUE, ()),
    ("allow-unsupported-compiler", "allow-unsupported-compiler", FLAG, ()),
    ("compiler-options", "Xcompiler", LIST, ()),
    ("linker-options", "Xlinker", LIST, ()),
    ("forward-unknown-to-host-compiler", "forward-unknown-to-host-compiler", FLAG, ()),
    ("forward-unknown-to-host-linker", "forward-unknown-to-host-linker", FLAG, ()),
    ("forward-unknown-opts", "forward-unknown-opts", FLAG, ()),
    ("shared", "shared", FLAG, ()),
    ("std", "std", VALUE, ("c++03", "c++11", "c++14", "c++17", "c++20")),
    ("optimize", "O", NUMBER, ()),
    ("debug", "g", FLAG, ()),
    ("profile", "pg", FLAG, ()),
    ("machine", "m", VALUE, ("64",)),
    ("m64", "m64", FLAG, ()),
    ("no-exceptions", "noeh", FLAG, ()),
    ("ftemplate-depth", "ftemplate-depth", NUMBER, ()),
    ("ftemplate-backtrace-limit", "ftemplate-backtrace-limit", NUMBER, ()),
    ("disable-warnings", "w", FLAG, ()),
    ("Werror", "Werror", LIST, ()),
    # what only matters on a card
    ("gpu-architecture", "arch", VALUE, ()),
    ("gpu-code", "code", LIST, ()),
    ("generate-code", "gencode", LIST, ()),
    ("maxrregcount", "maxrregcount", NUMBER, ()),
    ("ptxas-options", "Xptxas", LIST, ()),
    ("nvlink-options", "Xnvlink", LIST, ()),
    # Not in nvcc's manual, but brian2cuda's own test runner passes it.
    ("Xcudafe", "Xcudafe", LIST, ()),
    ("relocatable-device-code", "rdc", BOOL, ()),
    ("no-device-link", "nodlink", FLAG, ()),
    ("extensible-whole-program", "ewp", FLAG, ()),
    ("device-debug", "G", FLAG, ()),
    ("generate-line-info", "lineinfo", FLAG, ()),
    ("Ofast-compile", "Ofc", VALUE, ("0", "min", "mid", "max")),
    ("dopt", "dopt", VALUE, ("on",)),
    ("dlink-time-opt", "dlto", FLAG, ()),
    ("use_fast_math", "use_fast_math", FLAG, ()),
    ("ftz", "ftz", BOOL, ()),
    ("prec-div", "prec-div", BOOL, ()),
    ("prec-sqrt", "prec-sqrt", BOOL, ()),
    ("fmad", "fmad", BOOL, ()),
    ("extra-device-vectorization", "extra-device-vectorization", FLAG, ()),
    ("default-stream", "default-stream", VALUE, ("legacy", "null", "per-thread")),
    ("restrict", "restrict", FLAG, ()),
    ("source-in-ptx", "src-in-ptx", FLAG, ()),
    ("expt-relaxed-constexpr", "expt-relaxed-constexpr", FLAG, ()),
    ("extended-lambda", "extended-lambda", FLAG, ()),
    ("expt-extended-lambda", "expt-extended-lambda", FLAG, ()),
    ("cudart", "cudart", VALUE, ("none", "shared", "static")),
    ("cudadevrt", "cudadevrt", VALUE, ("none", "static")),
    ("threads", "t", NUMBER, ()),
    ("split-compile", "split-compile", NUMBER, ()),
    ("resource-usage", "res-usage", FLAG, ()),
    ("no-compress", "no-compress", FLAG, ()),
    ("static-global-template-stub", "static-global-template-stub", BOOL, ()),
    ("device-entity-has-hidden-visibility", "device-entity-has-hidden-visibility", BOOL, ()),
    # messages
    ("dryrun", "dryrun", FLAG, ()),
    ("verbose", "v", FLAG, ()),
    ("version", "V", FLAG, ()),
    ("time", "time", VALUE, ()),
    ("display-error-number", "err-no", FLAG, ()),
    ("no-display-error-number", "no-err-no", FLAG, ()),
    ("diag-suppress", "diag-suppress", LIST, ()),
    ("diag-warn", "diag-warn", LIST, ()),
    ("diag-error", "diag-error", LIST, ()),
    ("brief-diagnostics", "brief-diag", BOOL, ()),
    ("Wreorder", "Wreorder", FLAG, ()),
    ("Wdefault-stream-launch", "Wdefault-stream-launch", FLAG, ()),
    ("Wmissing-launch-bounds", "Wmissing-launch-bounds", FLAG, ()),
    ("Wext-lambda-captures-this", "Wext-lambda-captures-this", FLAG, ()),
    ("Wno-deprecated-declarations", "Wno-deprecated-declarations", FLAG, ()),
    ("Wno-deprecated-gpu-targets", "Wno-deprecated-gpu-targets", FLAG, ()),
]

# The only ones whose value may follow without anything between.
JOINED = ("I", "D", "U", "L", "l", "O", "t")

# nvcc has them too, but what they make does not exist here.
IMPOSSIBLE = re.compile(
    r"--?(?:cuda|cubin|fatbin|ptx|optix-ir|ltoir|lib|run)|--relocatable-link|-r"
)

WERROR = ("all-warnings", "cross-execution-space-call", "reorder", "default-stream-launch")
WERROR += ("missing-launch-bounds", "ext-lambda-captures-this", "deprecated-declarations")

_SPELLINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {}
for _long, _short, _kind, _allowed in TABLE:
    _SPELLINGS["--" + _long] = (_long, _kind, _allowed)
    _SPELLINGS["-" + _short] = (_long, _kind, _allowed)


class Options:
    """What was asked for.

    Attributes
    ----------
    flags : set of str
        Long names of the options without a value.
    values : dict
        Long name to value (the last one given).
    lists : dict
        Long name to all of the values given.
    inputs : list of str
        Files, in the order given.
    forwarded : list of str
        Unknown options, where they are to be passed on.
    """

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.inputs: list[str] = []
        self.forwarded: list[str] = []

    def all(self, name: str) -> list[str]:
        """Return the values given for a list."""
        return self.lists.get(name, [])


def split_list(text: str) -> list[str]:
    r"""Split at commas, except at those written as ``\,``."""
    parts = re.split(r"(?<!\\),", text)
    return [part.replace("\\,", ",") for part in parts if part]


def split_shell(texts: list[str]) -> list[str]:
    """Return the words of ``-Xcompiler`` lists, which nvcc hands to a shell."""
    words: list[str] = []
    for text in texts:
        try:
            words += shlex.split(text)
        except ValueError as error:
            raise Fatal(f"cannot parse the compiler options '{text}': {error}") from None
    return words


def _warn(text: str) -> None:
    print(f"nvcc warning : {text}", file=sys.stderr)


def _find(word: str) -> tuple[str, str, str, tuple[str, ...], str | None] | None:
    """Return spelling, long name, kind, allowed values and the value within the word."""
    if word in _SPELLINGS:
        return (word, *_SPELLINGS[word], None)
    head, equals, rest = word.partition("=")
    if equals and head in _SPELLINGS:
        return (head, *_SPELLINGS[head], rest)
    if len(word) > 2 and word[1] in JOINED and word[:2] in _SPELLINGS and word[1] != "-":
        return (word[:2], *_SPELLINGS[word[:2]], word[2:])
    return None


def _store(
    options: Options, spelling: str, name: str, kind: str, allowed: tuple[str, ...], value: str
):
    if kind == NUMBER and not re.fullmatch(r"\d+", value):
        raise Fatal(f"'{value}': expected a number")
    if kind == BOOL and value not in ("true", "false"):
        raise Fatal(f"'{value}': expected true or false")
    if allowed and value not in allowed:
        raise Fatal(f"Value '{value}' is not defined for option '{name}'")
    if kind == LIST:
        values = split_list(value)
        if name == "Werror":
            for one in values:
                if one not in WERROR:
                    raise Fatal(f"Value '{one}' is not defined for option 'Werror'")
        elif name.startswith("diag-"):
            for one in values:
                if not one.isdigit():
                    raise Fatal(f"'{one}': expected a number")
        options.lists.setdefault(name, []).extend(values)
        return
    if options.values.get(name, value) != value:
        _warn(
            f"incompatible redefinition for option '{name}', the last value of this option was used"
        )
    options.values[name] = value


def _expand(words: list[str], depth: int = 0) -> list[str]:
    """Put the words of options files in their place."""
    expanded: list[str] = []
    rest = iter(words)
    for word in rest:
        head, equals, value = word.partition("=")
        if head not in ("-optf", "--options-file"):
            expanded.append(word)
            continue
        names = value if equals else next(rest, "")
        for name in split_list(names):
            try:
                with open(name, encoding="utf-8") as file:
                    inside = shlex.split(file.read(), comments=True)
            except OSError as error:
                raise Fatal(f"Could not open options file '{name}': {error.strerror}") from None
            if depth > 16:
                raise Fatal(f"options file '{name}' is nested too deeply")
            expanded += _expand(inside, depth + 1)
    return expanded


def parse(words: list[str]) -> Options:
    """Return the options of a command line.

    Raises
    ------
    Fatal
        For what nvcc refuses: options that it does not know, wrong values.
    """
    options = Options()
    words = _expand(words)
    forwarding = {
        "-" + name for name in ("forward-unknown-opts", "forward-unknown-to-host-compiler")
    }
    forward = any(word in forwarding or word[1:] in forwarding for word in words)
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "-" or not word.startswith("-"):
            options.inputs.append(word)
            continue
        found = _find(word)
        if found is None:
            if IMPOSSIBLE.fullmatch(word):
                raise Fatal(f"'{word}' makes code for a card, which the emulated toolkit cannot")
            if not forward:
                raise Fatal(f"Unknown option '{word}'")
            options.forwarded.append(word)
            continue
        spelling, name, kind, allowed, value = found
        if kind == FLAG:
            if value is not None:
                raise Fatal(f"no argument expected after '{spelling}'")
            options.flags.add(name)
            continue
        if value is None:
            if position == len(words):
                raise Fatal(f"argument expected after '{spelling}'")
            value = words[position]
            position += 1
        elif value.startswith("=") and len(spelling) == 2:
            value = value[1:]
        _store(options, spelling, name, kind, allowed, value)
    return options


_ARCHITECTURE = re.compile(r"(?:sm|compute|lto)_(\d{2,3})[af]?")
# What nvcc makes code for: 13 and later, and what 12 did besides.
_SUPPORTED = frozenset((75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121))
_UNTIL_12 = frozenset((50, 52, 53, 60, 61, 62, 70, 72, 101))
_NOT_ONE = ("native", "all", "all-major")


def _number(name: str, release: str) -> int:
    match = _ARCHITECTURE.fullmatch(name)
    supported = _SUPPORTED if int(release.split(".")[0]) > 12 else _SUPPORTED | _UNTIL_12
    if match is None or int(match[1]) not in supported:
        raise Fatal(f"Unsupported gpu architecture '{name}'")
    return int(match[1]) * 10


def architecture_of(options: Options, card: int, release: str = "13.0") -> int:
    """Return the value of ``__CUDA_ARCH__``.

    Code for several architectures is compiled once for each by nvcc, and a card takes what
    suits it best; here only that is compiled.
    """
    found: list[int] = []
    name = options.values.get("gpu-architecture")
    if name is not None and name not in _NOT_ONE:
        found.append(_number(name, release))
    for text in options.all("gpu-code"):
        _number(text.strip("[]"), release)
    pending: dict[str, str] = {}
    # nvcc's lists are split at commas, and so is the inside of one -gencode.
    for text in options.all("generate-code"):
        key, equals, value = text.partition("=")
        if equals and key in ("arch", "code"):
            pending[key] = value
        elif not equals and pending:
            value = text
        else:
            raise Fatal(f"'{text}' is not in 'keyword=value' format")
        value = value.strip("[]")
        number = _number(value, release)
        if key == "arch":
            found.append(number)
    return max((one for one in found if one <= card), default=max(found, default=card))
