"""Cases and contenders by name, or from a file that is not part of the suite."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from gpurun.bench.suite import case as cases
from gpurun.bench.suite.case import Case
from gpurun.errors import ConfigError

from . import Maker, all_contenders


def case_named(name: str) -> Case:
    """A case of the suite, or that of a file ``PATH.py``.

    Raises
    ------
    ConfigError
        There is none of this name, or it lacks something that every case has to define.
    """
    if not name.endswith(".py"):
        return cases.load(name)
    module = _module(Path(name))
    missing = [one for one in cases.REQUIRED if not hasattr(module, one)]
    if missing:
        raise ConfigError(f"The benchmark case {name} defines no {', '.join(missing)}.")
    return Case(
        Path(name).stem,
        module.TITLE,
        module.SOURCE,
        bool(getattr(module, "DETERMINISTIC", False)),
        module.SIZES,
        module,
    )


def maker_named(name: str) -> Maker:
    """What makes a contender of the suite, or ``PATH.py:NAME`` of another file.

    Raises
    ------
    ConfigError
        There is none of this name.
    """
    path, separator, inner = name.rpartition(".py:")
    if separator:
        found = getattr(_module(Path(f"{path}.py")), "CONTENDERS", {})
        if inner not in found:
            raise ConfigError(f"{path}.py has no contender {inner!r}: expected {sorted(found)}.")
        return found[inner]
    known = all_contenders()
    if name not in known:
        raise ConfigError(f"There is no contender {name!r}: expected one of {list(known)}.")
    return known[name][1]


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"There is no file {path}: expected a Python file.")
    # Importable by this name, because children of a contender may unpickle from it
    spec = importlib.util.spec_from_file_location(f"gpurun_bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
