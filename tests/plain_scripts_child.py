"""Runs one script in this process, in one of two ways, and writes down what it has left behind.

``python tests/plain_scripts_child.py WAY RESULTS.npz SCRIPT [ARGUMENTS]``, where WAY is ``python``
(plain Python) or ``gpurun`` (what ``python -m gpurun SCRIPT`` does). The script is not changed and
nothing is put into its namespace; all that is added is a look at that namespace when its last line
has been run.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

#: How deep lists and dictionaries are searched.
DEPTH = 3

Execute = Callable[[types.ModuleType], None]


def objects_in(name: str, value: Any, depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    """Brian's objects, arrays and numbers that `value` is or holds, with what to call them."""
    import numpy as np
    from brian2.core.base import BrianObject
    from brian2.core.clocks import Clock
    from brian2.core.network import Network

    if isinstance(value, BrianObject | Clock):
        yield name, value
    elif isinstance(value, Network):
        yield f"{name}.t", float(value.t_)
        for obj in sorted(value.objects, key=lambda obj: obj.name):
            yield f"{name}[{obj.name}]", obj
    elif isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        array = np.asarray(value)
        if array.dtype.kind in "biufc":
            yield name, array
    elif depth and isinstance(value, Mapping | list | tuple):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, entry in entries:
            yield from objects_in(f"{name}[{key}]", entry, depth - 1)


def state_of(obj: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of one of Brian's objects and of those that belong to it, by name."""
    import numpy as np
    from brian2.core.variables import ArrayVariable
    from brian2.spatialneuron.spatialneuron import SpatialNeuron

    if hasattr(obj, "clock"):
        yield "clock.dt", np.asarray(obj.clock.dt_)
        yield "clock.t", np.asarray(obj.clock.t_)
    for name, variable in getattr(obj, "variables", {}).items():
        scratch = name.startswith("_") and isinstance(getattr(obj, "source", obj), SpatialNeuron)
        if scratch or not isinstance(variable, ArrayVariable):
            continue
        values = np.array(variable.get_value())
        if name.endswith("space") and name.startswith("_") and variable.size == len(values):
            # An event space: what stands behind the events of this step is left over
            values = np.sort(values[: values[-1]])
        yield name, values
    for part in getattr(obj, "contained_objects", ()):
        if getattr(part, "variables", None):
            for name, values in state_of(part):
                yield f"{part.name.removeprefix(obj.name)}.{name}", values


def collect(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """All that can be compared in a script's namespace, by where it was found."""
    import brian2
    import numpy as np
    from brian2.core.base import BrianObject
    from brian2.core.clocks import Clock

    found: dict[str, Any] = {}
    seen: set[int] = set()
    for name, value in list(namespace.items()):
        if name.startswith("_") or getattr(brian2, name, found) is value:
            continue
        for path, entry in objects_in(name, value):
            if not isinstance(entry, BrianObject | Clock):
                found[path] = np.array(entry)
            elif entry.id not in seen:
                seen.add(entry.id)
                with suppress(ReferenceError):  # the source of a subgroup that is gone
                    found |= {f"{path}.{key}": values for key, values in state_of(entry)}
    found["defaultclock.t"] = np.array(brian2.defaultclock.t_)
    return found


def save_afterwards(execute: Execute, results: Path) -> Execute:
    """`execute`, and then a file of what is in the module's namespace."""

    def both(module: types.ModuleType) -> None:
        ended: SystemExit | None = None
        try:
            execute(module)
        except SystemExit as end:
            ended = end
        import numpy as np

        np.savez(results, **collect(vars(module)))
        if ended is not None:
            raise ended

    return both


def plainly(module: types.ModuleType) -> None:
    """What ``python SCRIPT`` does with the file of `module`."""
    assert module.__file__ is not None
    path = Path(module.__file__)
    exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))


def main(way: str, results: str, path: str, *arguments: str) -> int:
    """Run the script; returns its exit status."""
    if way == "gpurun":
        from gpurun.cli import main as command
        from gpurun.cli import script

        script.execute = save_afterwards(script.execute, Path(results))
        return command([path, *arguments])
    sys.argv[:] = [path, *arguments]
    sys.path[0] = str(Path(path).resolve().parent)
    module = types.ModuleType("__main__")
    module.__file__ = path
    vars(module).update(__builtins__=builtins)
    sys.modules["__main__"] = module
    save_afterwards(plainly, Path(results))(module)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
