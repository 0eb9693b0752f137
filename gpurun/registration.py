"""Registers the Brian device ``"gpurun"``, now or as soon as brian2 is imported.

Importing brian2 takes seconds, which neither ``gpurun --help`` nor a worker that uses
a pickled Model should have to wait for.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any


def _install() -> None:
    from gpurun.brian.facade import install

    install()


class _AfterBrian(MetaPathFinder):
    """Finds brian2 as Python would, and registers the device once it is imported."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Answer for brian2 only; see `importlib.abc.MetaPathFinder`."""
        if fullname != "brian2" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            # Only now: an import that failed may be tried again
            sys.meta_path.remove(self)
            _install()

        spec.loader.exec_module = exec_module
        return spec


def register_device() -> None:
    """Make ``set_device("gpurun")`` work, whichever package is imported first."""
    if sys.modules.get("brian2") is not None:  # None blocks its import
        _install()
    else:
        sys.meta_path.insert(0, _AfterBrian())
