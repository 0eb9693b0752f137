"""Names that do not depend on how many objects a script has made before.

Brian numbers what has no name of its own (``neurongroup_7``), and the numbers go into the
generated code. A function that builds its model anew in a loop would be compiled in every turn.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

_NUMBER = re.compile(r"_(\d+)(?=_|$)")
NETWORK = "network"
# What generated code calls otherwise: <time.h> has a function of this name.
_TAKEN = {"clock": "_clock"}


def canonical_names(names: Iterable[str]) -> dict[str, str]:
    """Give each name the lowest numbers that keep the order: ``a_4, a_9`` become ``a, a_1``.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    dict of str to str
        One to one. The names as they are where that would not be so.
    """
    known = set(names)
    numbers: dict[str, set[int]] = defaultdict(set)
    for name in known:
        for match in _NUMBER.finditer(name):
            numbers[name[: match.start()]].add(int(match[1]))
    ranks = {
        base: {number: rank + (base in known) for rank, number in enumerate(sorted(numbers[base]))}
        for base in numbers
    }

    def renamed(name: str) -> str:
        parts, end = [], 0
        for match in _NUMBER.finditer(name):
            rank = ranks[name[: match.start()]][int(match[1])]
            parts += [name[end : match.start()], f"_{rank}" if rank else ""]
            end = match.end()
        text = "".join(parts) + name[end:]
        return _TAKEN.get(text, text)

    found = {name: renamed(name) for name in sorted(known)}
    if len(set(found.values())) < len(found):
        return {name: _TAKEN.get(name, name) for name in found}
    return found


def owners(objects: Iterable[Any]) -> list[Any]:
    """All objects whose names generated code for `objects` may hold, each once."""
    found: dict[Any, Any] = {}
    for obj in objects:
        for candidate in (obj, obj.clock):
            found.setdefault(candidate.id, candidate)
        for variable in getattr(obj, "variables", {}).values():
            with suppress(ReferenceError, AttributeError):
                owner = variable.owner
                found.setdefault(owner.id, owner)
    return list(found.values())


@contextmanager
def renamed(net: Any, objects: Iterable[Any]) -> Iterator[Mapping[str, str]]:
    """Let `objects`, what they refer to, and their network have canonical names meanwhile.

    Yields
    ------
    mapping of str to str
        The canonical names by the names that the script knows.
    """
    bearers = owners(objects)
    before = [(bearer, bearer.name) for bearer in bearers]
    found = canonical_names(name for _, name in before)
    network, net_name = net.name, NETWORK
    while net_name in found.values():
        net_name += "_"
    try:
        for bearer, name in before:
            bearer._name = found[name]
        net._name = net_name
        yield found
    finally:
        net._name = network
        for bearer, name in before:
            with suppress(ReferenceError):
                bearer._name = name
